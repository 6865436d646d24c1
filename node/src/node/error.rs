//! Why a node does not start. Nothing is left running.

use crate::handlers::RegistryError;
use crate::identity::IdentityError;
use crate::policy::StoreError;
use crate::storage::{CommitError, OpenError, ReadError};
use rc_p2p::StartError;
use rc_scheduler::RestoreError;
use std::io;
use std::path::PathBuf;

/// The node does not run.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Another node has the data directory.
    #[error("{} is in use by {holder}", .data_dir.display())]
    InUse {
        /// The data directory.
        data_dir: PathBuf,
        /// `process 1234`, or `another process`.
        holder: String,
    },
    /// The data directory cannot be made.
    #[error("cannot create {}: {source}", .path.display())]
    DataDir {
        /// The data directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The log cannot be opened.
    #[error(transparent)]
    Open(OpenError),
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What the owner said cannot be read.
    #[error("the owner's policy: {0}")]
    Policy(#[from] StoreError),
    /// The directory of blobs cannot be used.
    #[error("the directory of blobs cannot be used: {0}")]
    Blobs(io::Error),
    /// This life cannot be counted, and an uncounted one could be taken for the one before.
    #[error("the start cannot be recorded: {0}")]
    Disk(#[from] CommitError),
    /// See [`IdentityError`].
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The network does not start.
    #[error(transparent)]
    Network(#[from] StartError),
    /// A task type cannot be offered.
    #[error(transparent)]
    Handlers(#[from] RegistryError),
    /// The owner allows what this program cannot do.
    #[error("--allow {word}: there is no such task type or permission here; try command")]
    UnknownType {
        /// What was allowed.
        word: String,
    },
    /// The directory of tasks' files cannot be used.
    #[cfg(all(unix, feature = "files"))]
    #[error(transparent)]
    Files(crate::handlers::files::RootsError),
    /// What `http_request` may reach beyond the Internet makes no sense.
    #[cfg(feature = "http")]
    #[error("--http-allow {0}")]
    HttpAllow(crate::handlers::http::AllowedError),
    /// Alerts cannot be sent there.
    #[error("--alert-webhook: {why}")]
    AlertWebhook {
        /// Why.
        why: String,
    },
    /// Worker processes cannot be started.
    #[error("worker processes cannot be started: {0}")]
    Workers(io::Error),
    /// What is on disk makes no sense to the scheduler.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// A thread cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
    /// A part of the start broke.
    #[error("the start broke: {0}")]
    Broken(#[from] tokio::task::JoinError),
    /// The system has no randomness to give.
    #[error("no randomness: {0}")]
    Randomness(String),
}
