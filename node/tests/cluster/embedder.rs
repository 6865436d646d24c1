//! A program with a node in it: its own task type, and what it hears of the tasks.

use super::support::{PATIENCE, config, result, task, wait};
use async_trait::async_trait;
use rc_node::handlers::{TaskContext, TaskError, TaskHandler};
use rc_node::node::{Hooks, Node};
use rc_scheduler::{DeviceId, Status, TaskId};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

/// What was heard, and of which task.
#[derive(Default)]
struct Heard {
    rows: Mutex<Vec<(TaskId, String)>>,
    progress: Notify,
}

impl Heard {
    fn note(&self, task: TaskId, what: String) {
        self.rows.lock().unwrap().push((task, what));
    }

    fn of(&self, task: TaskId) -> Vec<String> {
        self.rows.lock().unwrap().iter().filter(|row| row.0 == task).map(|row| row.1.clone()).collect()
    }
}

impl Hooks for Heard {
    fn on_submit(&self, task: TaskId) {
        self.note(task, "submit".to_owned());
    }
    fn on_schedule(&self, task: TaskId, device: DeviceId) {
        self.note(task, format!("schedule {device}"));
    }
    fn on_start(&self, task: TaskId) {
        self.note(task, "start".to_owned());
    }
    fn on_progress(&self, task: TaskId, percent: Option<u8>, text: &str) {
        self.note(task, format!("progress {percent:?} {text}"));
        self.progress.notify_one();
    }
    fn on_complete(&self, task: TaskId) {
        self.note(task, "complete".to_owned());
    }
    fn on_error(&self, task: TaskId, class: &str, message: &str) {
        self.note(task, format!("error {class}: {message}"));
    }
}

/// Says how far it is, and ends once that was heard.
struct Half(Arc<Heard>);

#[async_trait]
impl TaskHandler for Half {
    fn task_type(&self) -> &str {
        "half"
    }

    async fn execute(&self, ctx: TaskContext, payload: Value) -> Result<Value, TaskError> {
        ctx.progress(50, "half");
        self.0.progress.notified().await;
        if payload["fails"] == true { Err(TaskError::task("as it was told to")) } else { Ok(json!({"whole": 2})) }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_type_in_rust_is_offered_and_all_six_hooks_are_called_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let heard = Arc::new(Heard::default());
    let mut own = config(dir.path(), "own", &[]);
    own.handlers = vec![Arc::new(Half(Arc::clone(&heard)))];
    own.hooks = Some(Arc::<Heard>::clone(&heard));
    let node = Node::start(own).await.unwrap();
    let (handle, here) = (node.handle(), node.id());
    let peers = handle.peers().await.unwrap();
    assert!(peers[0].record.as_ref().is_some_and(|record| record.capacity.task_types.contains("half")));
    for (payload, status, last) in [
        ("{}", Status::Completed, "complete"),
        ("{\"fails\": true}", Status::Failed, "error task_error: as it was told to"),
    ] {
        let id = handle.submit(vec![task("half", payload)], None).await.unwrap().tasks[0];
        let report = wait(&handle, id).await;
        assert_eq!(report.status, status, "{report:#?}");
        if status == Status::Completed {
            assert_eq!(result(&report), json!({"whole": 2}));
        }
        let expected = ["submit", &format!("schedule {here}"), "start", "progress Some(50) half", last];
        let deadline = std::time::Instant::now() + PATIENCE;
        while heard.of(id) != expected {
            assert!(std::time::Instant::now() < deadline, "{:?}", heard.of(id));
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
    node.stop().await;
}
