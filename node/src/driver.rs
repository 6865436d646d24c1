//! Where the pure core meets the world: one task owns the scheduler, feeds it inputs and carries out its effects.
//!
//! `run` is the loop, `inputs` turns news from network, disk and executor into inputs, `effects` the reverse; `requests` and
//! `replies` are the two halves of a question from a [`Handle`]. What a task or the cluster looks like to people is put together
//! in `report`. Decides nothing about tasks.

mod alarm;
mod attempts;
mod batches;
mod capacity;
mod disk;
mod effects;
mod ended;
mod handle;
mod happening;
mod hosts;
mod inputs;
mod inputs_of;
mod internet;
mod keys;
mod large;
mod meter;
mod peers;
mod replies;
mod report;
mod request;
mod requests;
mod run;
mod stop;
mod submit;
mod waiters;
mod watch;
mod weak;
mod why;

pub use attempts::ResultBody;
pub(crate) use attempts::with_blobs;
pub use batches::BatchList;
pub(crate) use capacity::{Latest, Owner};
pub use handle::*;
pub(crate) use hosts::Hosts;
pub(crate) use internet::Internet;
pub(crate) use keys::{CLOCK_CELL, GRAVES_CELL, decode_clock, decode_graves, decode_member, decode_record};
pub(crate) use meter::ALERT_CELL;
pub(crate) use peers::{PEER_CELL, decode_addresses, decode_peer};
pub(crate) use run::{Driver, Parts};
pub(crate) use watch::{Look, Watch, first_look, watch as watch_capacity};
pub(crate) use weak::WeakHandle;
pub use why::{Explanation, Placed};
