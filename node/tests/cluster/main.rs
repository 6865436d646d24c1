//! Whole nodes in one process on loopback.
#![cfg(test)]

mod blobs;
mod life;
mod support;
