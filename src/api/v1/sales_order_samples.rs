//! `/v1/sales-orders/{id}/lines/{n}/samples`

use axum::Json;
use axum::extract;
use jiff::Timestamp;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::api::State;
use crate::http::{Cursor, CursorTime, Items, Paging, Problem, Query, Segments};
use crate::projection::metering::routes::Sample;
use crate::sales::{Source, source_of};

/// The samples of one series as of a position: `$1` to `$3` say which, `$4` is the position.
fn as_of(columns: &str) -> String {
    let of = |table: &str, condition: &str| {
        format!(
            "SELECT {columns} FROM metering.{table}
             WHERE project_id = $1 AND resource_id = $2 AND counter_name = $3 AND trusted
               AND position <= $4 {condition}"
        )
    };
    format!("{} UNION ALL {}", of("sample", ""), of("superseded", "AND superseded_at > $4"))
}

/// What a line of a sales order was computed from
///
/// Lines are counted from 0. The samples are those of the line's resource and meter in its time, and
/// the last one before, if that can count; as they were known to the order.
#[utoipa::path(get, path = "/v1/sales-orders/{id}/lines/{n}/samples", tag = "Money",
    operation_id = "samples_of_sales_order",
    params(("id" = Uuid, Path, description = "The order's id"),
        ("n" = i64, Path, description = "The line's index, from 0"), Paging),
    responses((status = 200, body = Items<Sample>)))]
pub(super) async fn list(
    extract::State(state): extract::State<State>,
    segments: Segments<2>,
    Query(paging): Query<Paging>,
) -> Result<Json<Items<Sample>>, Problem> {
    let Segments([id, line]) = segments;
    let after: Option<CursorTime> = paging.after()?;
    let after = after.map(|CursorTime(at)| at);
    let unknown = || Problem::not_found("there is no such line of a sales order");
    let id = Uuid::try_parse(&id).map_err(|_| unknown())?;
    let line: usize = line.parse().map_err(|_| unknown())?;
    let client = state.pool.get().await?;
    let source = source_of(&client, id, line).await?.ok_or_else(unknown)?;
    let first = match after {
        Some(after) => after,
        None => first(&client, &source).await?,
    };
    let statement = format!(
        "-- sales::samples
         SELECT p.\"timestamp\", p.project_id, p.resource_id, p.counter_name, p.counter_type,
                p.counter_unit, p.counter_volume::text AS counter_volume, p.user_id, p.source,
                p.message_id, p.event_id, d.body
         FROM ({}) AS p LEFT JOIN metering.metadata AS d USING (metadata_id)
         WHERE p.\"timestamp\" >= $5 AND p.\"timestamp\" < $6 AND (NOT $7 OR p.\"timestamp\" > $5)
         ORDER BY p.\"timestamp\" LIMIT $8",
        as_of(
            "\"timestamp\", project_id, resource_id, counter_name, counter_type, counter_unit,
             counter_volume, user_id, source, message_id, event_id, metadata_id"
        )
    );
    let rows = client
        .query(
            &statement,
            &[
                &source.tenant_id,
                &source.resource_id,
                &source.meter,
                &source.position,
                &first,
                &source.span.to,
                &after.is_some(),
                &paging.rows(),
            ],
        )
        .await?;
    let limit = usize::try_from(paging.limit).unwrap_or(usize::MAX);
    let is_more = rows.len() > limit;
    let shown = &rows[..rows.len().min(limit)];
    let last: Option<Timestamp> = shown.last().map(|row| row.get("timestamp"));
    let next = last.filter(|_| is_more).map(|at| Cursor::new(&CursorTime(at)).to_string());
    Ok(Json(Items { items: shown.iter().map(Sample::from).collect(), next }))
}

/// The time of the last sample before the line's time, if it can count; else that time's start.
async fn first(client: &Client, source: &Source) -> Result<Timestamp, Problem> {
    let statement = format!(
        "-- sales::first_sample
         SELECT max(\"timestamp\") FROM ({}) AS s WHERE \"timestamp\" >= $5 AND \"timestamp\" < $6",
        as_of("\"timestamp\"")
    );
    let reaches_back_to = source.reaches_back_to.unwrap_or(Timestamp::UNIX_EPOCH);
    let row = client
        .query_one(
            &statement,
            &[
                &source.tenant_id,
                &source.resource_id,
                &source.meter,
                &source.position,
                &reaches_back_to,
                &source.span.from,
            ],
        )
        .await?;
    Ok(row.get::<_, Option<Timestamp>>(0).unwrap_or(source.span.from))
}
