//! What every request handler has: the node, the devices' names, and a way to say "stop".

use super::model::DeviceNames;
use super::node::NodeApi;
use super::problem::{Code, Problem};
use super::registered::Lookup;
use crate::blobs::{Blobs, StoreLimits};
use rc_scheduler::{BatchId, DeviceId, ID_CHARS, TaskId};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

/// Beginnings of ids are looked for among so many batches, the newest.
const BATCHES_SOUGHT: u32 = 1_000;
/// Names are asked for again after this long; people rarely rename a device.
const NAMES_TTL: Duration = Duration::from_secs(2);

/// The state behind the routes; a cheap clone.
#[derive(Clone)]
pub struct App<N> {
    node: N,
    names: Arc<Mutex<(Option<Instant>, Names)>>,
    stop: watch::Sender<bool>,
    lookup: Lookup,
    /// The newest batch that was handed in here since the node started.
    last_batch: Arc<SyncMutex<Option<BatchId>>>,
}

/// The devices' names at one moment, and the task types that any of them offers.
#[derive(Clone, Default)]
pub(super) struct Names(Arc<(HashMap<DeviceId, String>, HashSet<String>)>);

impl DeviceNames for Names {
    fn name(&self, device: DeviceId) -> String {
        self.0.0.get(&device).cloned().unwrap_or_else(|| device.to_string())
    }
}

impl Names {
    /// A device says that it runs tasks of this type.
    pub(super) fn offers(&self, task_type: &str) -> bool {
        self.0.1.contains(task_type)
    }

    /// A text in which devices go by their names instead of their ids.
    pub(super) fn in_text(&self, text: &str) -> String {
        self.0.0.iter().fold(text.to_owned(), |text, (id, name)| text.replace(&id.to_string(), name))
    }

    /// The device that `text` names: a whole id, a name, or the beginning of one id.
    pub(super) fn find(&self, text: &str) -> Result<DeviceId, String> {
        if let Ok(id) = text.parse() {
            return Ok(id);
        }
        let by = |matches: &dyn Fn(&DeviceId, &str) -> bool| -> Vec<DeviceId> {
            let found = self.0.0.iter().filter(|(id, name)| matches(id, name));
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
        (Self { node, names: Arc::default(), stop, lookup: Lookup::default(), last_batch: Arc::default() }, stopped)
    }

    pub(super) const fn lookup(&self) -> &Lookup {
        &self.lookup
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
            let (mut names, mut offered) = (HashMap::new(), HashSet::new());
            for peer in peers {
                let Some(capacity) = peer.record.map(|record| record.capacity) else { continue };
                offered.extend(capacity.task_types);
                if !capacity.name.is_empty() {
                    names.insert(peer.id, capacity.name);
                }
            }
            cached.1 = Names(Arc::new((names, offered)));
            cached.0 = Some(Instant::now());
        }
        cached.1.clone()
    }

    /// A batch was handed in here.
    pub(super) fn accepted_batch(&self, batch: BatchId) {
        *self.last_batch.lock().unwrap_or_else(PoisonError::into_inner) = Some(batch);
    }

    /// The one batch that `text` names: an id, a unique beginning of one, or `last`: the newest handed in here, else in the cluster.
    pub(super) async fn resolve_batch(&self, text: &str) -> Result<BatchId, Problem> {
        let lower = text.to_ascii_lowercase();
        if let Ok(id) = lower.parse() {
            return Ok(id);
        }
        let last = *self.last_batch.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(batch) = last.filter(|_| lower == "last") {
            return Ok(batch);
        }
        let (batches, _) = self.node.batches(BATCHES_SOUGHT).await?;
        let mut found = batches.into_iter().map(|(batch, _)| batch);
        let none = || {
            Problem::new(Code::NoBatch, format!("no batch's id begins with {text:?}"))
                .hint("`rc-node batch ls` lists the cluster's batches")
        };
        if lower == "last" {
            return found.next().ok_or_else(none);
        }
        let found: Vec<_> = found.filter(|batch| !lower.is_empty() && batch.to_string().starts_with(&lower)).collect();
        match found[..] {
            [batch] => Ok(batch),
            [] => Err(none()),
            _ => Err(Problem {
                matches: found.iter().take(16).map(ToString::to_string).collect(),
                ..Problem::new(Code::Ambiguous, format!("{} batches' ids begin with {text:?}", found.len()))
                    .hint("give more characters of the id")
            }),
        }
    }

    /// The one task that `text` names: an id, a unique beginning of one, or `last`: the newest accepted here, else in the cluster.
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
        let mut found = self.node.find(lower.clone()).await?;
        if lower == "last" && found.is_empty() {
            let (newest, _) = self.node.list(1).await?;
            found.extend(newest.first().map(|report| report.id));
        }
        match found[..] {
            [id] => Ok(id),
            [] if lower == "last" => Err(Problem::new(Code::NotFound, "nothing was submitted yet")
                .hint("`rc-node submit echo -p message=hi` submits something")),
            [] => Err(Problem::new(Code::NotFound, format!("no task's id begins with {text:?}"))
                .hint("`rc-node ps` lists the cluster's tasks")),
            _ => Err(Problem::ambiguous(text, &found)),
        }
    }
}
