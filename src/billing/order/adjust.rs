//! Corrections of what was billed before, because samples came late.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Line;
use crate::billing::exact::Amount;

/// What one service of one resource costs now that more is known of a time that was billed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Adjustment {
    /// The order that billed it; `None`: the time before the tenant's first order.
    pub order_id: Option<Uuid>,
    /// The resource.
    pub resource_id: String,
    /// What kind of thing it is.
    #[serde(rename = "type")]
    pub resource_type: Option<String>,
    /// The service.
    pub service: String,
    /// Starts of the windows whose usage has changed.
    pub windows: Vec<Timestamp>,
    /// What was billed, earlier adjustments among it.
    pub billed: Amount,
    /// What it comes to now, at the rates of that order.
    pub computed: Amount,
    /// What is to be paid in addition; negative: to be given back.
    pub difference: Amount,
}

/// What was billed for a span of time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Billed<'a> {
    /// By which order; `None`: the time before the first.
    pub order_id: Option<Uuid>,
    /// Its lines.
    pub lines: &'a [Line],
    /// Adjustments of all later orders; those of other orders than this are left out.
    pub adjustments: &'a [Adjustment],
}

/// Of each resource billed and service the starts of the windows whose usage has changed since.
pub type Touched = BTreeMap<(String, String), BTreeSet<Timestamp>>;

/// What changes about an order by the usage that was touched. `computed` are the lines of the
/// order's span, computed again with its basis; those that are not touched need not be among them.
/// Where nothing is to be paid or given back there is no adjustment.
pub fn adjustments(billed: &Billed<'_>, computed: &[Line], touched: &Touched) -> Vec<Adjustment> {
    let one = |((resource_id, service), windows): (&(String, String), &BTreeSet<Timestamp>)| {
        let is_it = |line: &&Line| line.resource_id == *resource_id && line.service == *service;
        let earlier = billed.adjustments.iter().filter(|it| {
            (it.order_id, &it.resource_id, &it.service) == (billed.order_id, resource_id, service)
        });
        let lines = billed.lines.iter().filter(is_it);
        let paid = lines.clone().map(|line| &line.amount).chain(earlier.map(|it| &it.difference));
        let now = computed.iter().filter(is_it);
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
    touched.iter().filter_map(one).collect()
}
