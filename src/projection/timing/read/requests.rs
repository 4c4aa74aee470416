//! Effects of API requests.

use jiff::Timestamp;
use tokio_postgres::{Error, GenericClient, Row};
use uuid::Uuid;

/// An event that a request caused.
pub struct EffectRow {
    pub occurred_at: Timestamp,
    pub instance_id: String,
    pub kind: String,
    pub source: String,
    pub event_id: Uuid,
}

impl From<&Row> for EffectRow {
    fn from(row: &Row) -> Self {
        EffectRow {
            occurred_at: row.get("occurred_at"),
            instance_id: row.get("instance_id"),
            kind: row.get("kind"),
            source: row.get("source"),
            event_id: row.get("event_id"),
        }
    }
}

/// Lists the effects of a request in time order, the ones after `after`: time and id of the last effect of
/// the page before.
pub async fn list_effects(
    client: &impl GenericClient,
    request_id: &str,
    after: Option<(Timestamp, Uuid)>,
    limit: i64,
) -> Result<Vec<EffectRow>, Error> {
    let (after_at, after_id) = after.unzip();
    let rows = client
        .query(
            "-- timing::request
             SELECT e.occurred_at, r.instance_id, e.kind, e.source, e.event_id
             FROM timing.request r,
                  unnest(r.occurred_at, r.event_id, r.kind, r.source) AS e (occurred_at, event_id, kind, source)
             WHERE r.request_id = $1
               AND ($2::timestamptz IS NULL OR (e.occurred_at, e.event_id) > ($2, $3::uuid))
             ORDER BY e.occurred_at, e.event_id LIMIT $4",
            &[&request_id, &after_at, &after_id, &limit],
        )
        .await?;
    Ok(rows.iter().map(EffectRow::from).collect())
}
