//! `/v1/sales-orders`

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use deadpool_postgres::Pool;
use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::Row;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::http::{
    CursorTime, FromParameters, Items, NoParameters, Paging, Parameters, Problem, Query, Segments,
};

/// The routes under `/v1` that the projection of sales orders answers.
pub fn routes() -> OpenApiRouter<Pool> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show))
}

/// An issued order, without its lines.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct SalesOrder {
    order_id: Uuid,
    tenant_id: String,
    /// What it is for.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// Where that ends, not included.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    /// What is to be paid, a decimal number; negative: a credit.
    total: String,
    /// ISO 4217.
    currency: String,
    /// How many lines it has.
    lines: i32,
    /// How many services it left out because they have no rate.
    unrated: i32,
    /// How many corrections of earlier orders it holds.
    adjustments: i32,
    /// Place in the log up to which it knew samples.
    position: i64,
    /// When it was issued.
    #[schema(value_type = String, format = DateTime)]
    issued_at: Timestamp,
}

impl From<&Row> for SalesOrder {
    fn from(row: &Row) -> Self {
        SalesOrder {
            order_id: row.get("order_id"),
            tenant_id: row.get("tenant_id"),
            from: row.get("from"),
            to: row.get("to"),
            total: row.get("total"),
            currency: row.get("currency"),
            lines: row.get("lines"),
            unrated: row.get("unrated"),
            adjustments: row.get("adjustments"),
            position: row.get("as_of"),
            issued_at: row.get("issued_at"),
        }
    }
}

/// Which orders are listed.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Of one tenant.
    #[param(required = false)]
    tenant: Option<String>,
}

impl FromParameters for Filter {
    fn from_parameters(parameters: &mut Parameters) -> Result<Self, Problem> {
        Ok(Filter { tenant: parameters.text("tenant")? })
    }
}

/// Issued sales orders, by tenant and time
#[utoipa::path(get, path = "/v1/sales-orders", tag = "Money", operation_id = "sales_orders",
    params(Filter, Paging), responses((status = 200, body = Items<SalesOrder>)))]
async fn list(
    State(pool): State<Pool>,
    Query((filter, paging)): Query<(Filter, Paging)>,
) -> Result<Json<Items<SalesOrder>>, Problem> {
    let after: Option<(String, CursorTime)> = paging.after()?;
    let (after_tenant, after_from) = after.map(|(tenant, CursorTime(from))| (tenant, from)).unzip();
    let rows = pool
        .get()
        .await?
        .query(
            "-- sales::list
             SELECT order_id, tenant_id, \"from\", \"to\", total::text, currency, lines, unrated,
                    adjustments, as_of, issued_at
             FROM sales.sales_order
             WHERE ($1::text IS NULL OR tenant_id = $1)
               AND ($2::text IS NULL OR (tenant_id, \"from\") > ($2, $3::timestamptz))
             ORDER BY tenant_id, \"from\" LIMIT $4",
            &[&filter.tenant, &after_tenant, &after_from, &paging.rows()],
        )
        .await?;
    let items = rows.iter().map(SalesOrder::from).collect();
    Ok(Json(
        paging.page(items, |order: &SalesOrder| (order.tenant_id.clone(), CursorTime(order.from))),
    ))
}

/// One sales order as it was issued
#[utoipa::path(get, path = "/v1/sales-orders/{id}", tag = "Money", operation_id = "sales_order",
    params(("id" = Uuid, Path, description = "The order's id")),
    responses((status = 200, description = "The order, byte by byte as it was issued", body = Object)))]
async fn show(
    State(pool): State<Pool>,
    segments: Segments<1>,
    _: Query<NoParameters>,
) -> Result<impl IntoResponse, Problem> {
    let Segments([id]) = segments;
    let unknown = || Problem::not_found("there is no such sales order");
    let id = Uuid::try_parse(&id).map_err(|_| unknown())?;
    let statement = "-- sales::show\nSELECT body FROM sales.sales_order WHERE order_id = $1";
    let row = pool.get().await?.query_opt(statement, &[&id]).await?.ok_or_else(unknown)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], row.get::<_, String>(0)))
}
