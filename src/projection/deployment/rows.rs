//! The rows of every table, as `schema/deployment.sql` has them.

use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::{Json, ToSql, Type};
use uuid::Uuid;

use super::attempt::Attempt;
use super::fact::Fact;
use super::generation::Deployment;
use super::state::{State, Status};
use crate::event::deployment::DeploymentEvent;
use crate::projection::engine::table::{Columns, TableRow, table};

table! {
    /// A fact.
    FactRow in deployment.fact;
    event_id: Uuid = UUID,
    occurred_at: Timestamp = TIMESTAMPTZ,
    kind: String = TEXT,
    deployment_id: Option<String> = TEXT,
    instance_id: Option<String> = TEXT,
    said: Json<DeploymentEvent> = JSONB,
}

table! {
    /// The summary of a deployment.
    DeploymentRow in deployment.deployment;
    deployment_id: String = TEXT,
    generation: i32 = INT4,
    name: Option<String> = TEXT,
    project_id: Option<String> = TEXT,
    status: Option<Status> = TEXT,
    state: State = TEXT,
    declared_at: Option<Timestamp> = TIMESTAMPTZ,
    registered_at: Timestamp = TIMESTAMPTZ,
    completed_at: Option<Timestamp> = TIMESTAMPTZ,
    deleted_at: Option<Timestamp> = TIMESTAMPTZ,
    first_at: Timestamp = TIMESTAMPTZ,
    last_at: Timestamp = TIMESTAMPTZ,
    instances: i32 = INT4,
    missing: i32 = INT4,
    services: i32 = INT4,
}

table! {
    /// The summary of an instance.
    InstanceRow in deployment.instance;
    instance_id: String = TEXT,
    deployment_id: String = TEXT,
    attempt: i32 = INT4,
    assembly: Option<String> = TEXT,
    status: Option<Status> = TEXT,
    state: State = TEXT,
    registered_at: Timestamp = TIMESTAMPTZ,
    first_contacted_at: Option<Timestamp> = TIMESTAMPTZ,
    last_contacted_at: Option<Timestamp> = TIMESTAMPTZ,
    completed_at: Option<Timestamp> = TIMESTAMPTZ,
    last_at: Timestamp = TIMESTAMPTZ,
    services: i32 = INT4,
}

impl From<Fact> for FactRow {
    fn from(fact: Fact) -> Self {
        FactRow {
            event_id: fact.event_id,
            occurred_at: fact.occurred_at,
            kind: fact.kind,
            deployment_id: fact.deployment_id,
            instance_id: fact.instance_id,
            said: Json(fact.event),
        }
    }
}

impl DeploymentRow {
    pub fn of(deployment: Deployment) -> Self {
        let services = deployment.instances.iter().map(|attempt| attempt.services.len()).sum();
        DeploymentRow {
            generation: count(deployment.number),
            status: deployment.status(),
            state: deployment.state(),
            declared_at: deployment.declared_at,
            registered_at: deployment.registered_at(),
            completed_at: deployment.completed_at(),
            deleted_at: deployment.deleted_at,
            first_at: deployment.first_at,
            last_at: deployment.last_at,
            instances: count(deployment.instances.len()),
            missing: count(deployment.missing().count()),
            services: count(services),
            deployment_id: deployment.deployment_id,
            name: deployment.name,
            project_id: deployment.project_id,
        }
    }
}

impl InstanceRow {
    pub fn of(attempt: &Attempt, is_deleted: bool) -> Self {
        InstanceRow {
            instance_id: attempt.instance_id.clone(),
            deployment_id: attempt.deployment_id.clone(),
            attempt: count(attempt.number),
            assembly: attempt.assembly.clone(),
            status: attempt.status(),
            state: if is_deleted { State::Deleted } else { attempt.state() },
            registered_at: attempt.registered_at,
            first_contacted_at: attempt.contacted.map(|(first, _)| first),
            last_contacted_at: attempt.contacted.map(|(_, last)| last),
            completed_at: attempt.completed_at(),
            last_at: attempt.last_at,
            services: count(attempt.services.len()),
        }
    }
}

/// Returns a number of things in memory, which are always fewer than an `integer` holds.
fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
