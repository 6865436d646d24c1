//! A node that offers every type there is, alone, on loopback, and what it says of a task in the end.

use rc_node::blobs::BodyBlobs;
use rc_node::node::{Node, NodeConfig};
use rc_scheduler::{ErrorClass, NewTask, RetryPolicy, Span, Status, TaskSpec};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tempfile::TempDir;

/// Longest wait for the end of a task; reached only when something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// The target.
pub(crate) struct Device {
    pub(crate) node: Node,
    pub(crate) dir: TempDir,
}

/// How a task ended.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) status: Status,
    pub(crate) class: Option<ErrorClass>,
    pub(crate) message: String,
    pub(crate) result: Value,
}

impl Device {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut NodeConfig)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = NodeConfig::new(dir.path(), "target");
        config.listen = vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()];
        config.mdns = false;
        config.allow.extend(["command", "file_operation", "http_request"].map(str::to_owned));
        config.worker_program = Some(env!("CARGO_BIN_EXE_rc-node").into());
        change(&mut config);
        Self { node: Node::start(config).await.unwrap(), dir }
    }

    /// With types of the owner's own, each a line for the shell.
    pub(crate) async fn with_scripts(scripts: &[(&str, &str)]) -> Self {
        let argv = |line: &str| ["/bin/sh", "-c", line].map(str::to_owned).to_vec();
        let scripts: BTreeMap<_, _> = scripts.iter().map(|(name, line)| ((*name).to_owned(), argv(line))).collect();
        Self::with(|config| config.scripts = scripts).await
    }

    /// Runs a task once, with so many seconds.
    pub(crate) async fn run_for(&self, seconds: u64, task_type: &str, payload: &[u8]) -> End {
        let retry = RetryPolicy { max_retries: 0, ..RetryPolicy::default() };
        let timeout = Span::from_secs(seconds);
        let spec = TaskSpec { task_type: task_type.to_owned(), retry, timeout, ..TaskSpec::default() };
        let handle = self.node.handle();
        let task = NewTask::new(spec, payload.into());
        let id = handle.submit(vec![task], None).await.unwrap().tasks[0];
        let report = tokio::time::timeout(PATIENCE, handle.wait(id)).await.expect("it ends").unwrap();
        let body = report.outcome.as_ref().map(|outcome| outcome.body.to_vec()).unwrap_or_default();
        let body = match BodyBlobs::of(&body).body {
            Some(blob) => handle.blobs().load(blob, 1 << 30).await.unwrap(),
            None => body,
        };
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let (class, message) = report.error.map_or((None, String::new()), |(class, text)| (Some(class), text));
        End { status: report.status, class, message, result: body["result"].clone() }
    }

    pub(crate) async fn run(&self, task_type: &str, payload: Value) -> End {
        self.run_for(20, task_type, payload.to_string().as_bytes()).await
    }

    /// It does honest work as before.
    pub(crate) async fn lives(&self) {
        let end = self.run("echo", json!({"alive": true})).await;
        assert_eq!((end.status, &end.result), (Status::Completed, &json!({"alive": true})), "{end:?}");
        let status = self.node.handle().status().await.unwrap();
        assert!(status.storage_healthy && status.running == 0, "{status:?}");
    }

    pub(crate) async fn end(self) {
        self.lives().await;
        tokio::time::timeout(PATIENCE, self.node.stop()).await.expect("it stops");
    }
}

impl End {
    /// It failed with this class, and its words say this.
    pub(crate) fn failed(&self, class: ErrorClass, words: &str) {
        assert!(self.class == Some(class) && self.message.contains(words), "not {class} {words}: {self:?}");
    }
}
