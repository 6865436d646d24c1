//! rc-node as a library.

pub mod storage;
