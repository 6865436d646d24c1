//! Measures a cluster of three nodes under load: an open loop, in which tasks come at a fixed rate whatever becomes of them, and a closed
//! loop, in which so many clients submit a task of 50 ms, wait for its result, and submit the next.
//!
//! `cargo run --release --example bench_load [-- --quick] [--closed] [--dir DIR]`; `--closed` leaves the open loop out. One JSON line per
//! figure. Delay is start − submit as the nodes write it down, in whole milliseconds; response is what the client sees, from before the
//! submit until the result is there.

mod cost;
mod nodes;

use cost::{Cost, rss_mb};
use hyper::Method;
use nodes::Cluster;
use rc_node::client::Client;
use serde_json::{Value, json};
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const NODES: usize = 3;
/// Tasks a second, with the mean delay and response in milliseconds of the system that came before, where it was measured.
const RATES: [u64; 4] = [100, 500, 1_000, 2_000];
/// Clients of the closed loop.
const CLIENTS: [usize; 4] = [100, 1_000, 3_000, 5_000];
/// Slots of each node in the closed loop: sleeping costs nothing, so what limits it is the cluster itself.
const SLOTS: &str = "1024";
/// Waiting for a result, seconds.
const WAIT: u64 = 60;

fn main() -> Result<()> {
    let (mut seconds, mut open, mut dir) = (10, true, std::env::temp_dir());
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--quick" => seconds = 3,
            "--closed" => open = false,
            "--dir" => dir = args.next().ok_or("--dir DIR")?.into(),
            other => return Err(format!("{other}: unknown; --quick, --closed, --dir DIR").into()),
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(bench(Duration::from_secs(seconds), open, dir))
}

async fn bench(time: Duration, open: bool, dir: PathBuf) -> Result<()> {
    let mut cluster = Cluster::new(&dir, "load")?;
    cluster.flags = vec!["--max-concurrent-tasks".to_owned(), SLOTS.to_owned()];
    let (mut first, ticket) = cluster.start_first().await?;
    for _ in 1..NODES {
        cluster.start_next(&ticket)?;
    }
    cluster.wait_for_all(&mut first).await?;
    let mut doors = Vec::new();
    for index in 0..NODES {
        doors.push(cluster.client(index).await?);
    }
    open_loop(&doors, 100, Duration::from_secs(2), false).await?;
    for rate in RATES.into_iter().filter(|_| open) {
        open_loop(&doors, rate, time, true).await?;
    }
    let mut peak: f64 = 0.0;
    for clients in CLIENTS {
        let Load { rate, cost, own_cpu_s, tasks, again } = closed_loop(&cluster, &mut doors, clients, time).await?;
        let told = |name: &str, value| figure(&format!("closed_loop_{clients}_clients_{name}"), value);
        told("per_s", rate);
        told("cpu_us_per_task", cost.cpu_s * 1e6 / tasks);
        told("own_cpu_us_per_task", own_cpu_s * 1e6 / tasks);
        told("thread_wakes_per_task", cost.wakes / tasks);
        told("log_syncs_per_task", cost.syncs / tasks);
        told("frames_per_task", cost.frames / tasks);
        told("more_attempts_per_task", again / tasks);
        peak = peak.max(rate);
        if clients == CLIENTS[CLIENTS.len() - 1] {
            figure("closed_loop_share_of_peak_at_most_clients_percent", rate / peak * 100.0);
        }
    }
    let rss: Vec<f64> = cluster.pids().into_iter().map(rss_mb).collect::<Result<_>>()?;
    figure("rss_mb_max", rss.into_iter().fold(0.0, f64::max));
    Ok(())
}

/// What the nodes say that they have cost so far.
async fn told(doors: &mut [Client]) -> Result<Cost> {
    let mut cost = Cost::default();
    for door in doors {
        cost.add_told(&door.get("/v1/cluster").await?);
    }
    Ok(cost)
}

/// Submits one and holds its result.
async fn run_one(client: &mut Client, task: &[u8]) -> Result<Value> {
    let accepted: Value = client.request(Method::POST, "/v1/tasks", Some(task.to_vec())).await?.json()?;
    let id = accepted["task_id"].as_str().ok_or("no id")?;
    let result: Value = client.get(&format!("/v1/tasks/{id}/result?wait={WAIT}")).await?;
    if result["status"] == "completed" { Ok(result) } else { Err(format!("not completed: {result}").into()) }
}

/// Echo tasks at a fixed rate, each over a connection that is free, or else a new one.
async fn open_loop(doors: &[Client], rate: u64, time: Duration, told: bool) -> Result<()> {
    let task: Arc<[u8]> = serde_json::to_vec(&json!({"task_type": "echo", "payload": {"message": "hi"}}))?.into();
    let free: Arc<Mutex<Vec<Client>>> = Arc::default();
    let (ended, mut ends) = mpsc::unbounded_channel();
    let tasks = time.as_millis() as u64 * rate / 1_000;
    let begun = tokio::time::Instant::now();
    for number in 0..tasks {
        tokio::time::sleep_until(begun + Duration::from_micros(number * 1_000_000 / rate)).await;
        let (task, free, ended) = (Arc::clone(&task), Arc::clone(&free), ended.clone());
        let idle = free.lock().await.pop();
        let mut client = idle.unwrap_or_else(|| doors[number as usize % doors.len()].another());
        tokio::spawn(async move {
            let begun = Instant::now();
            let result = run_one(&mut client, &task).await.map_err(|error| error.to_string());
            let took = begun.elapsed();
            free.lock().await.push(client);
            // Whoever counted has given up.
            let _ = ended.send((result, took));
        });
    }
    drop(ended);
    let (mut responses, mut delays) = (Vec::new(), Vec::new());
    while let Some((result, took)) = ends.recv().await {
        let result = result?;
        responses.push(took.as_secs_f64() * 1e3);
        let at = |name: &str| result[name].as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
        if let (Some(submitted), Some(started)) = (at("submitted_at"), at("started_at")) {
            delays.push((started.as_millisecond() - submitted.as_millisecond()).max(0) as f64);
        }
    }
    if told {
        for (name, values) in [("delay", &mut delays), ("response", &mut responses)] {
            values.sort_unstable_by(f64::total_cmp);
            let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
            let at =
                |percent: usize| values.get((values.len().max(1) - 1) * percent / 100).copied().unwrap_or_default();
            figure(&format!("open_loop_{rate}_{name}_mean_ms"), mean);
            figure(&format!("open_loop_{rate}_{name}_p50_ms"), at(50));
            figure(&format!("open_loop_{rate}_{name}_p99_ms"), at(99));
        }
        let took = begun.elapsed().as_secs_f64();
        figure(&format!("open_loop_{rate}_completed_per_s"), responses.len() as f64 / took);
    }
    Ok(())
}

/// What a closed loop came to, from when every client was at work.
struct Load {
    /// Tasks completed a second.
    rate: f64,
    /// What the nodes have cost.
    cost: Cost,
    /// Processor seconds of this program, which is all of the clients.
    own_cpu_s: f64,
    /// How many were completed.
    tasks: f64,
    /// Attempts beside the first ones.
    again: f64,
}

/// What clients count.
#[derive(Default)]
struct Counts {
    /// Those who have had a result.
    begun: AtomicU64,
    done: AtomicU64,
    again: AtomicU64,
    enough: AtomicBool,
}

/// So many clients, each with one task at a time. What is measured begins when all are connected and each has had a result.
async fn closed_loop(cluster: &Cluster, doors: &mut [Client], clients: usize, time: Duration) -> Result<Load> {
    let task: Arc<[u8]> = serde_json::to_vec(&json!({"task_type": "sleep", "payload": {"duration": 0.05}}))?.into();
    let mut connected = Vec::with_capacity(clients);
    for number in 0..clients {
        let mut client = doors[number % doors.len()].another();
        client.connect().await?;
        connected.push(client);
    }
    let counts: Arc<Counts> = Arc::default();
    let mut all = Vec::with_capacity(clients);
    for mut client in connected {
        let (task, counts) = (Arc::clone(&task), Arc::clone(&counts));
        all.push(tokio::spawn(async move {
            let mut is_first = true;
            while !counts.enough.load(Relaxed) {
                let attempts = run_again(&mut client, &task).await.map_err(|error| error.to_string())?;
                counts.done.fetch_add(1, Relaxed);
                counts.again.fetch_add(attempts - 1, Relaxed);
                counts.begun.fetch_add(u64::from(std::mem::take(&mut is_first)), Relaxed);
            }
            Ok::<(), String>(())
        }));
    }
    while counts.begun.load(Relaxed) < clients as u64 && !all.iter().any(JoinHandle::is_finished) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let here = [std::process::id()];
    let counted = |of: &AtomicU64| of.load(Relaxed) as f64;
    let told = told(doors).await?;
    let (begun, before, own) = (Instant::now(), Cost::of(&cluster.pids())?, Cost::of(&here)?);
    let (done, again) = (counted(&counts.done), counted(&counts.again));
    tokio::time::sleep(time).await;
    let (took, tasks) = (begun.elapsed().as_secs_f64(), counted(&counts.done) - done);
    let again = counted(&counts.again) - again;
    let own_cpu_s = (Cost::of(&here)? - own).cpu_s;
    let spent = Cost::of(&cluster.pids())? - before;
    let told = self::told(doors).await? - told;
    let cost = Cost { cpu_s: spent.cpu_s, wakes: spent.wakes, ..told };
    counts.enough.store(true, Relaxed);
    for client in all {
        client.await??;
    }
    Ok(Load { rate: tasks / took, cost, own_cpu_s, tasks, again })
}

/// Submits one and holds its result; how many attempts it took. Reads no more of the answers than it must: the clients share the
/// processor with the nodes.
async fn run_again(client: &mut Client, task: &[u8]) -> Result<u64> {
    let accepted = client.request(Method::POST, "/v1/tasks", Some(task.to_vec())).await?;
    let id = text_of(&accepted.body, r#""task_id":""#, '"').ok_or("no id")?;
    let result = client.request(Method::GET, &format!("/v1/tasks/{id}/result?wait={WAIT}"), None).await?;
    let attempts = text_of(&result.body, r#""attempt":"#, ',').and_then(|text| text.parse().ok());
    match (text_of(&result.body, r#""status":""#, '"'), attempts) {
        (Some("completed"), Some(attempts)) => Ok(attempts),
        _ => Err(format!("not completed: {}", String::from_utf8_lossy(&result.body)).into()),
    }
}

/// What stands in a JSON text behind the first occurrence of `name`, up to `end`.
fn text_of<'a>(json: &'a [u8], name: &str, end: char) -> Option<&'a str> {
    let (_, rest) = std::str::from_utf8(json).ok()?.split_once(name)?;
    rest.split_once(end).map(|(text, _)| text)
}

fn figure(name: &str, value: f64) {
    println!("{}", json!({"figure": name, "value": (value * 1e3).round() / 1e3}));
}
