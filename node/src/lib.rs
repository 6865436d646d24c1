//! rc-node as a library: everything the binary does, for those who build their own node on it.

pub mod driver;
pub mod storage;
