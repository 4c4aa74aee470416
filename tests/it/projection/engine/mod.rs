//! Running, replaying and handing over projections.

mod replay;
mod runner;
mod set_aside;
