//! Who keeps a task, and how the facts get there: homes, outboxes, acknowledged frames, digests. Knows nothing of who runs it.

mod digest;
mod home;
mod merge;
mod outbox;

pub(crate) use home::{first, rendezvous};
pub(crate) use merge::TERM_LEAP_MAX;
