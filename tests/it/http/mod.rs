//! The routes, called over HTTP.

mod events;
mod guards;
mod hostile;
mod hosts;
mod lizmon;
mod metering;
mod operate;
pub mod server;
mod timing;
mod timings;
mod ttm;
mod ttm_projected;
mod ttm_readme;
