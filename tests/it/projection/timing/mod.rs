//! The routes of timing.

mod instances;
mod timings;
