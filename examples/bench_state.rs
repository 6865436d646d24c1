//! Measures what a node keeps: many tasks through one node over time, its memory and disk meanwhile, and how long it takes to start
//! with what is left; and the same for tasks that wait.
//!
//! `cargo run --release --example bench_state [-- --quick] [--tasks N] [--live N] [--keep N] [--dir DIR]`. One JSON line per figure.
//! The node is part of this program, so that nothing but the node is measured; tasks are accepted on one disk.

use rc_node::node::{Node, NodeConfig};
use rc_node::stats::{By, StatsAsk};
use rc_scheduler::{NewTask, Requirements, TaskSpec};
use serde_json::{Value, json};
use std::error::Error;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Tasks in one submit.
const CHUNK: usize = 1_000;
/// Submits under way at once.
const AHEAD: usize = 4;

struct Options {
    tasks: usize,
    live: usize,
    keep: usize,
    dir: PathBuf,
}

/// A directory that goes with this program.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn main() -> Result<()> {
    let options = options()?;
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(bench(&options))
}

fn options() -> Result<Options> {
    let mut options = Options { tasks: 1_000_000, live: 100_000, keep: 100_000, dir: std::env::temp_dir() };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--quick" => (options.tasks, options.live, options.keep) = (10_000, 2_000, 2_000),
            "--tasks" => options.tasks = args.next().ok_or("--tasks N")?.parse()?,
            "--live" => options.live = args.next().ok_or("--live N")?.parse()?,
            "--keep" => options.keep = args.next().ok_or("--keep N")?.parse()?,
            "--dir" => options.dir = args.next().ok_or("--dir DIR")?.into(),
            other => return Err(format!("{other}: unknown; --quick, --tasks, --live, --keep, --dir").into()),
        }
    }
    Ok(options)
}

async fn bench(options: &Options) -> Result<()> {
    let scratch = Scratch(options.dir.join(format!("rc-bench-state-{}", std::process::id())));
    let ended = scratch.0.join("ended");
    let node = start(&ended, options.keep).await?;
    figure("start_empty", json!({ "rss_mb": rss_mb()? }));
    through(&node, options, &ended).await?;
    // What has just ended is laid to rest, and what is too much is buried.
    tokio::time::sleep(Duration::from_secs(12)).await;
    let status = node.handle().status().await?;
    figure(
        "at_rest",
        json!({ "rss_mb": rss_mb()?, "disk_mb": disk_mb(&ended)?, "kept": status.tasks_kept, "open": status.tasks_open }),
    );
    let begun = Instant::now();
    let stats = node.handle().stats(StatsAsk { period: Duration::from_hours(24), by: By::Type }).await?;
    let (took, counted) = (begun.elapsed().as_secs_f64(), stats.counts.all.completed);
    figure("stats_of_a_day", json!({ "seconds": took, "tasks": counted, "partial": !stats.partial.is_empty() }));
    node.stop().await;
    restart("restart_ended", &ended, options.keep).await?;

    let live = scratch.0.join("live");
    let node = start(&live, options.keep).await?;
    let mut nobody = TaskSpec { task_type: "echo".to_owned(), ..TaskSpec::default() };
    nobody.requirements = Requirements { required_tags: ["nobody".to_owned()].into(), ..Requirements::default() };
    for _ in 0..options.live.div_ceil(CHUNK) {
        node.handle().submit(tasks(&nobody), Some(1)).await?;
    }
    figure("waiting", json!({ "tasks": options.live, "rss_mb": rss_mb()?, "disk_mb": disk_mb(&live)? }));
    node.stop().await;
    restart("restart_live", &live, options.keep).await
}

/// Lets all tasks run, and prints where things stand ten times on the way.
async fn through(node: &Node, options: &Options, dir: &Path) -> Result<()> {
    let echo = TaskSpec { task_type: "echo".to_owned(), ..TaskSpec::default() };
    let step = (options.tasks / 10).max(CHUNK);
    let (mut done, mut next, begun) = (0, step, Instant::now());
    let mut ahead = std::collections::VecDeque::new();
    let mut submitted = 0;
    while done < options.tasks {
        while submitted < options.tasks && ahead.len() < AHEAD {
            let accepted = node.handle().submit(tasks(&echo), Some(1)).await?;
            ahead.push_back(node.handle().wait_many(accepted.tasks).await?);
            submitted += CHUNK;
        }
        let Some(mut ends) = ahead.pop_front() else { break };
        for _ in 0..CHUNK {
            let (task, report) = ends.recv().await.ok_or("the node went away")?;
            if !report?.status.is_terminal() {
                return Err(format!("{task} has not ended").into());
            }
        }
        done += CHUNK;
        if done >= next {
            next += step;
            let rate = (done as f64 / begun.elapsed().as_secs_f64()).round();
            figure(
                "through",
                json!({ "tasks": done, "rss_mb": rss_mb()?, "disk_mb": disk_mb(dir)?, "tasks_per_s": rate }),
            );
        }
    }
    Ok(())
}

async fn start(dir: &Path, keep: usize) -> Result<Node> {
    let mut config = NodeConfig::new(dir, "bench");
    config.mdns = false;
    // Whatever the battery of this machine says.
    config.policy = None;
    config.listen = vec!["/ip4/127.0.0.1/tcp/0".parse()?];
    config.keep_tasks = keep;
    config.max_concurrent_tasks = 64;
    Ok(Node::start(config).await?)
}

async fn restart(name: &str, dir: &Path, keep: usize) -> Result<()> {
    let begun = Instant::now();
    let node = start(dir, keep).await?;
    let status = node.handle().status().await?;
    let took = begun.elapsed().as_secs_f64();
    figure(name, json!({ "seconds": took, "kept": status.tasks_kept, "open": status.tasks_open, "rss_mb": rss_mb()? }));
    node.stop().await;
    Ok(())
}

fn tasks(spec: &TaskSpec) -> Vec<NewTask> {
    let payload = br#"{"message":"hello, is anybody there?"}"#;
    (0..CHUNK).map(|_| NewTask::new(spec.clone(), payload.as_slice().into())).collect()
}

fn figure(name: &str, value: Value) {
    println!("{}", json!({ "figure": name, "value": value }));
}

/// Resident memory of this program.
fn rss_mb() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok((kib / 102.4).round() / 10.0)
}

/// What a directory takes on disk.
fn disk_mb(dir: &Path) -> Result<f64> {
    fn bytes(dir: &Path) -> Result<u64> {
        let mut sum = 0;
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            // One that was removed meanwhile takes nothing.
            let Ok(metadata) = entry.metadata() else { continue };
            sum += if metadata.is_dir() { bytes(&entry.path())? } else { metadata.blocks() * 512 };
        }
        Ok(sum)
    }
    Ok((bytes(dir)? as f64 / 1e5).round() / 10.0)
}
