//! Whole nodes in one process on loopback.
#![cfg(test)]

mod blobs;
mod embedder;
mod liar;
mod life;
mod rest;
mod support;
