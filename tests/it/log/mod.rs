//! The log, on a real database.

mod append;
mod dead_letter;
mod verify;
