//! The seam between the command line and the node itself: starts everything that is behind a [`Handle`].

use crate::config::Settings;
use crate::driver::Handle;

/// A node that runs in this process.
#[derive(Debug)]
pub struct Engine {
    /// The way to it.
    pub handle: Handle,
}

/// The node does not start. Nothing is left running.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Another process has the data directory.
    #[error("{0}")]
    InUse(String),
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

/// Starts a node with these settings: identity, storage, network and scheduler.
///
/// # Errors
/// See [`EngineError`].
#[expect(clippy::unused_async, reason = "the node awaits its listeners")]
pub async fn start(_settings: &Settings) -> Result<Engine, EngineError> {
    Err(EngineError::Failed("this build has no node in it, only its command line".to_owned()))
}
