//! The routes, called over HTTP.

mod distil;
mod docs;
mod guard;
mod hostile;
mod lizmon;
mod operate;
mod ttm;
mod v1;
