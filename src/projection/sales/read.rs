//! Queries on `sales.sales_order`. No statement elsewhere in the program names the table; only the
//! projection itself writes to it.

use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::{GenericClient, Row};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::billing::Span;

/// An issued order, without its lines.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct SalesOrder {
    /// The order's id.
    pub order_id: Uuid,
    /// The tenant that pays it.
    pub tenant_id: String,
    /// The tenant's name when the order was issued; null if none had been reported.
    pub name: Option<String>,
    /// The start of the time that it bills.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// The end of that time, not included.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// The amount to be paid, a decimal number; negative for a credit.
    pub total: String,
    /// The currency's code of ISO 4217.
    pub currency: String,
    /// The number of its lines.
    pub lines: i32,
    /// The number of services left out because they have no rate.
    pub unrated: i32,
    /// The number of corrections of earlier orders it contains.
    pub adjustments: i32,
    /// The position in the log up to which it counts samples.
    pub position: i64,
    /// When it was issued.
    #[schema(value_type = String, format = DateTime)]
    pub issued_at: Timestamp,
}

/// Reads a page of the issued orders that come after a tenant and start, by tenant and time; of one
/// tenant if it is given.
pub(super) async fn sales_orders(
    client: &impl GenericClient,
    tenant_id: Option<&str>,
    after: Option<(String, Timestamp)>,
    limit: i64,
) -> Result<Vec<SalesOrder>, tokio_postgres::Error> {
    let (after_tenant, after_from) = after.unzip();
    let statement = "-- sales::list
        SELECT order_id, tenant_id, \"from\", \"to\", total::text, currency, lines, unrated,
               adjustments, as_of, issued_at, name
        FROM sales.sales_order
        WHERE ($1::text IS NULL OR tenant_id = $1)
          AND ($2::text IS NULL OR (tenant_id, \"from\") > ($2, $3::timestamptz))
        ORDER BY tenant_id, \"from\" LIMIT $4";
    let rows = client.query(statement, &[&tenant_id, &after_tenant, &after_from, &limit]).await?;
    let order = |row: &Row| SalesOrder {
        order_id: row.get(0),
        tenant_id: row.get(1),
        from: row.get(2),
        to: row.get(3),
        total: row.get(4),
        currency: row.get(5),
        lines: row.get(6),
        unrated: row.get(7),
        adjustments: row.get(8),
        position: row.get(9),
        issued_at: row.get(10),
        name: row.get(11),
    };
    Ok(rows.iter().map(order).collect())
}

/// Reads the bytes of an order, as it was issued.
pub(super) async fn order_text(
    client: &impl GenericClient,
    order_id: Uuid,
) -> Result<Option<String>, tokio_postgres::Error> {
    let statement = "-- sales::show\nSELECT body FROM sales.sales_order WHERE order_id = $1";
    Ok(client.query_opt(statement, &[&order_id]).await?.map(|row| row.get(0)))
}

/// Reads the bytes of the tenant's order that covers a time.
///
/// # Errors
///
/// When the database does not answer.
pub async fn order_text_at(
    client: &impl GenericClient,
    tenant_id: &str,
    at: Timestamp,
) -> Result<Option<String>, tokio_postgres::Error> {
    let statement = "-- sales::order_at
        SELECT body FROM sales.sales_order
        WHERE tenant_id = $1 AND \"from\" <= $2 AND \"to\" > $2";
    Ok(client.query_opt(statement, &[&tenant_id, &at]).await?.map(|row| row.get(0)))
}

/// Returns the size of a tenant's orders that cover some time of a span, in bytes.
///
/// # Errors
///
/// When the database does not answer.
pub async fn size_of_orders_in(
    client: &impl GenericClient,
    tenant_id: &str,
    span: Span,
) -> Result<i64, tokio_postgres::Error> {
    let statement = format!(
        "-- sales::size_of_range\nSELECT coalesce(sum(octet_length(body)), 0)::bigint {IN_SPAN}"
    );
    Ok(client.query_one(&statement, &[&tenant_id, &span.from, &span.to]).await?.get(0))
}

/// Reads the bytes of a tenant's orders that cover some time of a span, in order of time.
///
/// # Errors
///
/// When the database does not answer.
pub async fn order_texts_in(
    client: &impl GenericClient,
    tenant_id: &str,
    span: Span,
) -> Result<Vec<String>, tokio_postgres::Error> {
    let statement = format!("-- sales::range\nSELECT body {IN_SPAN} ORDER BY \"from\"");
    let rows = client.query(&statement, &[&tenant_id, &span.from, &span.to]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// The orders of the tenant `$1` that cover some time from `$2` to `$3`.
const IN_SPAN: &str =
    "FROM sales.sales_order WHERE tenant_id = $1 AND \"from\" < $3 AND \"to\" > $2";
