//! Samples of hosts, from the broker to their rollups.

mod fleet;
mod late;
mod routes;
mod truth;
