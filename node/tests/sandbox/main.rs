//! The sandbox, attacked: each test runs a program that tries to do what it must not, the way a task would run, and sees that it
//! could not. On every tier that this system has; what it does not have is said, not passed over.
#![cfg(target_os = "linux")]

mod cell;

mod bombs;
mod environment;
mod files;
mod grants;
mod groups;
mod life;
mod network;
mod processes;
mod users;
