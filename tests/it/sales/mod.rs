//! Sales orders, from samples in the log to answers over HTTP.

mod concurrent;
mod issued;
mod late;
mod month;
mod refusals;
mod requests;
mod world;
