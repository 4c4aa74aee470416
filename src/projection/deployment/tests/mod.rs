//! Reports and rows that follow from facts.

mod database;
mod fixtures;
mod order;
mod references;
mod rules;
