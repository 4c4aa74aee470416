//! Checkpoints: the position of a projection, and the lease of the process that may move it. The lease
//! decides which process is active. The fence enforces it: a step with an older fence than the row's is
//! refused, however late it arrives.

use tokio_postgres::{Client, GenericClient};

use super::slot::Slot;
use super::{LeaseLost, Projection, set_aside};
use crate::db::READER_ROLE;

/// The length of a lease. After a crash a standby waits as long.
pub const LEASE_SECONDS: f64 = 5.0;

/// The right to move a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The last position whose event is applied.
    pub position: i64,
    /// The number that each step must present.
    pub fence: i64,
}

/// The version and configuration that rows are made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowsVersion {
    /// The projection's version.
    pub version: i32,
    /// The part of the configuration that the rows depend on.
    pub config: String,
}

/// Reads the version of a slot's rows; `None` if the slot is empty.
pub(super) async fn rows_version(
    client: &impl GenericClient,
    projection: &Projection,
    slot: Slot,
) -> Result<Option<RowsVersion>, tokio_postgres::Error> {
    let row = client
        .query_opt(
            "-- checkpoint::rows_version
             SELECT version, config FROM projection.checkpoint WHERE name = $1 AND slot = $2",
            &[&projection.name, &slot.as_str()],
        )
        .await?;
    Ok(row.map(|row| RowsVersion { version: row.get(0), config: row.get(1) }))
}

/// Reads the last position applied to a slot's tables; `None` if the slot is empty.
///
/// # Errors
///
/// When the database does not answer.
pub async fn position(
    client: &impl GenericClient,
    projection: &Projection,
    slot: Slot,
) -> Result<Option<i64>, tokio_postgres::Error> {
    let row = client
        .query_opt(
            "-- checkpoint::position
             SELECT position FROM projection.checkpoint WHERE name = $1 AND slot = $2",
            &[&projection.name, &slot.as_str()],
        )
        .await?;
    Ok(row.map(|row| row.get(0)))
}

/// Creates empty tables and a checkpoint at 0, unless the slot has them.
pub(super) async fn create(
    client: &mut Client,
    projection: &Projection,
    slot: Slot,
    rows_version: &RowsVersion,
) -> Result<(), tokio_postgres::Error> {
    let schema = slot.schema(projection);
    let transaction = client.transaction().await?;
    // Of two processes that start at once, one creates the tables and the other finds them.
    transaction.execute("SELECT pg_advisory_xact_lock(hashtext('projection.create'))", &[]).await?;
    let is_new = transaction
        .execute(
            "-- checkpoint::create
             INSERT INTO projection.checkpoint (name, slot, version, config) VALUES ($1, $2, $3, $4)
             ON CONFLICT DO NOTHING",
            &[&projection.name, &slot.as_str(), &rows_version.version, &rows_version.config],
        )
        .await?;
    if is_new > 0 {
        // Tables without a checkpoint are the remains of a crash, and so are their events that were set aside.
        set_aside::forget(&transaction, projection, slot).await?;
        transaction
            .batch_execute(&format!(
                "DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema};
                 SET LOCAL search_path = {schema}; {}; {}",
                projection.ddl,
                if slot == Slot::Live { projection.indexes } else { "" }
            ))
            .await?;
        // Granted here, because a swap renames the schema and the grants move along.
        transaction
            .batch_execute(&format!(
                "DO $$ BEGIN
                    IF EXISTS (SELECT FROM pg_roles WHERE rolname = '{READER_ROLE}') THEN
                        GRANT USAGE ON SCHEMA {schema} TO {READER_ROLE};
                        GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {READER_ROLE};
                    END IF;
                 END $$"
            ))
            .await?;
    }
    transaction.commit().await
}

/// Drops a slot's tables and checkpoint.
pub(super) async fn remove(
    client: &mut Client,
    projection: &Projection,
    slot: Slot,
) -> Result<(), tokio_postgres::Error> {
    let transaction = client.transaction().await?;
    transaction
        .execute(
            "DELETE FROM projection.checkpoint WHERE name = $1 AND slot = $2",
            &[&projection.name, &slot.as_str()],
        )
        .await?;
    set_aside::forget(&transaction, projection, slot).await?;
    transaction
        .batch_execute(&format!("DROP SCHEMA IF EXISTS {} CASCADE", slot.schema(projection)))
        .await?;
    transaction.commit().await
}

/// Takes the lease if it is free or already ours. `None` while another process has it, or is in the middle
/// of a step, even if its lease has run out.
pub(super) async fn acquire(
    client: &Client,
    projection: &Projection,
    slot: Slot,
    holder: &str,
) -> Result<Option<Lease>, tokio_postgres::Error> {
    // The server's clock decides, because the processes may run on several machines.
    let row = client
        .query_opt(
            "-- checkpoint::acquire
             WITH unlocked AS (
                 SELECT FROM projection.checkpoint WHERE name = $1 AND slot = $2
                 FOR UPDATE SKIP LOCKED
             )
             UPDATE projection.checkpoint
             SET fence = fence + 1, holder = $3, lease_until = clock_timestamp() + make_interval(secs => $4)
             WHERE name = $1 AND slot = $2 AND (lease_until < clock_timestamp() OR holder = $3)
               AND EXISTS (SELECT FROM unlocked)
             RETURNING position, fence",
            &[&projection.name, &slot.as_str(), &holder, &LEASE_SECONDS],
        )
        .await?;
    Ok(row.map(|row| Lease { position: row.get(0), fence: row.get(1) }))
}

/// Extends the lease while there is nothing to apply, or after long work within its transaction.
pub(super) async fn extend(
    client: &impl GenericClient,
    projection: &Projection,
    slot: Slot,
    held: &Lease,
) -> anyhow::Result<()> {
    let kept = client
        .execute(
            "-- checkpoint::extend
             UPDATE projection.checkpoint SET lease_until = clock_timestamp() + make_interval(secs => $4)
             WHERE name = $1 AND slot = $2 AND fence = $3",
            &[&projection.name, &slot.as_str(), &held.fence, &LEASE_SECONDS],
        )
        .await?;
    if kept == 0 { Err(LeaseLost.into()) } else { Ok(()) }
}

/// Begins a step: no process takes the lease over until the step has committed, however long it takes. Returns the
/// position of the next event that the slot's tables go without, if there is one.
pub(super) async fn lock(
    transaction: &impl GenericClient,
    projection: &Projection,
    slot: Slot,
    held: &Lease,
) -> anyhow::Result<Option<i64>> {
    let row = transaction
        .query_opt(
            "-- checkpoint::lock
             SELECT (SELECT min(s.position) FROM projection.set_aside AS s
                     WHERE s.name = c.name AND s.slot = c.slot AND s.position > c.position)
             FROM projection.checkpoint AS c
             WHERE name = $1 AND slot = $2 AND fence = $3 FOR UPDATE",
            &[&projection.name, &slot.as_str(), &held.fence],
        )
        .await?;
    row.map(|row| row.get(0)).ok_or_else(|| LeaseLost.into())
}

/// Moves the checkpoint, within the transaction that writes the rows.
pub(super) async fn advance(
    transaction: &impl GenericClient,
    projection: &Projection,
    slot: Slot,
    held: &Lease,
    to: i64,
    unused: u64,
) -> anyhow::Result<()> {
    let moved = transaction
        .execute(
            "-- checkpoint::advance
             UPDATE projection.checkpoint
             SET position = $5, skipped = skipped + $6, error = NULL, error_at = NULL, moved_at = now(),
                 lease_until = clock_timestamp() + make_interval(secs => $7)
             WHERE name = $1 AND slot = $2 AND fence = $3 AND position = $4",
            &[
                &projection.name,
                &slot.as_str(),
                &held.fence,
                &held.position,
                &to,
                &(unused as i64),
                &LEASE_SECONDS,
            ],
        )
        .await?;
    if moved == 1 { Ok(()) } else { Err(LeaseLost.into()) }
}

/// Keeps replays from swapping the projection's live tables until [`unlock_tables`] or the end of the
/// connection.
///
/// # Errors
///
/// When the database does not answer.
pub async fn lock_tables_shared(
    client: &Client,
    projection: &str,
) -> Result<(), tokio_postgres::Error> {
    let lock = "SELECT pg_advisory_lock_shared(hashtext('projection.swap ' || $1::text))";
    client.execute(lock, &[&projection]).await?;
    Ok(())
}

/// Releases one [`lock_tables_shared`].
///
/// # Errors
///
/// When the database does not answer; the lock is then released with the connection.
pub async fn unlock_tables(client: &Client, projection: &str) -> Result<(), tokio_postgres::Error> {
    let unlock = "SELECT pg_advisory_unlock_shared(hashtext('projection.swap ' || $1::text))";
    client.execute(unlock, &[&projection]).await?;
    Ok(())
}

/// Waits until no reader locks the tables, then keeps new ones out until the transaction of the swap ends.
pub(super) async fn allow_swap(
    transaction: &impl GenericClient,
    projection: &Projection,
) -> Result<(), tokio_postgres::Error> {
    let lock = "SELECT pg_advisory_xact_lock(hashtext('projection.swap ' || $1::text))";
    transaction.execute(lock, &[&projection.name]).await?;
    Ok(())
}

/// Takes the exclusive counterpart of [`lock_tables_shared`] until the transaction ends. Returns `false` while
/// a reader locks the projection's tables, or a replay swaps them.
///
/// # Errors
///
/// When the database does not answer.
pub async fn try_lock_tables_exclusive(
    transaction: &impl GenericClient,
    projection: &str,
) -> Result<bool, tokio_postgres::Error> {
    let lock = "SELECT pg_try_advisory_xact_lock(hashtext('projection.swap ' || $1::text))";
    Ok(transaction.query_one(lock, &[&projection]).await?.get(0))
}

/// Gives the lease back, so that a standby takes over at once.
pub(super) async fn release(
    client: &Client,
    projection: &Projection,
    slot: Slot,
    held: &Lease,
) -> Result<(), tokio_postgres::Error> {
    client
        .execute(
            "-- checkpoint::release
             UPDATE projection.checkpoint SET lease_until = 'epoch', holder = NULL
             WHERE name = $1 AND slot = $2 AND fence = $3",
            &[&projection.name, &slot.as_str(), &held.fence],
        )
        .await?;
    Ok(())
}

/// Stores the error that stops the projection, for `status`, `/readyz` and waiting requests.
pub(super) async fn note_error(
    client: &Client,
    projection: &Projection,
    slot: Slot,
    held: &Lease,
    error: &str,
) -> Result<(), tokio_postgres::Error> {
    client
        .execute(
            "-- checkpoint::note_error
             UPDATE projection.checkpoint SET error = $4, error_at = position
             WHERE name = $1 AND slot = $2 AND fence = $3",
            &[&projection.name, &slot.as_str(), &held.fence, &error],
        )
        .await?;
    Ok(())
}
