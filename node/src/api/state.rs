//! What every request handler has: the node, the devices' names, and a way to say "stop".

use super::model::DeviceNames;
use super::node::NodeApi;
use super::problem::{Code, Problem};
use crate::blobs::{Blobs, StoreLimits};
use rc_scheduler::{DeviceId, ID_CHARS, TaskId};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

/// Names are asked for again after this long; people rarely rename a device.
const NAMES_TTL: Duration = Duration::from_secs(2);

/// The state behind the routes; a cheap clone.
#[derive(Clone)]
pub struct App<N> {
    node: N,
    names: Arc<Mutex<(Option<Instant>, Names)>>,
    stop: watch::Sender<bool>,
}

/// The devices' names at one moment.
#[derive(Clone, Default)]
pub(super) struct Names(Arc<HashMap<DeviceId, String>>);

impl DeviceNames for Names {
    fn name(&self, device: DeviceId) -> String {
        self.0.get(&device).cloned().unwrap_or_else(|| device.to_string())
    }
}

impl Names {
    /// The device that `text` names: a whole id, a name, or the beginning of one id.
    pub(super) fn find(&self, text: &str) -> Result<DeviceId, String> {
        if let Ok(id) = text.parse() {
            return Ok(id);
        }
        let by = |matches: &dyn Fn(&DeviceId, &str) -> bool| -> Vec<DeviceId> {
            let found = self.0.iter().filter(|(id, name)| matches(id, name));
            found.map(|(id, _)| *id).collect()
        };
        let mut found = by(&|_, name| name == text);
        if found.is_empty() && !text.is_empty() {
            let lower = text.to_ascii_lowercase();
            found = by(&|id, _| id.to_string().starts_with(&lower));
        }
        match found[..] {
            [id] => Ok(id),
            [] => Err(format!("no device of the cluster is called {text:?}")),
            _ => Err(format!("{} devices are called {text:?}; give an id", found.len())),
        }
    }
}

impl<N: NodeApi> App<N> {
    /// The state for `node`. The receiver says when somebody asked that the node stop.
    #[must_use]
    pub fn new(node: N) -> (Self, watch::Receiver<bool>) {
        let (stop, stopped) = watch::channel(false);
        let names = Arc::default();
        (Self { node, names, stop }, stopped)
    }

    pub(super) const fn node(&self) -> &N {
        &self.node
    }

    /// Longest payload that the node takes, bytes.
    pub(super) fn payload_bytes_max(&self) -> u64 {
        let default = || StoreLimits::default().payload_bytes_max;
        self.node.blobs().map_or_else(default, Blobs::payload_bytes_max)
    }

    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// The devices' names; a little old at times, empty if the node does not answer.
    pub(super) async fn names(&self) -> Names {
        let mut cached = self.names.lock().await;
        let fresh = cached.0.is_some_and(|at| at.elapsed() < NAMES_TTL);
        if !fresh && let Ok(peers) = self.node.peers().await {
            let name = |peer: crate::driver::PeerReport| {
                let name = peer.record.map(|record| record.capacity.name)?;
                (!name.is_empty()).then_some((peer.id, name))
            };
            cached.1 = Names(Arc::new(peers.into_iter().filter_map(name).collect()));
            cached.0 = Some(Instant::now());
        }
        cached.1.clone()
    }

    /// The one task that `text` names: an id, a unique beginning of one, or `last`.
    pub(super) async fn resolve(&self, text: &str) -> Result<TaskId, Problem> {
        if let Ok(id) = text.parse() {
            return Ok(id);
        }
        let lower = text.to_ascii_lowercase();
        let plausible = lower == "last"
            || (!lower.is_empty() && lower.len() < ID_CHARS && lower.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        if !plausible {
            return Err(Problem::new(Code::NotFound, format!("{text:?} is no task id"))
                .hint("give an id, its first characters, or `last`"));
        }
        let found = self.node.find(lower).await?;
        match found[..] {
            [id] => Ok(id),
            [] => Err(Problem::new(Code::NotFound, format!("no task's id begins with {text:?}"))
                .hint("`rc-node ps` lists the cluster's tasks")),
            _ => Err(Problem::ambiguous(text, &found)),
        }
    }
}
