//! Rollups of samples, in memory and in PostgreSQL.

mod database;
mod fixtures;
mod order;
