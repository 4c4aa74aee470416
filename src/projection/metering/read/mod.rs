//! Queries on the read model's tables, for the modules that need its rows.

pub mod export;
