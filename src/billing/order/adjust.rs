//! Adjustments: corrections of earlier orders for samples that arrived late.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::line::Line;
use crate::billing::exact::Amount;

/// The correction of what one service of one resource was billed, now that more samples of the time are
/// known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Adjustment {
    /// The order that is corrected; `None`: the time before the tenant's first order.
    pub order_id: Option<Uuid>,
    /// The resource.
    pub resource_id: String,
    /// The kind of resource.
    #[serde(rename = "type")]
    pub resource_type: Option<String>,
    /// The service.
    pub service: String,
    /// The starts of the windows whose usage has changed.
    pub windows: Vec<Timestamp>,
    /// The amount billed before, including earlier adjustments.
    pub billed: Amount,
    /// The amount computed now, at the rates of that order.
    pub computed: Amount,
    /// The amount to pay in addition; a credit if negative.
    pub difference: Amount,
}

/// The charges that earlier orders made for a span of time.
#[derive(Clone, Copy, Debug, Default)]
pub struct BilledPeriod<'a> {
    /// The order of the time; `None`: the time before the tenant's first order.
    pub order_id: Option<Uuid>,
    /// The lines of the order.
    pub lines: &'a [Line],
    /// The adjustments made by all later orders. Adjustments that correct another order are ignored.
    pub adjustments: &'a [Adjustment],
}

/// The starts of the windows whose usage has changed, by billed resource and service.
pub type ChangedWindows = BTreeMap<(String, String), BTreeSet<Timestamp>>;

/// Computes the adjustments of an order for the usage that has changed. `computed` are the lines of the
/// order's span, computed again with its basis; lines of unchanged usage may be left out. There is no
/// adjustment where the amount is the same.
pub fn compute_adjustments(
    billed: &BilledPeriod<'_>,
    computed: &[Line],
    changed: &ChangedWindows,
) -> Vec<Adjustment> {
    let adjust = |((resource_id, service), windows): (&(String, String), &BTreeSet<Timestamp>)| {
        let is_of_service =
            |line: &&Line| line.resource_id == *resource_id && line.service == *service;
        let earlier = billed.adjustments.iter().filter(|earlier| {
            (earlier.order_id, &earlier.resource_id, &earlier.service)
                == (billed.order_id, resource_id, service)
        });
        let lines = billed.lines.iter().filter(is_of_service);
        let paid = lines
            .clone()
            .map(|line| &line.amount)
            .chain(earlier.map(|adjustment| &adjustment.difference));
        let now = computed.iter().filter(is_of_service);
        let (paid, costs) =
            (Amount::sum(paid, 0), Amount::sum(now.clone().map(|line| &line.amount), 0));
        let scale = paid.scale().max(costs.scale());
        let difference = costs.minus(&paid);
        (!difference.is_zero()).then(|| Adjustment {
            order_id: billed.order_id,
            resource_id: resource_id.clone(),
            resource_type: now.chain(lines).find_map(|line| line.resource_type.clone()),
            service: service.clone(),
            windows: windows.iter().copied().collect(),
            billed: paid.round(scale),
            computed: costs.round(scale),
            difference,
        })
    };
    changed.iter().filter_map(adjust).collect()
}
