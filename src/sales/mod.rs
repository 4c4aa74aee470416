//! Sales orders: computed from one snapshot of the read model `metering`, issued once, proved again.
//!
//! An order is a function of the samples as of a position of the log and of what its event keeps: the
//! mappings, rates and rounding it was computed with ([`crate::billing::Basis`]). [`Desk`] makes drafts
//! and issues orders from windows of usage (`compute`); [`verify`] makes the same bytes of them from the
//! samples, however long ago that was (`readings`). What came late for an order that was issued
//! before is found by either (`late`) and billed by the next one (`adjust`).
//!
//! The event `billing.sales_order.issued` is the order (`issued`); it is appended together with the
//! row that keeps its time from being billed again ([`crate::log::Claim`]).

mod adjust;
mod compute;
mod error;
mod issued;
mod late;
mod orders;
mod provenance;
mod readings;
mod verify;

pub use error::Error;
pub use orders::{Ask, Desk, Written};
pub use provenance::{Source, source_of};
pub use verify::{Fault, Report, verify};
