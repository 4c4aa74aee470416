//! The state of the server.

use std::sync::Arc;

use deadpool_postgres::Pool;

use crate::config::File;
use crate::db::Database;
use crate::health::Health;
use crate::ingest::intake::Intake;
use crate::sales::SalesOrders;
use crate::secret::Secret;

/// The services and settings that handlers share.
#[derive(Clone)]
pub struct State {
    /// Connections for queries, from [`Database::query_pool`]; statements qualify table names.
    pub pool: Pool,
    /// As `pool`, for the answers of read models: of a standby, if there is one.
    pub read_pool: Pool,
    /// Appends posted events to the log.
    pub intake: Intake,
    /// Faults of the services that this process needs.
    pub health: Arc<Health>,
    /// The database, for checking its schema and for connections outside the pool.
    pub database: Database,
    /// Issues orders and computes drafts.
    pub sales_orders: SalesOrders,
    /// Accepted bearer tokens; if empty, no request needs one.
    pub tokens: Arc<[Secret]>,
    /// The configuration file, e.g. for rates and reports.
    pub file: Arc<File>,
}
