//! Provenance: the samples that a line was computed from.

use jiff::Timestamp;
use tokio_postgres::Client;
use uuid::Uuid;

use super::{Error, issued};
use crate::billing::Span;
use crate::billing::window::reach_back;
use crate::log;

/// The samples that a line was computed from: those of the span, and the last one before it that is not
/// earlier than `reaches_back_to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The tenant.
    pub tenant_id: String,
    /// The samples' resource, before the mapping made another one of it.
    pub resource_id: String,
    /// The samples' meter.
    pub meter: String,
    /// The windows that the line's time has a part of.
    pub span: Span,
    /// The earliest time at which the last sample before the span still counts; `None`: at any distance.
    pub reaches_back_to: Option<Timestamp>,
    /// The position up to which the order counts samples.
    pub position: i64,
}

/// Finds out which samples line `line`, counted from 0, of an order was computed from. `None`: there is
/// no such order, or no such line.
///
/// # Errors
///
/// When the database does not answer, or the order cannot be read.
pub async fn find_source(
    client: &Client,
    order_id: Uuid,
    line: usize,
) -> Result<Option<Source>, Error> {
    let Some(claim) = log::load_claim(client, order_id).await? else { return Ok(None) };
    let issued = issued::of_claim(client, &claim).await?;
    let Some(line) = issued.order.lines.get(line) else { return Ok(None) };
    let mapping = issued.basis.mappings.get(line.mapping);
    let mapping = mapping.ok_or_else(|| {
        Error::broken("a line has a mapping that its order's basis does not contain")
    })?;
    let resource_id = mapping.sampled_resource(&line.resource_id);
    let resource_id = resource_id
        .ok_or_else(|| Error::broken("a line has a resource that its mapping does not make"))?;
    let span = Span { from: line.from, to: line.to }.whole_windows();
    Ok(Some(Source {
        tenant_id: issued.order.tenant_id.clone(),
        resource_id: resource_id.to_owned(),
        meter: line.meter.clone(),
        span,
        reaches_back_to: reach_back(mapping, span),
        position: issued.order.position,
    }))
}
