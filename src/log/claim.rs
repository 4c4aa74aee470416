//! Claims: which time of which tenant a sales order covers. The database lets no two of them overlap
//! (`log.sales_order`), and the row is appended with the order's event or not at all.

use jiff::Timestamp;
use tokio_postgres::{Client, GenericClient, Row};
use uuid::Uuid;

/// What an order is to cover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The order's.
    pub order_id: Uuid,
    /// Whose time it is.
    pub tenant_id: String,
    /// Since when.
    pub from: Timestamp,
    /// Until when, not included.
    pub to: Timestamp,
    /// Position of the tenant's order that this one follows; `None`: it is to be the first.
    pub follows: Option<i64>,
}

/// What an issued order covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The order's.
    pub order_id: Uuid,
    /// Whose time it is.
    pub tenant_id: String,
    /// Since when.
    pub from: Timestamp,
    /// Until when, not included.
    pub to: Timestamp,
    /// Where its event stands in the log.
    pub position: i64,
}

impl Claim {
    /// Adds the row for the event at that position; whether it could be. The head's lock is held, so
    /// nobody else adds one meanwhile.
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

fn claimed(row: &Row) -> Claimed {
    Claimed {
        order_id: row.get("order_id"),
        tenant_id: row.get("tenant_id"),
        from: row.get("from"),
        to: row.get("to"),
        position: row.get("position"),
    }
}

/// All claims of a tenant, earliest time first.
///
/// # Errors
///
/// When the database is away.
pub async fn claims_of(
    client: &impl GenericClient,
    tenant_id: &str,
) -> Result<Vec<Claimed>, tokio_postgres::Error> {
    let statement = format!(
        "-- claim::of_tenant
         SELECT {COLUMNS} FROM log.sales_order WHERE tenant_id = $1 ORDER BY lower(during)"
    );
    Ok(client.query(&statement, &[&tenant_id]).await?.iter().map(claimed).collect())
}

/// The claim of an order.
///
/// # Errors
///
/// When the database is away.
pub async fn claim_of(
    client: &impl GenericClient,
    order_id: Uuid,
) -> Result<Option<Claimed>, tokio_postgres::Error> {
    let statement =
        format!("-- claim::of_order\nSELECT {COLUMNS} FROM log.sales_order WHERE order_id = $1");
    Ok(client.query_opt(&statement, &[&order_id]).await?.as_ref().map(claimed))
}

/// All claims, in the order of the log.
///
/// # Errors
///
/// When the database is away.
pub async fn claims(client: &impl GenericClient) -> Result<Vec<Claimed>, tokio_postgres::Error> {
    let statement =
        format!("-- claim::all\nSELECT {COLUMNS} FROM log.sales_order ORDER BY position");
    Ok(client.query(&statement, &[]).await?.iter().map(claimed).collect())
}
