//! Running, replaying and handing over projections.

mod candidate;
mod replay;
mod runner;
mod set_aside;
mod skip;
mod unused;
