//! The rows of samples, in memory and in PostgreSQL.

mod database;
mod order;
mod rules;
mod world;
