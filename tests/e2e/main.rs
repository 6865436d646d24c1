//! The binary on loopback, as everyone can run it: no root, no network, less than a minute. Imports nothing of ours.

mod blobs;
mod damage;
#[path = "../rig/device.rs"]
mod device;
mod exec;
mod full;
mod input;
mod survival;
mod trio;
#[path = "../rig/wait.rs"]
mod wait;
