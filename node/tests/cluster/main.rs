//! Whole nodes in one process on loopback.
#![cfg(test)]

mod life;
mod rest;
mod support;
