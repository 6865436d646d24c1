//! rc-node as a library: everything the binary does, for those who build their own node on it.

pub mod capabilities;
pub mod driver;
pub mod executor;
pub mod handlers;
pub mod sandbox;
pub mod storage;
