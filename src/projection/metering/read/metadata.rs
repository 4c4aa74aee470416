//! Metadata of samples, by id.

use std::collections::HashMap;
use std::pin::pin;

use futures_util::TryStreamExt;
use tokio_postgres::GenericClient;
use uuid::Uuid;

use super::Schema;
use crate::billing::Metadata;

/// Reads metadata from the live table, by its ids.
///
/// # Errors
///
/// When the database does not answer.
pub async fn metadata(
    client: &impl GenericClient,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Metadata>, tokio_postgres::Error> {
    metadata_by_id(client, Schema::Live, ids).await
}

/// Reads metadata by its ids. The texts are parsed as they arrive, and not kept.
pub(in crate::projection::metering) async fn metadata_by_id(
    client: &impl GenericClient,
    schema: Schema,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Metadata>, tokio_postgres::Error> {
    let mut metadata = HashMap::with_capacity(ids.len());
    if ids.is_empty() {
        return Ok(metadata);
    }
    let statement = format!(
        "-- metering::metadata
         SELECT metadata_id, body FROM {}metadata WHERE metadata_id = ANY($1)",
        schema.prefix()
    );
    let mut rows = pin!(client.query_raw(&statement, [&ids]).await?);
    while let Some(row) = rows.try_next().await? {
        metadata.insert(row.get(0), Metadata::read(row.get(1)));
    }
    Ok(metadata)
}
