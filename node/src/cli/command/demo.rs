//! `demo`: three nodes on this device, as child processes in a directory that goes away, and a few tasks as a story.

mod nodes;

use crate::api::model::{AcceptedView, PeerView, ResultView};
use crate::cli::args::DemoArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::output::{Format, Output};
use crate::client::Client;
use hyper::Method;
use nodes::{NAMES, Nodes};
use serde_json::json;
use std::io::Stdout;
use std::time::Duration;

/// A device is found, and says what it can do, within this time.
const MEET_TIME_MAX: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(200);

pub(super) async fn demo(args: DemoArgs) -> Result<u8, CliError> {
    let mut nodes = Nodes::new()?;
    let told = tokio::select! {
        told = story(&mut nodes, args.keep) => told,
        _ = tokio::signal::ctrl_c() => Ok(Exit::Interrupted.code()),
    };
    nodes.stop().await;
    told
}

async fn story(nodes: &mut Nodes, keep: bool) -> Result<u8, CliError> {
    let mut out = Output::stdout(Format::Table);
    out.text("Starting three nodes on this device, each with its own data directory …\n")?;
    nodes.start(0, None).await?;
    let ticket = nodes.ticket().await?;
    for index in 1..NAMES.len() {
        nodes.start(index, Some(&ticket)).await?;
    }
    let peers = meet(nodes).await?;
    out.text("They have found each other; no one is the master. `rc-node peers` says:\n\n")?;
    out.list(&peers)?;

    out.text("\nTasks go in at any node, and the best device runs them:\n\n")?;
    let tasks = [
        (0, "echo", json!({ "message": "hello from a drawer" })),
        (1, "sleep", json!({ "duration": 0.5 })),
        (2, "echo", json!({ "n": [1, 2, 3] })),
        (0, "sleep", json!({ "duration": 1 })),
        (1, "echo", json!("any JSON")),
    ];
    let mut accepted = Vec::new();
    for (node, task_type, payload) in tasks {
        let view = submit(&mut nodes.client(node), task_type, payload).await?;
        let stored = view.ack_devices.join(" and ");
        out.text(&format!("  {task_type:<6} submitted at {:<10} stored on {stored}\n", NAMES[node]))?;
        accepted.push(view.task_id);
    }
    out.text("\nAny node knows the results; this one is asked about all of them:\n\n")?;
    let failed = results(&mut nodes.client(2), &accepted, &mut out).await?;
    if keep {
        out.text(&format!(
            "\nThe nodes run until Ctrl-C. Talk to one:\n  rc-node --data-dir {} peers\n",
            nodes.data_dir(0).display()
        ))?;
        std::future::pending::<()>().await;
    }
    out.text("\nThat was it; nothing is left behind. On your devices:\n  rc-node            start a node\n  rc-node invite     get a ticket for the next device\n")?;
    Ok(if failed { Exit::Failed.code() } else { Exit::Ok.code() })
}

async fn results(client: &mut Client, ids: &[String], out: &mut Output<Stdout>) -> Result<bool, CliError> {
    let mut views = Vec::new();
    for id in ids {
        let view: ResultView = client.get(&format!("/v1/tasks/{id}/result?wait=60")).await?;
        views.push(view);
    }
    out.list(&views)?;
    Ok(views.iter().any(|view| view.status != "completed"))
}

async fn submit(client: &mut Client, task_type: &str, payload: serde_json::Value) -> Result<AcceptedView, CliError> {
    let body = json!({ "task_type": task_type, "payload": payload }).to_string();
    let answer = client.request(Method::POST, "/v1/tasks", Some(body.into_bytes())).await?;
    Ok(answer.json()?)
}

/// Waits until every node hears every other and knows what it is.
async fn meet(nodes: &mut Nodes) -> Result<Vec<PeerView>, CliError> {
    let everyone = async {
        loop {
            let mut seen = Vec::new();
            let mut complete = true;
            for index in (0..NAMES.len()).rev() {
                seen = nodes.client(index).get::<Vec<PeerView>>("/v1/peers").await?;
                let ready = |peer: &&PeerView| peer.platform.is_some() && peer.state == "idle";
                complete &= seen.iter().filter(ready).count() == NAMES.len();
            }
            if complete {
                return Ok::<_, CliError>(seen);
            }
            tokio::time::sleep(POLL).await;
        }
    };
    match tokio::time::timeout(MEET_TIME_MAX, everyone).await {
        Ok(seen) => seen,
        Err(_) => Err(nodes.complain("the nodes did not find each other")),
    }
}
