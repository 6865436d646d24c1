//! What `cargo sim` can be told to do. Each says whether every promise was kept.

pub mod mutations;
pub mod seeds;
pub mod trace;
