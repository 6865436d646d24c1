//! Who keeps a task, and how the facts get there: homes, outboxes, acknowledged frames, digests. Knows nothing of who runs it.

mod batches;
mod bury;
mod cold;
mod digest;
mod freeze;
mod graves;
mod home;
mod load;
mod mark;
mod merge;
mod outbox;
mod strays;
mod sums;

pub(crate) use batches::Batches;
pub(crate) use bury::BURIED_MAX;
pub(crate) use cold::ColdTable;
pub(crate) use graves::{Graves, INTERVALS_MAX};
pub(crate) use home::{first, rendezvous};
pub(crate) use load::{Loads, Reader};
pub(crate) use mark::{Mark, status};
pub(crate) use merge::TERM_LEAP_MAX;
pub(crate) use sums::Sums;
