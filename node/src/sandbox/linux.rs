//! What Linux offers to hold a task: one file per mechanism, and what is made of them for programs and for workers.
//!
//! A program comes to life like this: the node asks the spawner ([`client`], [`wire`], [`server`]), the spawner makes a process
//! ([`child`]), in namespaces of its own if there are any ([`root`], [`view`]), and the process confines itself ([`landlock`],
//! [`seccomp`]) before it becomes the program.

mod child;
mod client;
mod landlock;
mod privilege;
mod root;
mod seccomp;
mod server;
mod view;
mod wire;
mod worker;

pub(super) use client::{Held, Spawner};
pub(super) use server::serve;
pub use worker::restrict_worker;
