//! The basis of an order: the settings that it was computed with.

use serde::{Deserialize, Serialize};

use crate::billing::mapping::Mapping;
use crate::billing::rate::Rates;
use crate::billing::settings::Settings;
use crate::billing::terms::Rounding;
use crate::billing::window::Span;

/// The version of the rules by which orders are computed. Raise it with every change after which the same
/// samples, mappings and rates give other bytes.
pub const CALCULATION: u32 = 2;

/// The settings that an order was computed with. Stored with the order, so that it can be computed again
/// from its samples.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basis {
    /// The [`CALCULATION`] of the program.
    pub calculation: u32,
    /// Currency and rounding of amounts.
    pub rounding: Rounding,
    /// All mappings.
    pub mappings: Vec<Mapping>,
    /// The rates that apply at some time of the order's span.
    pub rates: Rates,
}

impl Basis {
    /// Returns the part of the present settings that an order of the span depends on.
    pub fn of(settings: &Settings, span: Span) -> Self {
        Basis {
            calculation: CALCULATION,
            rounding: settings.terms.rounding.clone(),
            mappings: settings.mappings.clone(),
            rates: settings.rates.within(span),
        }
    }
}
