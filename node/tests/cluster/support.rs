//! Clusters of nodes with directories of their own, and waiting for what they do. Every wait has a bound, nothing sleeps for luck.

use rc_node::driver::{Handle, PeerReport, TaskReport};
use rc_node::identity;
use rc_node::node::{Node, NodeConfig};
use rc_scheduler::{NewTask, TaskId, TaskSpec};
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longest wait for anything; reached only when something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn config(dir: &Path, name: &str, peers: &[&Node]) -> NodeConfig {
    let mut config = NodeConfig::new(dir, name);
    config.listen = vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()];
    config.peers = peers.iter().flat_map(|node| node.listening()).collect();
    config.mdns = false;
    // Whatever the battery of this machine says.
    config.policy = None;
    config.allow.remove("python_eval");
    config
}

/// Data directories of one cluster.
pub(crate) struct Cluster {
    pub(crate) dirs: Vec<TempDir>,
}

impl Cluster {
    pub(crate) async fn start(size: usize) -> (Self, Vec<Node>) {
        let dirs: Vec<_> = (0..size).map(|_| tempfile::tempdir().unwrap()).collect();
        let mut nodes: Vec<Node> = Vec::new();
        for (n, dir) in dirs.iter().enumerate() {
            if let Some(first) = nodes.first() {
                let ticket = first.handle().invite().await.unwrap().parse().unwrap();
                identity::join(dir.path(), &ticket).unwrap();
            }
            nodes.push(Node::start(config(dir.path(), &format!("n{n}"), &[])).await.unwrap());
        }
        for node in &nodes {
            until(&node.handle(), "everybody is up and known", |peers| {
                peers.len() == size && peers.iter().all(|peer| peer.state != "suspect" && peer.record.is_some())
            })
            .await;
        }
        (Self { dirs }, nodes)
    }
}

pub(crate) async fn until(handle: &Handle, what: &str, enough: impl Fn(&[PeerReport]) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let peers = handle.peers().await.unwrap();
        if enough(&peers) {
            return;
        }
        assert!(Instant::now() < deadline, "never happened: {what}; {peers:#?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) fn task(task_type: &str, payload: &str) -> NewTask {
    let spec = TaskSpec { task_type: task_type.to_owned(), ..TaskSpec::default() };
    NewTask::new(spec, payload.as_bytes().into())
}

pub(crate) async fn wait(handle: &Handle, id: TaskId) -> TaskReport {
    let waited = tokio::time::timeout(PATIENCE, handle.wait(id)).await;
    match waited {
        Ok(report) => report.unwrap(),
        Err(_) => panic!("still waiting: {:#?} {:#?}", handle.task(id).await, handle.history(id).await),
    }
}

pub(crate) fn result(report: &TaskReport) -> serde_json::Value {
    let body: serde_json::Value = serde_json::from_slice(&report.outcome.as_ref().unwrap().body).unwrap();
    body["result"].clone()
}

pub(crate) async fn stop(nodes: Vec<Node>) {
    for node in nodes {
        tokio::time::timeout(PATIENCE, node.stop()).await.expect("a node stops");
    }
}
