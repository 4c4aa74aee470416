//! Plays a realistic cloud.
