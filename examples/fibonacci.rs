//! A node of one's own on the library, with a task type in Rust and hooks that hear of every task: starts it, submits one task and
//! prints the result.
//!
//! `cargo run --example fibonacci -- 90`

use async_trait::async_trait;
use rc_node::handlers::{Fields, TaskContext, TaskError, TaskHandler};
use rc_node::node::{Hooks, Node, NodeConfig};
use rc_scheduler::{DeviceId, NewTask, TaskId, TaskSpec};
use serde_json::{Value, json};
use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

/// The task type `fibonacci`: `{"n": …}` gives `{"fibonacci": …}`.
struct Fibonacci;

#[async_trait]
impl TaskHandler for Fibonacci {
    fn task_type(&self) -> &str {
        "fibonacci"
    }

    fn side_effects(&self) -> bool {
        false
    }

    async fn execute(&self, ctx: TaskContext, payload: Value) -> Result<Value, TaskError> {
        let fields = Fields::new(&payload, &["n"])?;
        let n = fields.value("n").and_then(Value::as_u64).filter(|n| *n <= 186);
        let n = n.ok_or_else(|| TaskError::invalid("`n` must be a whole number up to 186"))?;
        let (mut a, mut b) = (0_u128, 1_u128);
        for step in 0..n {
            if ctx.is_cancelled() {
                return Err(TaskError::stopped());
            }
            (a, b) = (b, a + b);
            ctx.progress(u8::try_from(100 * (step + 1) / n).unwrap_or(100), "");
        }
        Ok(json!({"n": n, "fibonacci": a.to_string()}))
    }
}

/// Prints what happens.
struct Tell;

impl Hooks for Tell {
    fn on_submit(&self, task: TaskId) {
        eprintln!("{task} submitted");
    }
    fn on_schedule(&self, task: TaskId, device: DeviceId) {
        eprintln!("{task} given to {device}");
    }
    fn on_start(&self, task: TaskId) {
        eprintln!("{task} started");
    }
    fn on_complete(&self, task: TaskId) {
        eprintln!("{task} done");
    }
    fn on_error(&self, task: TaskId, class: &str, message: &str) {
        eprintln!("{task} failed: {class}: {message}");
    }
}

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let first = args.next();
    // Workers and whatever else a node starts is this very program.
    if first.as_deref() == Some("__worker") {
        return rc_node::worker_main(&args.next().unwrap_or_default());
    }
    let n = first.and_then(|text| text.parse().ok()).unwrap_or(90);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run(n))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(n: u64) -> Result<(), Box<dyn Error>> {
    let dir = std::env::temp_dir().join(format!("rc-fibonacci-{}", std::process::id()));
    let mut config = NodeConfig::new(&dir, "fibonacci");
    config.mdns = false;
    // Whatever the battery of this machine says.
    config.policy = None;
    config.listen = vec!["/ip4/127.0.0.1/tcp/0".parse()?];
    config.handlers = vec![Arc::new(Fibonacci)];
    config.hooks = Some(Arc::new(Tell));
    let node = Node::start(config).await?;
    let handle = node.handle();
    let spec = TaskSpec { task_type: "fibonacci".to_owned(), ..TaskSpec::default() };
    let task = NewTask::new(spec, json!({"n": n}).to_string().into_bytes().into());
    let accepted = handle.submit(vec![task], None).await?;
    let report = handle.wait(*accepted.tasks.first().ok_or("nothing was accepted")?).await?;
    let outcome = report.outcome.ok_or("it did not end")?;
    let body: Value = serde_json::from_slice(&outcome.body)?;
    println!("{}", body["result"]);
    node.stop().await;
    std::fs::remove_dir_all(dir)?;
    Ok(())
}
