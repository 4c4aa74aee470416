//! The routes, on a real PostgreSQL.

mod events;
mod guards;
mod hostile;
mod operate;
mod support;
mod timing;
mod timings;
mod ttm;
