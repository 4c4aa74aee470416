//! Billing, as far as it can be decided without a database: usage from samples, amounts from usage.
//! No clock, no SQL, no network; the same readings and settings always give the same bytes.
//!
//! In the order of the data: `settings` reads the configuration (`mapping`, `rate`, `terms`);
//! `reading` puts the samples of one resource and meter in order, with their `metadata`, and `counter` finds
//! those of one host among them;
//! `transform` computes usage from them, `window` by window; `order` gathers a tenant's usage and
//! prices it. Numbers are `exact` from the sample to the amount: they are never binary floats, and
//! they are rounded only where a rule requires it.

mod counter;
mod day;
pub mod exact;
pub mod mapping;
pub mod metadata;
pub mod order;
pub mod rate;
pub mod reading;
pub mod settings;
mod state;
pub mod terms;
#[cfg(test)]
mod tests;
pub mod transform;
pub mod unit;
pub mod volume_type;
pub mod window;

pub use exact::{Amount, Volume};
pub use mapping::{Mapping, Transformer};
pub use metadata::Metadata;
pub use order::{Basis, Bill, Order};
pub use rate::{Rate, Rates};
pub use reading::{Reading, Timeline};
pub use settings::Settings;
pub use terms::Terms;
pub use transform::{Usage, compute_usage};
pub use unit::Unit;
pub use volume_type::{VolumeType, VolumeTypeNames};
pub use window::Span;
