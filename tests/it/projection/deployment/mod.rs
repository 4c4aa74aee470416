//! Deployments, from their events to their reports.

mod answers;
mod events;
mod heat;
mod scale;
mod scenario;
mod schema;
