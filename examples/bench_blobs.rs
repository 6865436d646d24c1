//! Measures large data between two nodes on this machine: real processes, real disks, real streams.
//!
//! `cargo run --release --example bench_blobs [-- --quick] [--mib N] [--dir DIR]`. One JSON line per figure: how fast a blob (1 GiB; 64 MiB
//! with `--quick`) goes in at one node, from there to the other, and out again; how much memory each node had at most; and how long a
//! small task takes while the blob is on its way. The nodes are `rc-node` as built beside this program (`cargo build --release` first).

use hyper::Method;
use rc_node::client::{Client, get_blob, put_blob};
use rc_node::config::paths;
use serde_json::{Value, json};
use std::error::Error;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const MIB: u64 = 1 << 20;
const START_TIME_MAX: Duration = Duration::from_secs(30);

/// Nodes that die with this program, and their directory with them.
struct Pair {
    dir: PathBuf,
    children: Vec<Child>,
}

impl Drop for Pair {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// So many bytes that do not repeat, made while they are read.
struct Source {
    left: u64,
    state: u64,
}

impl AsyncRead for Source {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        while self.left > 0 && out.remaining() > 0 {
            self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let word = (self.state ^ self.state >> 29).to_le_bytes();
            let take = (self.left.min(8) as usize).min(out.remaining());
            out.put_slice(&word[..take]);
            self.left -= take as u64;
        }
        Poll::Ready(Ok(()))
    }
}

/// Counts what is written, and hashes it.
#[derive(Default)]
struct Sink {
    bytes: u64,
    hasher: blake3::Hasher,
}

impl AsyncWrite for Sink {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, data: &[u8]) -> Poll<std::io::Result<usize>> {
        self.bytes += data.len() as u64;
        self.hasher.update(data);
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn main() -> Result<()> {
    let (mut mib, mut dir) = (1024, std::env::temp_dir());
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--quick" => mib = 64,
            "--mib" => mib = args.next().ok_or("--mib N")?.parse()?,
            "--dir" => dir = args.next().ok_or("--dir DIR")?.into(),
            other => return Err(format!("{other}: unknown; --quick, --mib N, --dir DIR").into()),
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(bench(mib, &dir))
}

async fn bench(mib: u64, dir: &Path) -> Result<()> {
    let mut pair = Pair { dir: dir.join(format!("rc-blobs-{}", std::process::id())), children: Vec::new() };
    fs::create_dir_all(&pair.dir)?;
    pair.start(0, None)?;
    let mut first = pair.client(0).await?;
    let ticket = first.get::<Value>("/v1/invite").await?["ticket"].as_str().ok_or("no ticket")?.to_owned();
    pair.start(1, Some(&ticket))?;
    let mut second = pair.client(1).await?;
    let begun = Instant::now();
    while first.get::<Value>("/v1/peers").await?.as_array().is_none_or(|peers| alive(peers) < 2) {
        pause(begun).await?;
    }
    run_one(&mut second).await?;
    figure("mib", mib as f64);
    let fresh = [pair.peak_mb(0)?, pair.peak_mb(1)?];

    let begun = Instant::now();
    let source = Source { left: mib * MIB, state: 1 };
    let blob = put_blob(&pair.socket(0)?, source, Some(mib * MIB)).await?;
    rate("put_mib_per_s", mib, begun);

    let begun = Instant::now();
    let (mut small, mut longest) = (Vec::new(), Duration::ZERO);
    let mut hidden = Client::new(&pair.socket(1)?);
    // One byte of it: the whole is fetched and checked, and nothing else is measured.
    let task = json!({"task_type": "sleep", "payload": {"duration": 0}, "blobs": [blob.blob], "requirements": {"only_devices": ["bench-1"]}});
    let body = serde_json::to_vec(&task)?;
    let copy = async {
        let accepted: Value = hidden.request(Method::POST, "/v1/tasks", Some(body)).await?.json()?;
        Ok::<_, Box<dyn Error>>(accepted)
    };
    tokio::pin!(copy);
    let accepted = loop {
        tokio::select! {
            accepted = &mut copy => break accepted?,
            took = timed(&mut first) => {
                let took = took?;
                longest = longest.max(took);
                small.push(took);
            }
        }
    };
    rate("copy_mib_per_s", mib, begun);
    if accepted["acks"].as_u64() != Some(2) {
        return Err(format!("not on two devices: {accepted}").into());
    }
    small.sort_unstable();
    if let Some(p50) = small.get(small.len() / 2) {
        figure("small_task_meanwhile_p50_ms", ms(*p50));
        figure("small_task_meanwhile_max_ms", ms(longest));
    }

    let begun = Instant::now();
    let mut sink = Sink::default();
    get_blob(&pair.socket(1)?, &blob.blob, &mut sink).await?;
    rate("get_mib_per_s", mib, begun);
    if sink.bytes != blob.bytes || sink.hasher.finalize().to_hex().as_str() != blob.blob {
        return Err("what came out is not what went in".into());
    }
    for (index, side) in ["sender", "receiver"].into_iter().enumerate() {
        figure(&format!("rss_peak_{side}_mb"), pair.peak_mb(index)?);
        figure(&format!("rss_peak_{side}_before_mb"), fresh[index]);
    }
    Ok(())
}

impl Pair {
    fn data_dir(&self, index: usize) -> PathBuf {
        self.dir.join(index.to_string())
    }

    fn socket(&self, index: usize) -> Result<PathBuf> {
        Ok(paths::socket(&self.data_dir(index), &|name| std::env::var_os(name))?)
    }

    fn start(&mut self, index: usize, ticket: Option<&str>) -> Result<()> {
        if let Some(ticket) = ticket {
            let output = rc_node(&self.data_dir(index))?.args(["join", ticket]).output()?;
            if !output.status.success() {
                return Err(String::from_utf8_lossy(&output.stderr).into());
            }
        }
        let log = File::create(self.dir.join(format!("{index}.log")))?;
        let mut command = rc_node(&self.data_dir(index))?;
        command.args(["run", "--name", &format!("bench-{index}"), "--listen", "127.0.0.1:0", "--http", "off"]);
        command.args(ticket.map(|_| "--no-mdns")).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.children.push(command.spawn()?);
        Ok(())
    }

    async fn client(&self, index: usize) -> Result<Client> {
        let begun = Instant::now();
        loop {
            let mut client = Client::new(&self.socket(index)?);
            if client.connect().await.is_ok() {
                return Ok(client);
            }
            pause(begun).await?;
        }
    }

    /// The most memory that a node had so far.
    fn peak_mb(&self, index: usize) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.children[index].id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
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

async fn timed(client: &mut Client) -> Result<Duration> {
    let begun = Instant::now();
    run_one(client).await?;
    Ok(begun.elapsed())
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

fn rate(name: &str, mib: u64, begun: Instant) {
    figure(name, mib as f64 / begun.elapsed().as_secs_f64());
}

fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

fn figure(name: &str, value: f64) {
    println!("{}", json!({"figure": name, "value": (value * 1e3).round() / 1e3}));
}
