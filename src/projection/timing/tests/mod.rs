//! The rule of each conclusion, its independence of order, and its equality in the database.

mod attributes;
mod bootstraps;
mod builds;
mod database;
mod facts;
mod fixtures;
mod launches;
mod operations;
mod order;
mod recipes;
mod tables;
