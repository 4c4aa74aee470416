//! What samples come to, in memory and in PostgreSQL.

mod database;
mod order;
mod world;
