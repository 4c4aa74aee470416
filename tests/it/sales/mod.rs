//! Sales orders, from samples in the log to what is asked for over HTTP.

mod asked;
mod concurrent;
mod issued;
mod late;
mod month;
mod refused;
mod world;
