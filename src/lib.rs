//! One immutable log of what a cloud reported; every answer is a projection of it.

pub mod api;
pub mod cli;
pub mod config;
pub mod db;
pub mod event;
pub mod health;
pub mod http;
pub mod ingest;
pub mod lifecycle;
pub mod log;
pub mod projection;
pub mod simulate;
pub mod sketch;
pub mod telemetry;
