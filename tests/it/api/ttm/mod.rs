//! TTM's routes.

mod answers;
mod calls;
mod projected;
mod readme;
mod rows;
