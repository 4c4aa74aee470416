//! Samples of hosts, from the broker to their rollups.

mod late;
mod routes;
mod truth;
mod world;
