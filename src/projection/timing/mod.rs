//! Timing: how long builds, operations and recipes took, and what is stuck.

use crate::event::Family;
use crate::projection::{Decoded, Projection};

/// The read model.
pub const PROJECTION: Projection = Projection {
    name: "timing",
    version: 1,
    families: &[Family::Instance, Family::Recipe],
    config: |_| String::new(),
    ddl: include_str!("../../../schema/timing.sql"),
    tables: &[],
    decode: |_| Decoded { facts: Box::new(()), skipped: 0 },
    apply: |_, _| Box::pin(async { Ok(()) }),
};
