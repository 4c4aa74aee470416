//! The engine and the read models, on a real database.

mod deployment;
mod engine;
mod metering;
mod rollup;
mod timing;
