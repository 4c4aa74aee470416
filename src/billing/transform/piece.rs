//! Pieces of usage, before they are added up.

use std::borrow::Cow;

use jiff::Timestamp;
use rust_decimal::Decimal;

use crate::billing::exact::Volume;
use crate::billing::window::Span;

/// A part of the usage of one service.
pub(super) struct Piece<'t> {
    pub(super) service: Cow<'t, str>,
    /// See [`Usage::type_id`](super::Usage::type_id).
    pub(super) type_id: Option<Cow<'t, str>>,
    pub(super) consumption: Consumption,
}

/// A quantity, and how it is spread over time.
pub(super) enum Consumption {
    /// A number of units, used evenly for the length of a span.
    Level(Span, Decimal),
    /// As many seconds as the span is long.
    Duration(Span),
    /// A volume at one moment.
    Increase(Timestamp, Volume),
}

impl Consumption {
    /// Returns the volume used within the span; `None` if they have no time in common.
    pub(super) fn within(&self, span: Span) -> Option<Volume> {
        match self {
            Consumption::Level(whole, units) => {
                whole.clip(span).map(|part| Volume::unit_hours(*units, part.us()))
            }
            Consumption::Duration(whole) => whole.clip(span).map(|part| Volume::seconds(part.us())),
            Consumption::Increase(at, volume) => span.contains(*at).then(|| volume.clone()),
        }
    }
}
