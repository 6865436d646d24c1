//! The seam between the command line and the node itself: turns settings into a node that runs behind a [`Handle`].

use crate::config::Settings;
use crate::driver::Handle;
use crate::node::{Node, NodeConfig, NodeError};
use rc_p2p::Multiaddr;

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
pub async fn start(settings: &Settings) -> Result<Handle, EngineError> {
    let mut config = NodeConfig::new(&settings.data_dir, &settings.name);
    config.role = settings.role;
    config.tags.clone_from(&settings.tags);
    config.listen = addresses(&settings.listen)?;
    config.peers = addresses(&settings.peers)?;
    config.mdns = settings.mdns;
    config.allow.extend(settings.allow.iter().cloned());
    config.allowed_paths.clone_from(&settings.allowed_paths);
    config.allow_alone.clone_from(&settings.allow_alone);
    config.http_allow.clone_from(&settings.http_allow);
    config.internet_probe.clone_from(&settings.internet_probe);
    config.alert_webhook.clone_from(&settings.alert_webhook);
    config.scripts.clone_from(&settings.scripts);
    config.max_concurrent_tasks = settings.max_concurrent_tasks;
    config.policy = settings.policy_on.then(|| settings.policy.clone());
    config.blobs = settings.blobs;
    config.retention = settings.retention;
    config.otlp.clone_from(&settings.otlp);
    config.keep_tasks = settings.keep_tasks as usize;
    config.queue_max = settings.queue_max as usize;
    match Node::start(config).await {
        Ok(node) => Ok(node.handle()),
        Err(error @ NodeError::InUse { .. }) => Err(EngineError::InUse(error.to_string())),
        Err(error) => Err(EngineError::Failed(error.to_string())),
    }
}

fn addresses(texts: &[String]) -> Result<Vec<Multiaddr>, EngineError> {
    let parse = |text: &String| text.parse().map_err(|error| EngineError::Failed(format!("{text}: {error}")));
    texts.iter().map(parse).collect()
}
