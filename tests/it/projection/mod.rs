//! The engine and the read models, on a real database.

mod deployment;
mod engine;
mod metering;
mod odd_values;
mod rollup;
mod timing;
