//! Rates: the price of a unit of each service, and the time for which it applies.

mod distil;
mod price;
mod rates;
mod section;

pub(super) use distil::read as read_distil;
pub use rates::{Overlap, Part, Rate, Rates};
pub use section::RateToml;
