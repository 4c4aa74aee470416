//! Our own routes, except those of the read models.

mod cursors;
mod events;
