//! Billing, as far as it can be decided without a database: usage from samples, amounts from usage.
//! No clock, no SQL, no network; the same readings and settings always give the same bytes.
//!
//! In the order of the way: `settings` reads the configuration (`mapping`, `rate`, `terms`);
//! `reading` puts the samples of one resource and meter in order, with what their `metadata` say;
//! `transform` makes usage of them, `window` by window; `order` gathers a tenant's usage and prices
//! it. Numbers are `exact` from the sample to the amount: a binary float never touches them, and
//! they are rounded only where a rule says so.

pub mod exact;
pub mod mapping;
pub mod metadata;
pub mod order;
pub mod rate;
pub mod reading;
pub mod settings;
pub mod terms;
#[cfg(test)]
mod tests;
pub mod transform;
pub mod unit;
pub mod window;

pub use exact::{Amount, Volume};
pub use mapping::{Mapping, Transformer};
pub use metadata::Metadata;
pub use order::{Basis, Bill, Order};
pub use rate::{Rate, Rates};
pub use reading::{Reading, Timeline};
pub use settings::Settings;
pub use terms::Terms;
pub use transform::{Usage, usage};
pub use unit::Unit;
pub use window::Span;
