//! One immutable log of what a cloud reported; every answer is a projection of it.

pub mod event;
pub mod simulate;
