//! Distil's routes.

mod usage;
