//! Sales orders: from usage to lines and a total.
//!
//! A [`Bill`] gathers the usage of one tenant's resources window by window and prices it; an
//! [`Order`] is that bill with what identifies it, [`Adjustment`]s of earlier ones and the total.

mod adjust;
mod bill;
mod price;
pub mod record;
mod shown;
mod summed;

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use adjust::{Adjustment, Billed, Touched, adjustments};
pub use bill::{Bill, NotOnePart, Priced};
pub use record::{Circumstances, KIND, Record};
pub use summed::Summed;

use super::exact::Amount;
use super::mapping::Mapping;
use super::rate::Rates;
use super::settings::Settings;
use super::terms::Rounding;
use super::unit::Unit;
use super::window::Span;

/// The version of the rules by which orders are computed. To be raised with every change after
/// which the same samples, mappings and rates give other bytes.
pub const CALCULATION: u32 = 1;

/// An order or a draft: what one tenant is to pay for a span of time.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Order {
    /// `None`: a draft.
    pub order_id: Option<Uuid>,
    /// Whose it is.
    pub tenant_id: String,
    /// What the tenant is called, where that is known.
    pub name: Option<String>,
    /// The first time it is for.
    pub from: Timestamp,
    /// The first time it is no longer for.
    pub to: Timestamp,
    /// The place in the log up to which samples were counted.
    pub position: i64,
    /// [`CALCULATION`] of the program that computed it.
    pub calculation: u32,
    /// ISO 4217.
    pub currency: String,
    /// What is to be paid: exact sum of lines and adjustments, rounded once, half up. Negative: a
    /// credit.
    pub total: Amount,
    /// By resource, service and time.
    pub lines: Vec<Line>,
    /// What was used but has no rate.
    pub unrated: Vec<Unrated>,
    /// Corrections of earlier orders, because samples came late.
    pub adjustments: Vec<Adjustment>,
}

/// What identifies an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heading {
    /// `None` for a draft.
    pub order_id: Option<Uuid>,
    /// Whose it is.
    pub tenant_id: String,
    /// What the tenant is called, where that is known.
    pub name: Option<String>,
    /// What it is for.
    pub span: Span,
    /// The place in the log up to which samples are counted.
    pub position: i64,
}

/// One service of one resource, at one rate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The resource that is billed.
    pub resource_id: String,
    /// What kind of thing it is.
    #[serde(rename = "type")]
    pub resource_type: Option<String>,
    /// What is told about it.
    pub metadata: BTreeMap<String, String>,
    /// The service.
    pub service: String,
    /// The meter whose samples tell the usage.
    pub meter: String,
    /// The index in the basis of the mapping that told it.
    pub mapping: usize,
    /// The part of the order's span for which this rate is paid.
    pub from: Timestamp,
    /// Where that ends.
    pub to: Timestamp,
    /// What was used, as it was measured.
    pub usage: String,
    /// The unit of that.
    pub usage_unit: Unit,
    /// What is paid for: the usage in the rate's unit, hours as they are rounded. Every digit where
    /// they end, else 28 decimals; the amount is of the exact volume.
    pub volume: String,
    /// The rate's unit.
    pub unit: Unit,
    /// The price of one.
    #[serde(with = "crate::billing::exact::as_text")]
    pub rate: Decimal,
    /// Volume × rate, rounded half up.
    pub amount: Amount,
    /// In how many windows it was used.
    pub windows: u32,
    /// The share of the time from the first to the last of them for which samples say how things
    /// stood, from 0 to 1.
    pub coverage: Amount,
}

/// Usage that cannot be billed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unrated {
    /// The resource.
    pub resource_id: String,
    /// What kind of thing it is.
    #[serde(rename = "type")]
    pub resource_type: Option<String>,
    /// What is told about it.
    pub metadata: BTreeMap<String, String>,
    /// The service.
    pub service: String,
    /// The meter whose samples tell the usage.
    pub meter: String,
    /// The index in the basis of the mapping that told it.
    pub mapping: usize,
    /// The part of the order's span in which there is no rate.
    pub from: Timestamp,
    /// Where that ends.
    pub to: Timestamp,
    /// What was used.
    pub volume: String,
    /// The unit of that.
    pub unit: Unit,
    /// There is none.
    pub rate: Option<Amount>,
    /// Why not.
    pub reason: Reason,
    /// In how many windows it was used.
    pub windows: u32,
}

/// Why usage cannot be billed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The service has no rate at that time.
    NoRate,
    /// The rate is for another unit, into which the usage cannot be brought.
    OtherUnit,
    /// Another mapping tells usage of the same service of this resource.
    Collision,
}

/// What an order was computed with, besides samples; kept with it, so that it can be computed
/// again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basis {
    /// [`CALCULATION`].
    pub calculation: u32,
    /// The money and its rounding.
    pub rounding: Rounding,
    /// All mappings.
    pub mappings: Vec<Mapping>,
    /// The rates that may be paid in the order's span.
    pub rates: Rates,
}

impl Basis {
    /// The part of today's settings that an order of this span depends on.
    pub fn of(settings: &Settings, span: Span) -> Self {
        Basis {
            calculation: CALCULATION,
            rounding: settings.terms.rounding.clone(),
            mappings: settings.mappings.clone(),
            rates: settings.rates.within(span),
        }
    }
}

impl Order {
    /// The order of what was billed, with corrections of earlier ones.
    pub fn new(
        heading: Heading,
        basis: &Basis,
        priced: Priced,
        mut adjustments: Vec<Adjustment>,
    ) -> Self {
        adjustments.sort();
        let amounts = priced.lines.iter().map(|line| &line.amount);
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
            lines: priced.lines,
            unrated: priced.unrated,
            adjustments,
        }
    }

    /// The services that cannot be billed, each once, in order.
    pub fn unrated_services(&self) -> Vec<&str> {
        let mut services: Vec<&str> = self.unrated.iter().map(|it| it.service.as_str()).collect();
        services.sort_unstable();
        services.dedup();
        services
    }

    /// The order as JSON, the same bytes whenever and wherever it is computed again.
    ///
    /// # Errors
    ///
    /// None that can be made to happen: every field is text, a list or a whole number.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }
}
