//! A node of one's own that is given a batch, keeps a flow as a template, and runs it: what `batch submit`, `template add` and
//! `template run` do, from Rust.
//!
//! `cargo run --example flow -- 5`

use rc_node::api::model::{
    BatchHead, TEMPLATE_KEPT_AS, batch_tasks, flow_tasks, new_batch_id, parse_batch, parse_flow, parse_tasks,
};
use rc_node::clock;
use rc_node::driver::Handle;
use rc_node::node::{Node, NodeConfig};
use rc_scheduler::{BatchId, DeviceId, NewTask, Status};
use serde_json::{Value, json};
use std::error::Error;
use std::process::ExitCode;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let first = args.next();
    // Workers and whatever else a node starts is this very program.
    if first.as_deref() == Some("__worker") {
        return rc_node::worker_main(&args.next().unwrap_or_default());
    }
    let n = first.and_then(|text| text.parse().ok()).unwrap_or(5);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run(n))) {
        Ok([batch, flow]) => {
            println!("{batch}\n{flow}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// How many tasks of the batch are completed, and what the last task of the flow gave.
pub(crate) async fn run(n: usize) -> Result<[Value; 2]> {
    let dir = std::env::temp_dir().join(format!("rc-flow-{}", std::process::id()));
    let mut config = NodeConfig::new(&dir, "flow");
    config.mdns = false;
    // Whatever the battery of this machine says.
    config.policy = None;
    config.listen = vec!["/ip4/127.0.0.1/tcp/0".parse()?];
    let node = Node::start(config).await?;
    let done = [batch(&node.handle(), n).await?, flow(&node.handle(), n).await?];
    node.stop().await;
    std::fs::remove_dir_all(dir)?;
    Ok(done)
}

/// Tasks that name devices are for clusters whose devices have names.
fn nobody(name: &str) -> std::result::Result<DeviceId, String> {
    Err(format!("no device is called {name}"))
}

/// Hands tasks in as one batch, and waits for all of them.
async fn hand_in(handle: &Handle, tasks: Vec<NewTask>, batch: BatchId) -> Result<Vec<Value>> {
    let accepted = handle.submit(tasks, None).await?;
    let mut ends = handle.wait_many(accepted.tasks.clone()).await?;
    let mut results = vec![Value::Null; accepted.tasks.len()];
    for _ in 0..results.len() {
        let (task, report) = ends.recv().await.ok_or("the node has stopped")?;
        let place = accepted.tasks.iter().position(|known| *known == task).ok_or("nobody asked for it")?;
        let outcome = report?.outcome.ok_or_else(|| format!("task {place} of {batch} did not run"))?;
        results[place] = serde_json::from_slice::<Value>(&outcome.body)?["result"].take();
    }
    Ok(results)
}

async fn batch(handle: &Handle, n: usize) -> Result<Value> {
    let tasks: Vec<_> = (0..n).map(|n| json!({"task_type": "echo", "payload": {"n": n}})).collect();
    let request = parse_batch(json!({"name": "numbers", "tasks": tasks}).to_string().as_bytes())?;
    let batch = new_batch_id(None, clock::now().wall_ms);
    let head = BatchHead::new(request.name, request.description, false)?;
    hand_in(handle, batch_tasks(batch, head, request.tasks, &nobody)?, batch).await?;
    // Anybody may ask, on any device; and for those that failed, to begin them again with `handle.reopen`.
    let (found, _) = handle.batch(batch, vec![Status::Failed]).await?;
    let completed = found.statuses.iter().filter(|status| **status == Some(Status::Completed)).count();
    Ok(json!({"batch": batch.to_string(), "completed": completed, "of": found.statuses.len()}))
}

async fn flow(handle: &Handle, n: usize) -> Result<Value> {
    let template = json!({
        "variables": {"n": 1},
        "tasks": {
            "first": {"task_type": "echo", "payload": {"n": "{{n}}"}},
            "again": {"task_type": "echo", "payload": {"was": "{{tasks.first.result.n}}", "item": "{{item}}"}, "each": ["x", "y"]},
            "last": {"task_type": "echo", "payload": ["{{tasks.again-0.result}}", "{{tasks.again-1.result.item}}"]},
        },
    });
    // The cluster keeps it as it keeps a task, under its name, until that is cancelled.
    let kept = json!({"task_type": TEMPLATE_KEPT_AS, "name": "pair", "payload": template});
    let rc_node::api::model::TaskRequests::One(kept) = parse_tasks(kept.to_string().as_bytes())? else {
        return Err("one was asked for".into());
    };
    handle.submit(vec![kept.into_task(&nobody)?], None).await?;

    // From here on it could be another device.
    let (templates, _) = handle.open_of(TEMPLATE_KEPT_AS.to_owned()).await?;
    let template = handle.task(templates.first().ok_or("there is no template")?.id).await?;
    let mut flow: Value = serde_json::from_slice(&template.payload)?;
    flow["set"] = json!({ "n": n });
    let plan = parse_flow(flow.to_string().as_bytes())?;
    let batch = new_batch_id(None, clock::now().wall_ms);
    let head = BatchHead::new(Some("pair".to_owned()), None, true)?;
    let requests = flow_tasks(&plan).map_err(|refused| refused.to_string())?;
    let mut results = hand_in(handle, batch_tasks(batch, head, requests, &nobody)?, batch).await?;
    Ok(results.pop().unwrap_or_default())
}
