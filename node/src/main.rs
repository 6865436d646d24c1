//! The `rc-node` binary.
fn main() {}
