//! What can go wrong with a blob, in words that reach people.

use crate::config::units::show_size;
use rc_scheduler::BlobHash;
use std::io;

/// A blob was not stored, found or read. What was on disk is still there.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The store's own limit.
    #[error("the blob store is full: {} of {} are used, and {} more are asked for", show_size(*.used), show_size(*.limit), show_size(*.asked))]
    Full {
        /// Bytes in use and reserved.
        used: u64,
        /// `blobs.max_bytes`.
        limit: u64,
        /// Bytes asked for.
        asked: u64,
    },
    /// The disk's limit.
    #[error("the disk is nearly full: {} are free, {} are asked for, and {} stay for the log", show_size(*.free), show_size(*.asked), show_size(super::store::SPARE_BYTES))]
    NoSpace {
        /// Bytes free.
        free: u64,
        /// Bytes asked for.
        asked: u64,
    },
    /// Longer than what was announced or is allowed.
    #[error("it is longer than {limit} bytes")]
    TooLong {
        /// The limit, bytes.
        limit: u64,
    },
    /// Neither here nor at any device that answers.
    #[error("blob {hash} is not here, and none of {asked} devices asked has it{why}")]
    Missing {
        /// Which.
        hash: BlobHash,
        /// How many were asked.
        asked: usize,
        /// What they said instead, or nothing.
        why: String,
    },
    /// What lay on this disk is not what was put there; it was taken away and is fetched anew if it is needed.
    #[error("blob {0} was damaged on this disk")]
    Damaged(BlobHash),
    /// The disk or the source of the bytes.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl BlobError {
    /// There is no room for it; other things go on.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self {
            Self::Full { .. } | Self::NoSpace { .. } => true,
            Self::Io(error) => {
                matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            _ => false,
        }
    }
}
