//! `/get_usage`: what a tenant used in a span of time.

mod filter;
mod shape;

use std::collections::BTreeSet;
use std::time::Duration;

use axum::Json;
use axum::extract;
use jiff::Timestamp;
use tokio_postgres::Transaction;

use self::filter::Filter;
use self::shape::Answer;
use crate::api::State;
use crate::billing::order::CALCULATION;
use crate::billing::{Basis, Bill, Rates, Span};
use crate::http::{Problem, Query};
use crate::projection::metering::{Reader, read};
use crate::sales::{Error, add_divided_windows};

/// How long a statement may take: less than a request.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(20);

/// The usage of a tenant in a span
///
/// The usage of whole hours is summed; of an hour that the span contains a part of, the part has its share
/// of the hour's usage.
#[utoipa::path(get, path = "/get_usage", tag = "Usage", operation_id = "get_usage", params(Filter),
    responses((status = 200, body = Answer)))]
pub(super) async fn get_usage(
    extract::State(state): extract::State<State>,
    Query(filter): Query<Filter>,
) -> Result<Json<Answer>, Problem> {
    let settings = &state.file.billing;
    let (tenant_id, span) = filter.read(settings)?;
    let mut reader = Reader::open(&state.database, STATEMENT_TIMEOUT).await?;
    let snapshot = reader.snapshot(&state.file).await?;
    let tx = &snapshot.tx;
    if !read::is_known_tenant(tx, &tenant_id).await? {
        return Err(Problem::not_found(Error::UnknownTenant(tenant_id).to_string()));
    }
    // Without rates: the answer contains the usage of all services, priced or not.
    let basis = Basis {
        calculation: CALCULATION,
        rounding: settings.terms.rounding.clone(),
        mappings: settings.mappings.clone(),
        rates: Rates::default(),
    };
    let position = snapshot.live.position;
    let volume_types = read::volume_type_names(tx, position).await?;
    let mut bill = Bill::new(&basis, span).with_volume_types(&volume_types);
    let (whole, divided) = divide(span);
    if let Some(whole) = whole {
        add_whole_windows(tx, &tenant_id, whole, &mut bill).await?;
    }
    let divided = divided.iter().map(|window| window.from).collect();
    add_divided_windows(tx, &tenant_id, position, &basis, &divided, &mut bill).await?;
    let name = read::project_name(tx, &tenant_id, position).await?;
    Ok(Json(Answer::new((tenant_id, name), span, position, &bill)))
}

/// Divides a span into its whole windows, and the windows at its ends that it contains a part of.
fn divide(span: Span) -> (Option<Span>, BTreeSet<Span>) {
    let whole = span.whole_windows();
    let last = Timestamp::from_microsecond(whole.to.as_microsecond() - 1).unwrap_or(whole.to);
    let (at_start, at_end) = (Span::hour_of(whole.from), Span::hour_of(last));
    let divided = [at_start, at_end];
    let divided = divided.into_iter().filter(|window| window.clip(span) != Some(*window)).collect();
    let from = if at_start.from == span.from { span.from } else { at_start.to };
    let to = if at_end.to == span.to { span.to } else { at_end.from };
    (Span::new(from, to), divided)
}

/// Adds the usage of whole windows to the bill, and the descriptions of the resources used in them.
async fn add_whole_windows(
    tx: &Transaction<'_>,
    tenant_id: &str,
    span: Span,
    bill: &mut Bill<'_>,
) -> Result<(), Problem> {
    read::sums_by_service(tx, tenant_id, span, |sum| {
        let read::UsageSum { mapping, resource_id, usage, span, windows, .. } = sum;
        bill.add_windows(mapping, resource_id, span, windows, &[usage])
            .map_err(|_| read::ReadError::Defect("a window"))
    })
    .await?;
    read::descriptions(tx, tenant_id, span, |description| {
        let read::Description { mapping, resource_id, last, fields } = description;
        bill.describe(mapping, resource_id, last, &fields);
    })
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: &str, to: &str) -> Span {
        let at = |time: &str| format!("2026-11-20T{time}Z").parse().unwrap();
        Span::new(at(from), at(to)).unwrap()
    }

    #[test]
    fn a_span_is_whole_windows_and_divided_ones_at_its_edges() {
        for (of, whole, divided) in [
            (span("10:00:00", "12:00:00"), Some(span("10:00:00", "12:00:00")), vec![]),
            (
                span("09:30:00", "12:15:00"),
                Some(span("10:00:00", "12:00:00")),
                vec![span("09:00:00", "10:00:00"), span("12:00:00", "13:00:00")],
            ),
            (span("10:10:00", "10:20:00"), None, vec![span("10:00:00", "11:00:00")]),
            (span("10:00:00", "10:20:00"), None, vec![span("10:00:00", "11:00:00")]),
            (
                span("10:59:59.999999", "11:00:00.000001"),
                None,
                vec![span("10:00:00", "11:00:00"), span("11:00:00", "12:00:00")],
            ),
        ] {
            assert_eq!(divide(of), (whole, divided.into_iter().collect()), "{of:?}");
        }
    }
}
