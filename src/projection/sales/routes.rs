//! `/v1/sales-orders`

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use deadpool_postgres::Pool;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::read::{self, SalesOrder};
use crate::http::{
    CursorTime, FromParameters, Items, NoParameters, Paging, Parameters, Problem, Query, Segments,
};

/// Returns the routes under `/v1` that the projection of sales orders answers.
pub fn routes() -> OpenApiRouter<Pool> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show))
}

/// The orders to list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only orders of this tenant.
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
    let after = after.map(|(tenant, CursorTime(from))| (tenant, from));
    let client = pool.get().await?;
    let items =
        read::sales_orders(&**client, filter.tenant.as_deref(), after, paging.rows()).await?;
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
    let client = pool.get().await?;
    let text = read::order_text(&**client, id).await?.ok_or_else(unknown)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text))
}
