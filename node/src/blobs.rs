//! Large data: bytes addressed by their blake3 hash, kept in files, moved between devices on streams of their own.
//!
//! A fact never carries more than some KiB; what is longer is a blob that the fact names, and a blob is on the disks before the fact that
//! names it (rule 31). [`store`] keeps them, [`tree`] is how a group of bytes is checked alone, [`serve`] and [`fetch`] are the two ends
//! of a stream, [`service`] is what the rest of the node sees, [`refs`] says who names what. None of them knows what a blob means.

mod copies;
mod error;
mod fetch;
mod network;
mod reader;
mod refs;
mod serve;
mod service;
mod store;
mod tree;
mod wire;

pub use error::BlobError;
pub(crate) use network::accept;
pub use network::{Network, Stream};
pub use reader::BlobReader;
pub use refs::BodyBlobs;
pub(crate) use refs::named_by;
pub use service::{BlobStats, Blobs};
pub(crate) use store::Pinned;
pub use store::{BlobRow, StoreLimits, StoreUsage};
pub use tree::GROUP_BYTES;

use std::time::Duration;

/// How long copies of so many bytes are waited for: 2 s and what they take at 1 MiB/s, at most 15 minutes.
#[must_use]
pub fn copy_time(bytes: u64) -> Duration {
    Duration::from_secs((2 + (bytes >> 20)).min(900))
}

#[cfg(test)]
mod tests;
