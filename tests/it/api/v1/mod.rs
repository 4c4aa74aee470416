//! Our own routes, but for those of the read models.

mod events;
