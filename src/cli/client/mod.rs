//! The commands that ask a running server by HTTP.

pub(super) mod collection;
mod dates;
mod error;
mod report;
pub(super) mod sales;
mod server;
mod tenants;
pub(super) mod usage;

pub(super) use server::{Client, ServerOptions, check_url};
