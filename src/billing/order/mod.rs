//! Sales orders: from usage to lines and a total.
//!
//! A [`Bill`] gathers the usage of one tenant's resources window by window and prices it; an
//! [`Order`] consists of these charges, a heading, [`Adjustment`]s of earlier orders and the total.

mod adjust;
mod basis;
mod bill;
mod document;
mod line;
mod price;
pub mod record;
mod total;

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;
use uuid::Uuid;

pub use adjust::{Adjustment, BilledPeriod, ChangedWindows, compute_adjustments};
pub use basis::{Basis, CALCULATION};
pub use bill::{Bill, DividedSpan};
pub use line::{Charges, Line, Reason, UnratedUsage};
pub use record::{KIND, Record, SettingsAtIssue};
pub use total::Total;

use super::exact::Amount;
use super::window::Span;

/// An order or a draft: the charges of one tenant for a span of time.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Order {
    /// The order's id; `None` for a draft.
    pub order_id: Option<Uuid>,
    /// The tenant.
    pub tenant_id: String,
    /// The tenant's name, if it is known.
    pub name: Option<String>,
    /// The beginning of its span.
    pub from: Timestamp,
    /// The end of its span, not included.
    pub to: Timestamp,
    /// The position in the log up to which samples were counted.
    pub position: i64,
    /// The [`CALCULATION`] of the program that computed it.
    pub calculation: u32,
    /// The currency, by its ISO 4217 code.
    pub currency: String,
    /// The amount to pay: the exact sum of lines and adjustments, rounded once, half up. A credit if
    /// negative.
    pub total: Amount,
    /// The lines, by resource, service and time.
    pub lines: Vec<Line>,
    /// The usage that cannot be billed.
    pub unrated: Vec<UnratedUsage>,
    /// Corrections of earlier orders for samples that arrived late.
    pub adjustments: Vec<Adjustment>,
}

/// A service whose usage has no rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnratedService {
    /// The service.
    pub service: String,
    /// Why it is not billed.
    pub reason: Reason,
    /// From the start of the first window with such usage to the end of the last.
    pub used: Span,
}

impl fmt::Display for UnratedService {
    /// Writes the service and when it was used, and the reason if there is a rate.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let UnratedService { service, reason, used: Span { from, to } } = self;
        write!(f, "{service} from {from} to {to}")?;
        match reason {
            Reason::NoRate => Ok(()),
            Reason::OtherUnit => f.write_str(" (its rate is for another unit)"),
            Reason::Collision => f.write_str(" (two mappings yield this service of one resource)"),
            Reason::Negative => f.write_str(" (its volume is negative)"),
            Reason::UnknownState => f.write_str(" (the state is unknown)"),
        }
    }
}

/// The heading of an order: the fields that identify it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heading {
    /// The order's id; `None` for a draft.
    pub order_id: Option<Uuid>,
    /// The tenant.
    pub tenant_id: String,
    /// The tenant's name, if it is known.
    pub name: Option<String>,
    /// The span of time that is billed.
    pub span: Span,
    /// The position in the log up to which samples are counted.
    pub position: i64,
}

impl Order {
    /// Creates the order of a bill's charges, with corrections of earlier orders.
    pub fn new(
        heading: Heading,
        basis: &Basis,
        charges: Charges,
        mut adjustments: Vec<Adjustment>,
    ) -> Self {
        adjustments.sort();
        let amounts = charges.lines.iter().map(|line| &line.amount);
        let differences = adjustments.iter().map(|adjustment| &adjustment.difference);
        let total = Amount::sum(amounts.chain(differences), 0).round(basis.rounding.digits);
        Order {
            order_id: heading.order_id,
            tenant_id: heading.tenant_id,
            name: heading.name,
            from: heading.span.from,
            to: heading.span.to,
            position: heading.position,
            calculation: basis.calculation,
            currency: basis.rounding.currency.clone(),
            total,
            lines: charges.lines,
            unrated: charges.unrated,
            adjustments,
        }
    }

    /// Returns the services that some rate is missing for, and when they were used: each once for every reason,
    /// sorted. Negative usage is none of them, as no rate could bill it.
    pub fn services_without_rate(&self) -> Vec<UnratedService> {
        let mut services = BTreeMap::<(&str, Reason), Span>::new();
        for item in self.unrated.iter().filter(|item| item.reason != Reason::Negative) {
            let used = Span {
                from: item.used_from.unwrap_or(item.from),
                to: item.used_to.unwrap_or(item.to),
            };
            let span = services.entry((&item.service, item.reason)).or_insert(used);
            *span = Span { from: span.from.min(used.from), to: span.to.max(used.to) };
        }
        services
            .into_iter()
            .map(|((service, reason), used)| UnratedService {
                service: service.to_owned(),
                reason,
                used,
            })
            .collect()
    }

    /// Serialises the order as JSON: the same bytes whenever and wherever it is computed again.
    ///
    /// # Errors
    ///
    /// None in practice: every field is text, a list or a whole number.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }
}
