//! Measures a cluster of three nodes on this machine: real processes, real disks, the API that everybody uses.
//!
//! `cargo run --release --example bench_cluster [-- --quick] [--tasks N] [--dir DIR]`. One JSON line per figure, with what the disk
//! alone takes beside it. The nodes are `rc-node` as built beside this program (`cargo build --release` first).

use hyper::Method;
use rc_node::client::Client;
use rc_node::config::paths;
use serde_json::{Value, json};
use std::error::Error;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const NODES: usize = 3;
/// Tasks in one request; the API takes this many.
const CHUNK: usize = 1_000;
const START_TIME_MAX: Duration = Duration::from_secs(30);

struct Options {
    tasks: usize,
    sequential: usize,
    idle: Duration,
    dir: PathBuf,
}

/// Nodes that die with this program, and their directory with them.
struct Cluster {
    dir: PathBuf,
    children: Vec<Child>,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&self.dir);
    }
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
            "--dir" => options.dir = args.next().ok_or("--dir DIR")?.into(),
            other => return Err(format!("{other}: unknown; --quick, --tasks N, --dir DIR").into()),
        }
    }
    Ok(options)
}

async fn bench(options: &Options) -> Result<()> {
    let mut cluster =
        Cluster { dir: options.dir.join(format!("rc-bench-{}", std::process::id())), children: Vec::new() };
    fs::create_dir_all(&cluster.dir)?;
    figure("fsync_p50_ms", fsync_p50_ms(&cluster.dir)?);

    let started = Instant::now();
    cluster.start(0, None)?;
    let mut first = cluster.client(0).await?;
    let ticket = first.get::<Value>("/v1/invite").await?["ticket"].as_str().ok_or("no ticket")?.to_owned();
    for index in 1..NODES {
        cluster.join(index, &ticket)?;
        cluster.start(index, Some(&ticket))?;
    }
    run_one(&mut first).await?;
    figure("first_result_ms", ms(started.elapsed()));
    while first.get::<Value>("/v1/peers").await?.as_array().is_none_or(|peers| alive(peers) < NODES) {
        pause(started).await?;
    }
    figure("three_nodes_ms", ms(started.elapsed()));

    run_batch(&mut first, CHUNK).await?;
    let took = run_batch(&mut first, options.tasks).await?;
    figure("batch_tasks_per_s", (options.tasks as f64 / took.as_secs_f64()).round());

    let mut times = Vec::new();
    for _ in 0..options.sequential {
        let begun = Instant::now();
        run_one(&mut first).await?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    figure("sequential_p50_ms", ms(times[times.len() / 2]));
    figure("sequential_p99_ms", ms(times[times.len() * 99 / 100]));

    // What the work left behind (gossip, comparison of digests) ends before idleness begins.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let before: Vec<f64> = cluster.children.iter().map(|child| cpu_s(child.id())).collect::<Result<_>>()?;
    tokio::time::sleep(options.idle).await;
    let mut shares = Vec::new();
    for (child, before) in cluster.children.iter().zip(before) {
        shares.push((cpu_s(child.id())? - before) / options.idle.as_secs_f64() * 100.0);
    }
    figure("idle_cpu_percent_of_a_core_per_node", shares.iter().sum::<f64>() / NODES as f64);
    let rss: Vec<f64> = cluster.children.iter().map(|child| rss_mb(child.id())).collect::<Result<_>>()?;
    figure("rss_after_batch_mb_max", rss.into_iter().fold(0.0, f64::max));

    let mut fresh = Cluster { dir: cluster.dir.with_extension("fresh"), children: Vec::new() };
    fs::create_dir_all(&fresh.dir)?;
    fresh.start(0, None)?;
    run_one(&mut fresh.client(0).await?).await?;
    figure("rss_fresh_mb", rss_mb(fresh.children[0].id())?);
    Ok(())
}

impl Cluster {
    fn data_dir(&self, index: usize) -> PathBuf {
        self.dir.join(index.to_string())
    }

    fn start(&mut self, index: usize, ticket: Option<&str>) -> Result<()> {
        let log = File::create(self.dir.join(format!("{index}.log")))?;
        let mut command = rc_node(&self.data_dir(index))?;
        command.args(["run", "--name", &format!("bench-{index}"), "--listen", "127.0.0.1:0", "--http", "off"]);
        // The ticket has the first node's address; without multicast there is nothing to wait for.
        command.args(ticket.map(|_| "--no-mdns")).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.children.push(command.spawn()?);
        Ok(())
    }

    fn join(&self, index: usize, ticket: &str) -> Result<()> {
        let output = rc_node(&self.data_dir(index))?.args(["join", ticket]).output()?;
        if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into()) }
    }

    async fn client(&self, index: usize) -> Result<Client> {
        let begun = Instant::now();
        loop {
            let socket = paths::socket(&self.data_dir(index), &|name| std::env::var_os(name))?;
            let mut client = Client::new(&socket);
            if client.connect().await.is_ok() {
                return Ok(client);
            }
            pause(begun).await?;
        }
    }
}

/// The binary beside this program's directory.
fn rc_node(data_dir: &Path) -> Result<Command> {
    let here = std::env::current_exe()?;
    let binary = here.parent().and_then(Path::parent).ok_or("no directory above this program")?.join("rc-node");
    if !binary.exists() {
        return Err(format!("{} is not there: cargo build --release", binary.display()).into());
    }
    let mut command = Command::new(binary);
    command.arg("--data-dir").arg(data_dir);
    Ok(command)
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

fn alive(peers: &[Value]) -> usize {
    peers.iter().filter(|peer| matches!(peer["state"].as_str(), Some("idle" | "working"))).count()
}

async fn pause(begun: Instant) -> Result<()> {
    if begun.elapsed() > START_TIME_MAX {
        return Err("the nodes take too long to start; see their logs".into());
    }
    tokio::time::sleep(Duration::from_millis(5)).await;
    Ok(())
}

/// What one write of 300 bytes to the disk takes by itself: no durable acceptance can be faster.
fn fsync_p50_ms(dir: &Path) -> Result<f64> {
    let mut file = File::create(dir.join("fsync"))?;
    file.write_all(&vec![0; 1 << 20])?;
    file.sync_all()?;
    let mut times = Vec::new();
    for index in 0..300 {
        let begun = Instant::now();
        file.write_all_at(&[1; 300], index * 300)?;
        file.sync_data()?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    Ok(ms(times[150]))
}

/// Processor seconds of a process so far; a tick is a hundredth.
fn cpu_s(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<_> = stat.rsplit(") ").next().ok_or("no fields")?.split(' ').collect();
    Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / 100.0)
}

fn rss_mb(pid: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}

fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

fn figure(name: &str, value: f64) {
    println!("{}", json!({"figure": name, "value": (value * 1e3).round() / 1e3}));
}
