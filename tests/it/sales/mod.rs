//! Sales orders, from samples in the log to what is asked for over HTTP.

mod concurrent;
mod issued;
mod late;
mod month;
mod refusals;
mod requests;
mod world;
