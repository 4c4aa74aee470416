//! Builds, operations and recipes, from the log to the answers.

mod instances;
mod timings;
