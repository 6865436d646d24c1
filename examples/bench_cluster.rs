//! Measures a cluster of three nodes on this machine: real processes, real disks, the API that everybody uses; and beside each
//! figure the floor under it, measured in the same run: one sync of this disk, one round trip over a link.
//!
//! `cargo run --release --example bench_cluster [-- --quick] [--tasks N] [--sequential N] [--dir DIR]`. One JSON line per figure. The
//! nodes are `rc-node` as built beside this program (`cargo build --release` first). Bytes on the air count all of the loopback: run
//! it where nothing else uses that, or in a network namespace (`unshare -n`, then `ip link set lo up`).

mod cost;
mod nodes;

use cost::{Cost, rss_mb};
use hyper::Method;
use nodes::Cluster;
use rc_node::client::Client;
use serde_json::{Value, json};
use std::error::Error;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const NODES: usize = 3;
/// Tasks in one request; the API takes this many.
const CHUNK: usize = 1_000;
/// Bytes of one durable write of the floor; about what one fact of an echo task takes.
const WRITE_BYTES: usize = 300;

struct Options {
    tasks: usize,
    sequential: usize,
    idle: Duration,
    dir: PathBuf,
}

fn main() -> Result<()> {
    let options = options()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(bench(&options))
}

fn options() -> Result<Options> {
    let mut options =
        Options { tasks: 10_000, sequential: 1_000, idle: Duration::from_secs(20), dir: std::env::temp_dir() };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--quick" => {
                (options.tasks, options.sequential, options.idle) = (2_000, 200, Duration::from_secs(5));
            }
            "--tasks" => options.tasks = args.next().ok_or("--tasks N")?.parse()?,
            "--sequential" => options.sequential = args.next().ok_or("--sequential N")?.parse()?,
            "--dir" => options.dir = args.next().ok_or("--dir DIR")?.into(),
            other => return Err(format!("{other}: unknown; --quick, --tasks N, --sequential N, --dir DIR").into()),
        }
    }
    Ok(options)
}

async fn bench(options: &Options) -> Result<()> {
    let mut cluster = Cluster::new(&options.dir, "bench")?;
    let started = Instant::now();
    let (mut first, ticket) = cluster.start_first().await?;
    for _ in 1..NODES {
        cluster.start_next(&ticket)?;
    }
    run_one(&mut first).await?;
    figure("first_result_ms", ms(started.elapsed()));
    cluster.wait_for_all(&mut first).await?;
    figure("three_nodes_ms", ms(started.elapsed()));
    let mut clients = Vec::new();
    for index in 0..NODES {
        clients.push(cluster.client(index).await?);
    }

    run_batch(&mut first, CHUNK).await?;
    let before = cost(&cluster, &mut clients).await?;
    let took = run_batch(&mut first, options.tasks).await?;
    let spent = cost(&cluster, &mut clients).await? - before;
    figure("batch_tasks_per_s", (options.tasks as f64 / took.as_secs_f64()).round());
    per_task("batch", spent, options.tasks);

    // The floor in two halves, before and after what stands on it: a noisy machine shows in their difference.
    let floor = Floor::measure(&cluster.dir)?;
    let mut times = Vec::new();
    let before = cost(&cluster, &mut clients).await?;
    for _ in 0..options.sequential {
        let begun = Instant::now();
        run_one(&mut first).await?;
        times.push(begun.elapsed());
    }
    let spent = cost(&cluster, &mut clients).await? - before;
    let floor = floor.with(Floor::measure(&cluster.dir)?);
    let (p50, p99) = percentiles(&mut times);
    figure("sequential_p50_ms", p50);
    figure("sequential_p99_ms", p99);
    figure("floor_fsync_p50_ms", floor.fsync_ms);
    figure("floor_round_trip_p50_ms", floor.round_trip_ms);
    figure("sequential_p50_above_one_fsync_ms", p50 - floor.fsync_ms);
    // Nothing that is on two disks can be told sooner: here, there, and back.
    figure("sequential_p50_above_two_disks_ms", p50 - 2.0 * floor.fsync_ms - floor.round_trip_ms);
    per_task("sequential", spent, options.sequential);

    // What the work left behind (gossip, comparison of digests) ends before idleness begins.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let before = Cost::of(&cluster.pids())?;
    tokio::time::sleep(options.idle).await;
    let spent = Cost::of(&cluster.pids())? - before;
    let share = spent.cpu_s / options.idle.as_secs_f64() / NODES as f64;
    figure("idle_cpu_percent_of_a_core_per_node", share * 100.0);
    let rss: Vec<f64> = cluster.pids().into_iter().map(rss_mb).collect::<Result<_>>()?;
    figure("rss_after_batch_mb_max", rss.into_iter().fold(0.0, f64::max));

    let mut fresh = Cluster::new(&options.dir, "bench-fresh")?;
    let (mut alone, _) = fresh.start_first().await?;
    run_one(&mut alone).await?;
    figure("rss_fresh_mb", rss_mb(fresh.pids()[0])?);
    Ok(())
}

/// What the nodes have cost so far.
async fn cost(cluster: &Cluster, clients: &mut [Client]) -> Result<Cost> {
    let mut cost = Cost::of(&cluster.pids())?;
    for client in clients {
        cost.add_told(&client.get("/v1/cluster").await?);
    }
    Ok(cost)
}

/// What one task cost all nodes together.
fn per_task(what: &str, spent: Cost, tasks: usize) {
    let figures = [
        ("cpu_us", spent.cpu_s * 1e6),
        ("thread_wakes", spent.wakes),
        ("log_syncs", spent.syncs),
        ("disk_bytes", spent.disk_bytes),
        ("frames", spent.frames),
        ("frame_bytes", spent.frame_bytes),
        ("air_bytes", spent.wire_bytes),
        ("air_packets", spent.packets),
    ];
    for (name, value) in figures {
        figure(&format!("{what}_{name}_per_task"), value / tasks as f64);
    }
}

/// Submits one echo and holds its result.
async fn run_one(client: &mut Client) -> Result<()> {
    let task = json!({"task_type": "echo", "payload": {"message": "hi"}});
    let accepted: Value = client.request(Method::POST, "/v1/tasks", Some(serde_json::to_vec(&task)?)).await?.json()?;
    let id = accepted["task_id"].as_str().ok_or("no id")?;
    let result: Value = client.get(&format!("/v1/tasks/{id}/result?wait=30")).await?;
    if result["status"] == "completed" { Ok(()) } else { Err(format!("not completed: {result}").into()) }
}

/// Submits a batch of echoes and holds all results.
async fn run_batch(client: &mut Client, tasks: usize) -> Result<Duration> {
    let task = json!({"task_type": "echo", "payload": {"message": "hi"}});
    let begun = Instant::now();
    let mut ids: Vec<Value> = Vec::with_capacity(tasks);
    while ids.len() < tasks {
        let chunk = vec![task.clone(); CHUNK.min(tasks - ids.len())];
        let body = serde_json::to_vec(&chunk)?;
        let accepted: Vec<Value> = client.request(Method::POST, "/v1/tasks", Some(body)).await?.json()?;
        ids.extend(accepted.into_iter().map(|mut accepted| accepted["task_id"].take()));
    }
    let mut held = 0;
    let body = serde_json::to_vec(&json!({ "ids": ids }))?;
    let word = br#""status":"completed""#;
    let completed = |line: &[u8]| line.windows(word.len()).any(|part| part == word);
    let count = |line: &[u8]| {
        held += usize::from(completed(line));
        true
    };
    client.post_lines("/v1/wait", body, count).await?;
    if held == tasks { Ok(begun.elapsed()) } else { Err(format!("{held} of {tasks} results").into()) }
}

/// What no program can be faster than on this machine.
struct Floor {
    /// One write to the disk and its sync.
    fsync_ms: f64,
    /// A byte over a TCP connection on the loopback to another thread and back.
    round_trip_ms: f64,
}

impl Floor {
    fn measure(dir: &Path) -> Result<Self> {
        Ok(Self { fsync_ms: fsync_p50_ms(dir)?, round_trip_ms: round_trip_p50_ms()? })
    }

    fn with(self, other: Self) -> Self {
        let mean = |a: f64, b: f64| f64::midpoint(a, b);
        Self {
            fsync_ms: mean(self.fsync_ms, other.fsync_ms),
            round_trip_ms: mean(self.round_trip_ms, other.round_trip_ms),
        }
    }
}

fn fsync_p50_ms(dir: &Path) -> Result<f64> {
    let mut file = File::create(dir.join("fsync"))?;
    file.write_all(&vec![0; 1 << 20])?;
    file.sync_all()?;
    let mut times = Vec::new();
    for index in 0..300 {
        let begun = Instant::now();
        file.write_all_at(&[1; WRITE_BYTES], index * WRITE_BYTES as u64)?;
        file.sync_data()?;
        times.push(begun.elapsed());
    }
    Ok(percentiles(&mut times).0)
}

fn round_trip_p50_ms() -> Result<f64> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut near = TcpStream::connect(listener.local_addr()?)?;
    let (mut far, _) = listener.accept()?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let echo = std::thread::spawn(move || -> std::io::Result<()> {
        let mut byte = [0];
        while far.read(&mut byte)? == 1 {
            far.write_all(&byte)?;
        }
        Ok(())
    });
    let mut times = Vec::new();
    for _ in 0..1_000 {
        let begun = Instant::now();
        near.write_all(&[1])?;
        near.read_exact(&mut [0])?;
        times.push(begun.elapsed());
    }
    drop(near);
    echo.join().map_err(|_| "the other end broke")??;
    Ok(percentiles(&mut times).0)
}

/// The 50th and the 99th, in milliseconds.
fn percentiles(times: &mut [Duration]) -> (f64, f64) {
    times.sort_unstable();
    let at = |percent: usize| ms(times[(times.len() - 1) * percent / 100]);
    (at(50), at(99))
}

fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

fn figure(name: &str, value: f64) {
    println!("{}", json!({"figure": name, "value": (value * 1e3).round() / 1e3}));
}
