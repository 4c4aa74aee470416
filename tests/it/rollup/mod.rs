//! Samples of hosts from the broker to their rollups.

mod late;
mod truth;
mod world;
