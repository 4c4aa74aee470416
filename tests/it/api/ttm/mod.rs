//! TTM's routes.

mod projected;
mod readme;
mod routes;
