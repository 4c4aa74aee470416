//! Samples, from the log to the answers.

mod routes;
mod samples;
