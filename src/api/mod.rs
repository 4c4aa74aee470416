//! The HTTP server: every route, and the guards around them.
//!
//! Routes are grouped by the owner of their shapes: `v1` has our own; `ttm`, `lizmon`, `audrey` and `distil`
//! have the shapes of the programs that Stackledger replaces. A read model brings its own routes
//! ([`Projection::routes`](crate::projection::Projection::routes)).

mod audrey;
mod clock;
mod distil;
mod docs;
mod guard;
mod lizmon;
mod operate;
mod problem;
mod router;
mod server;
mod state;
mod ttm;
mod v1;

pub use guard::request_timeout;
pub use operate::Monitor;
pub use server::{serve, serve_health};
pub use state::State;
