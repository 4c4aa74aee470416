//! The rows of every table. Columns are described in `schema/timing.sql`.

use std::error::Error;

use bytes::BytesMut;
use jiff::Timestamp;
use rust_decimal::Decimal;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};
use uuid::Uuid;

use crate::event::nova::Format;
use crate::event::recipe::Outcome;
use crate::projection::engine::table::{Columns, TableRow, table, text_enum};

/// The state of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OperationStatus {
    /// Its start and its good end are known.
    Complete,
    /// It ended badly, whether its start is known or not.
    Failed,
    /// It has not ended, or its end was lost.
    Open,
    /// It ended well, and its start was lost.
    StartMissing,
}

/// The state of a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BuildStatus {
    Building,
    Bootstrapping,
    Complete,
    Failed,
}

text_enum!(OperationStatus: Complete = "complete", Failed = "failed", Open = "open", StartMissing = "start_missing");
text_enum!(BuildStatus: Building = "building", Bootstrapping = "bootstrapping", Complete = "complete", Failed = "failed");
text_enum!(Format: Legacy = "legacy", Versioned = "versioned");
text_enum!(Outcome: Success = "success", Failure = "failure");

/// The values that distinguish a row from all others of its table; parts that a table's key does not have
/// are empty.
pub(super) type Key<'a> = ([&'a str; 3], Timestamp, Uuid);

/// A row with a primary key.
pub(super) trait KeyedRow {
    /// Returns the row's primary key.
    fn key(&self) -> Key<'_>;
}

/// Rows of all tables except the hourly sums, which follow from how the others change.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rows {
    pub instances: Vec<Instance>,
    pub operations: Vec<Operation>,
    pub failed_calls: Vec<FailedCall>,
    pub recipes: Vec<Recipe>,
    pub calls: Vec<Call>,
    pub requests: Vec<Request>,
}

table! {
    /// An instance and its build.
    Instance in timing.instance;
    instance_id: String = TEXT,
    name: Option<String> = TEXT,
    project_id: Option<String> = TEXT,
    host: Option<String> = TEXT,
    flavor: Option<String> = TEXT,
    image: Option<String> = TEXT,
    state: Option<String> = TEXT,
    state_at: Option<Timestamp> = TIMESTAMPTZ,
    launched_at: Option<Timestamp> = TIMESTAMPTZ,
    deleted_at: Option<Timestamp> = TIMESTAMPTZ,
    evidence: Vec<i32> = INT4_ARRAY,
    evidence_at: Vec<Timestamp> = TIMESTAMPTZ_ARRAY,
    evidence_id: Vec<Uuid> = UUID_ARRAY,
    evidence_request: Vec<Option<Uuid>> = UUID_ARRAY,
    evidence_value: Vec<Option<String>> = TEXT_ARRAY,
    first_at: Timestamp = TIMESTAMPTZ,
    last_at: Timestamp = TIMESTAMPTZ,
    last_id: Uuid = UUID,
    last_kind: String = TEXT,
    reported_at: Option<Timestamp> = TIMESTAMPTZ,
    building_reported_at: Option<Timestamp> = TIMESTAMPTZ,
    running_reported_at: Option<Timestamp> = TIMESTAMPTZ,
    first_launched_at: Option<Timestamp> = TIMESTAMPTZ,
    relaunched_at: Option<Timestamp> = TIMESTAMPTZ,
    error_said_at: Option<Timestamp> = TIMESTAMPTZ,
    deletion_ended_at: Option<Timestamp> = TIMESTAMPTZ,
    deletion_said_at: Option<Timestamp> = TIMESTAMPTZ,
    announced_at: Option<Timestamp> = TIMESTAMPTZ,
    bootstrap_at: Option<Timestamp> = TIMESTAMPTZ,
    ended_at: Option<Timestamp> = TIMESTAMPTZ,
    ended_id: Option<Uuid> = UUID,
    ended_outcome: Option<Outcome> = TEXT,
    no_host_at: Vec<Option<Timestamp>> = TIMESTAMPTZ_ARRAY,
    no_host_id: Vec<Option<Uuid>> = UUID_ARRAY,
    no_host_error: Vec<Option<String>> = TEXT_ARRAY,
    ttm_first_at: Option<Timestamp> = TIMESTAMPTZ,
    ttm_first_id: Option<Uuid> = UUID,
    ttm_last_at: Option<Timestamp> = TIMESTAMPTZ,
    ttm_last_id: Option<Uuid> = UUID,
    ttm_start_at: Option<Timestamp> = TIMESTAMPTZ,
    ttm_start_id: Option<Uuid> = UUID,
    ttm_end_at: Option<Timestamp> = TIMESTAMPTZ,
    ttm_end_id: Option<Uuid> = UUID,
    ttm_start_time: Option<String> = TEXT,
    ttm_end_time: Option<String> = TEXT,
    build_status: Option<BuildStatus> = TEXT,
    build_started_at: Option<Timestamp> = TIMESTAMPTZ,
    bootstrap_started_at: Option<Timestamp> = TIMESTAMPTZ,
    build_ended_at: Option<Timestamp> = TIMESTAMPTZ,
    build_end_inferred: bool = BOOL,
    build_duration_us: Option<i64> = INT8,
    spawn_us: Option<i64> = INT8,
    attempts: i32 = INT4,
    build_error: Option<String> = TEXT,
    skewed: bool = BOOL,
}

table! {
    /// An operation: its start, its end, or both.
    Operation in timing.operation;
    instance_id: String = TEXT,
    operation: String = TEXT,
    at: Timestamp = TIMESTAMPTZ,
    operation_id: Uuid = UUID,
    request_id: Option<String> = TEXT,
    host: Option<String> = TEXT,
    flavor: Option<String> = TEXT,
    image: Option<String> = TEXT,
    project_id: Option<String> = TEXT,
    apart: Option<Vec<Option<String>>> = TEXT_ARRAY,
    started_at: Option<Timestamp> = TIMESTAMPTZ,
    start_id: Option<Uuid> = UUID,
    start_format: Option<Format> = TEXT,
    ended_at: Option<Timestamp> = TIMESTAMPTZ,
    end_id: Option<Uuid> = UUID,
    end_format: Option<Format> = TEXT,
    duration_us: Option<i64> = INT8,
    status: OperationStatus = TEXT,
    error: Option<String> = TEXT,
    skewed: bool = BOOL,
}

table! {
    /// A call of Nova's compute manager that failed: the end of the operations that it left open.
    FailedCall in timing.failed_call;
    instance_id: String = TEXT,
    at: Timestamp = TIMESTAMPTZ,
    event_id: Uuid = UUID,
    operations: Vec<String> = TEXT_ARRAY,
    request_id: String = TEXT,
    host: String = TEXT,
    error: Option<String> = TEXT,
}

table! {
    /// Sums of the operations of one hour.
    Hour in timing.operation_hour;
    operation: String = TEXT,
    dimension: String = TEXT,
    hour: Timestamp = TIMESTAMPTZ,
    value: String = TEXT,
    count: i64 = INT8,
    failed: i64 = INT8,
    open: i64 = INT8,
    sum_us: Decimal = NUMERIC,
    bins: Vec<i32> = INT4_ARRAY,
    bin_counts: Vec<i64> = INT8_ARRAY,
}

table! {
    /// One run of a recipe.
    Recipe in timing.recipe;
    instance_id: String = TEXT,
    at: Timestamp = TIMESTAMPTZ,
    recipe_id: Uuid = UUID,
    recipe: String = TEXT,
    run_id: Option<String> = TEXT,
    apart: Option<Vec<Option<String>>> = TEXT_ARRAY,
    started_at: Option<Timestamp> = TIMESTAMPTZ,
    start_id: Option<Uuid> = UUID,
    start_message: Option<String> = TEXT,
    ended_at: Option<Timestamp> = TIMESTAMPTZ,
    end_id: Option<Uuid> = UUID,
    end_message: Option<String> = TEXT,
    outcome: Option<Outcome> = TEXT,
    duration_us: Option<i64> = INT8,
    skewed: bool = BOOL,
    is_ttm: bool = BOOL,
}

table! {
    /// A call of TTM's recipe route.
    Call in timing.ttm_recipe_call;
    instance_id: String = TEXT,
    called_at: Timestamp = TIMESTAMPTZ,
    event_id: Uuid = UUID,
    recipe: Option<String> = TEXT,
    message: Option<String> = TEXT,
}

table! {
    /// The events that one request caused on one instance.
    Request in timing.request;
    request_id: String = TEXT,
    instance_id: String = TEXT,
    occurred_at: Vec<Timestamp> = TIMESTAMPTZ_ARRAY,
    event_id: Vec<Uuid> = UUID_ARRAY,
    kind: Vec<String> = TEXT_ARRAY,
    source: Vec<String> = TEXT_ARRAY,
}

impl KeyedRow for Instance {
    fn key(&self) -> Key<'_> {
        ([&self.instance_id, "", ""], Timestamp::UNIX_EPOCH, Uuid::nil())
    }
}

impl KeyedRow for Operation {
    fn key(&self) -> Key<'_> {
        ([&self.instance_id, &self.operation, ""], self.at, self.operation_id)
    }
}

impl KeyedRow for FailedCall {
    fn key(&self) -> Key<'_> {
        ([&self.instance_id, "", ""], self.at, self.event_id)
    }
}

impl KeyedRow for Hour {
    fn key(&self) -> Key<'_> {
        ([&self.operation, &self.dimension, &self.value], self.hour, Uuid::nil())
    }
}

impl KeyedRow for Recipe {
    fn key(&self) -> Key<'_> {
        ([&self.instance_id, &self.recipe, ""], self.at, self.recipe_id)
    }
}

impl KeyedRow for Call {
    fn key(&self) -> Key<'_> {
        ([&self.instance_id, "", ""], self.called_at, self.event_id)
    }
}

impl KeyedRow for Request {
    fn key(&self) -> Key<'_> {
        ([&self.request_id, &self.instance_id, ""], Timestamp::UNIX_EPOCH, Uuid::nil())
    }
}
