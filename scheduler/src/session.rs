//! Who is alive: hellos, heartbeats, losing and finding peers, and asking before acting. Knows nothing of what tasks are about.

mod beat;
mod hello;
mod lost;
mod peer;
mod sync;
mod term;
mod twins;

pub(crate) use peer::{Frame, Life, Peer, ToAck};
pub(crate) use sync::{PendingAnswer, Sync};
