//! Links: one long-lived, ordered stream of frames between two members.
//!
//! A link is one substream, used in both directions, opened by the member with the lower peer id. That makes every question of
//! "which one" have one decision maker: of two connections made at the same moment the opener picks one and closes the other,
//! and a stream that the opener opens anew replaces the old one on the other side.
//!
//! [`streams`] gets substreams out of the swarm, [`table`] decides which of them is the link, [`task`] moves the frames,
//! [`queue`] is where a sender leaves them, [`frame`] is their form on the wire. None of them knows what a frame means.

pub(crate) mod frame;
pub(crate) mod queue;
pub(crate) mod streams;
pub(crate) mod table;
pub(crate) mod task;

pub(crate) use queue::Queue;
pub(crate) use table::Table;
