//! Where the pure core meets the world: one task owns the scheduler, feeds it inputs and carries out its effects.

mod handle;

pub use handle::*;
