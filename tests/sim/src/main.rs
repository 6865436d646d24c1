//! Runs seeds through the simulator.
fn main() {}
