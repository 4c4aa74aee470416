//! Sales orders: computed from one moment of the read model `metering`, issued once, and verified later.
//!
//! An order is a function of the samples as of a position of the log and of the basis that its event
//! contains: mappings, rates and rounding ([`crate::billing::Basis`]). [`SalesOrders`] computes drafts and
//! issues orders from windows of usage (`compute`). [`verify`] computes the same bytes from the samples
//! (`readings`), however long ago the order was issued. Both find the samples that arrived after their
//! time was billed (`late`), which the next order bills (`adjust`).
//!
//! The event `billing.sales_order.issued` is the order (`issued`). It is appended together with the row
//! that keeps its time from being billed again ([`crate::log::Claim`]).

mod adjust;
mod compute;
mod division;
mod error;
mod issued;
mod late;
mod orders;
mod provenance;
mod readings;
mod snapshot;
mod verify;

pub use compute::add_divided_windows;
pub use error::Error;
pub use orders::{IssuedOrder, OrderRequest, SalesOrders};
pub use provenance::{Source, find_source};
pub use verify::{Fault, Report, verify};
