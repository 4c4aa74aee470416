//! The `stackledger` binary.

fn main() {}
