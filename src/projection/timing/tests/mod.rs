//! What each rule gives, that order never matters, and that the database agrees.

mod builds;
mod database;
mod fixtures;
mod operations;
mod order;
mod recipes;
mod tables;
