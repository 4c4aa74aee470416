//! What follows from what was said.

mod database;
mod order;
mod references;
mod rules;
mod world;
