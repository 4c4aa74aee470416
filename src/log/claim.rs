//! Claims: the time of a tenant that a sales order covers. The database refuses overlapping claims
//! (`log.sales_order`), and the row is inserted in the transaction that appends the order's event.

use jiff::Timestamp;
use tokio_postgres::{Client, GenericClient, Row};
use uuid::Uuid;

/// The time that a new order is to cover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Id of the order.
    pub order_id: Uuid,
    /// The tenant that is billed.
    pub tenant_id: String,
    /// Start of the time.
    pub from: Timestamp,
    /// End of the time, exclusive.
    pub to: Timestamp,
    /// Position of the tenant's latest order, which this one follows; `None` if it is the first.
    pub follows: Option<i64>,
}

/// The time that an issued order covers, with the position of its event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedClaim {
    /// Id of the order.
    pub order_id: Uuid,
    /// The tenant that is billed.
    pub tenant_id: String,
    /// Start of the time.
    pub from: Timestamp,
    /// End of the time, exclusive.
    pub to: Timestamp,
    /// Position of its event in the log.
    pub position: i64,
}

impl Claim {
    /// Inserts the row for the event at that position. Returns `false` if the time is taken or another order
    /// came in between. The caller holds the head's lock, so no other claim is inserted meanwhile.
    pub(super) async fn insert(
        &self,
        client: &Client,
        position: i64,
    ) -> Result<bool, tokio_postgres::Error> {
        let inserted = client
            .execute(
                "-- claim::insert
                 INSERT INTO log.sales_order (order_id, tenant_id, during, position)
                 SELECT $1, $2, tstzrange($3, $4), $5
                 WHERE $6::bigint IS NOT DISTINCT FROM
                       (SELECT max(position) FROM log.sales_order WHERE tenant_id = $2)
                 ON CONFLICT DO NOTHING",
                &[&self.order_id, &self.tenant_id, &self.from, &self.to, &position, &self.follows],
            )
            .await?;
        Ok(inserted == 1)
    }
}

const COLUMNS: &str =
    "order_id, tenant_id, lower(during) AS \"from\", upper(during) AS \"to\", position";

fn claim_of_row(row: &Row) -> RecordedClaim {
    RecordedClaim {
        order_id: row.get("order_id"),
        tenant_id: row.get("tenant_id"),
        from: row.get("from"),
        to: row.get("to"),
        position: row.get("position"),
    }
}

/// Loads all claims of a tenant, earliest time first.
///
/// # Errors
///
/// When the database is away.
pub async fn load_claims_of(
    client: &impl GenericClient,
    tenant_id: &str,
) -> Result<Vec<RecordedClaim>, tokio_postgres::Error> {
    let statement = format!(
        "-- claim::of_tenant
         SELECT {COLUMNS} FROM log.sales_order WHERE tenant_id = $1 ORDER BY lower(during)"
    );
    Ok(client.query(&statement, &[&tenant_id]).await?.iter().map(claim_of_row).collect())
}

/// Loads the claim of an order; `None` if there is no such order.
///
/// # Errors
///
/// When the database is away.
pub async fn load_claim(
    client: &impl GenericClient,
    order_id: Uuid,
) -> Result<Option<RecordedClaim>, tokio_postgres::Error> {
    let statement =
        format!("-- claim::of_order\nSELECT {COLUMNS} FROM log.sales_order WHERE order_id = $1");
    Ok(client.query_opt(&statement, &[&order_id]).await?.as_ref().map(claim_of_row))
}

/// Loads all claims, in the order of the log.
///
/// # Errors
///
/// When the database is away.
pub async fn load_claims(
    client: &impl GenericClient,
) -> Result<Vec<RecordedClaim>, tokio_postgres::Error> {
    let statement =
        format!("-- claim::all\nSELECT {COLUMNS} FROM log.sales_order ORDER BY position");
    Ok(client.query(&statement, &[]).await?.iter().map(claim_of_row).collect())
}
