//! The pure core of rc-node.
#![no_std]
extern crate alloc;
