//! Deployments, from their events to their reports.

mod answers;
mod heat;
mod scale;
mod scenario;
mod schema;
mod told;
