//! Why opening, writing or reading did not work, and what that did to the store.
//!
//! Knows nothing about how a caller reacts.

use std::{io, path::PathBuf};

/// The store was not opened and nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("{dir} is in use by {holder}", dir = .dir.display())]
    InUse {
        /// The data directory.
        dir: PathBuf,
        /// `process 1234`, or `another process`.
        holder: String,
    },
    /// Written by a version of this program that this one does not understand.
    #[error("{path} has format version {found}; this program reads version {supported}", path = .path.display())]
    Version {
        /// The segment.
        path: PathBuf,
        /// Its version.
        found: u16,
        /// Ours.
        supported: u16,
    },
    /// The file system refused.
    #[error("cannot {what} {path}", path = .path.display())]
    Io {
        /// A verb.
        what: &'static str,
        /// Of what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Nothing of the batch was applied.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// No space, or the quota or the configured limit is reached. Everything stored stays readable, removals still
    /// work, and the batch can be retried as a whole.
    #[error("no space left for new records")]
    Full,
    /// The disk failed, now or earlier, so that what is on it is unknown: nothing is written until the next open.
    #[error("the disk failed: {0}")]
    Failed(String),
}

/// A read did not work. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file system refused.
    #[error("cannot read segment {segment}")]
    Io {
        /// The segment.
        segment: u32,
        /// Why.
        source: io::Error,
    },
}

/// ENOSPC, EDQUOT, EFBIG: the disk is fine, there is no room.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}
