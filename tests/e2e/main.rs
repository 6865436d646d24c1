//! The binary on loopback, as everyone can run it: no network, less than a minute, and no root but for the full disk, which
//! says so and passes without, except in CI. Imports nothing of ours.

mod batches;
mod blobs;
mod cancel;
mod damage;
#[path = "../rig/device.rs"]
mod device;
mod events;
mod exec;
mod files;
mod flows;
mod full;
mod input;
mod logs;
mod otlp;
mod owner;
mod queue;
mod sandbox;
mod stats;
mod stragglers;
mod survival;
mod trace;
mod trio;
mod twins;
mod types;
#[path = "../rig/wait.rs"]
mod wait;
mod why;
