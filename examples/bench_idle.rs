//! Measures a cluster that has nothing to do: processor, wake-ups, bytes and memory per node, and whether anybody was taken for dead.
//!
//! `cargo run --release --example bench_idle [-- --quick] [--seconds N] [--nodes N] [--dir DIR]`. One JSON line per figure, per node.
//! First come as many bare networks (the same libp2p protocols, everybody linked to everybody, and not one message of ours), then
//! `rc-node`, built beside this program; the difference is what we add. That libp2p alone costs nothing is no mistake: links that say
//! nothing need no timer. The figures are printed only if all of these networks still have all of their links at the end. Where the
//! system lets it, both run in a network namespace of their own, so that the bytes are theirs alone.

mod cost;
mod nodes;

use cost::{Cost, rss_mb};
use nodes::{Cluster, alive};
use rc_p2p::{Config, Event, Keypair, Multiaddr, Secret};
use serde_json::{Value, json};
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What starting leaves behind (lookups, the first gossip) ends before idleness begins.
const SETTLE: Duration = Duration::from_secs(12);
/// Within it all bare networks must have found each other.
const LINK_TIME_MAX: Duration = Duration::from_secs(30);
/// The first word of a bare network's command line.
const BARE: &str = "__bare";
/// Set in the network namespace.
const APART: &str = "RC_BENCH_APART";

struct Options {
    time: Duration,
    nodes: usize,
    dir: PathBuf,
}

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    // The bare networks get as many threads as a node has.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    if words.first().is_some_and(|word| word == BARE) {
        return runtime.block_on(bare(words.get(1..).unwrap_or_default()));
    }
    let options = options(&words)?;
    if std::env::var_os(APART).is_none() && can_be_apart() {
        let mut again = Command::new("unshare");
        again.args(["--net", "--", "sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""]);
        return Err(again.arg(std::env::current_exe()?).args(&words).env(APART, "1").exec().into());
    }
    runtime.block_on(bench(&options))
}

fn options(words: &[String]) -> Result<Options> {
    let mut options = Options { time: Duration::from_secs(600), nodes: 6, dir: std::env::temp_dir() };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--quick" => options.time = Duration::from_secs(20),
            "--seconds" => options.time = Duration::from_secs(value()?.parse()?),
            "--nodes" => options.nodes = value()?.parse()?,
            "--dir" => options.dir = value()?.into(),
            other => return Err(format!("{other}: unknown; --quick, --seconds N, --nodes N, --dir DIR").into()),
        }
    }
    if options.nodes == 0 || options.time.is_zero() {
        return Err("at least one node and one second".into());
    }
    Ok(options)
}

/// Whether this process may make a network namespace.
fn can_be_apart() -> bool {
    let mut try_it = Command::new("unshare");
    try_it.args(["--net", "--", "ip", "link", "set", "lo", "up"]).stderr(Stdio::null());
    try_it.status().is_ok_and(|status| status.success())
}

async fn bench(options: &Options) -> Result<()> {
    figure("apart_from_other_traffic", f64::from(u8::from(std::env::var_os(APART).is_some())));
    let time = options.time.min(Duration::from_secs(120));
    let bare = {
        let mut networks = Bare::start(options.nodes)?;
        networks.wait_for_all().await?;
        let spent = measure(&networks.pids(), time).await?;
        networks.check()?;
        spent
    };
    tell("libp2p_alone", bare, time, options.nodes);

    let mut cluster = Cluster::new(&options.dir, "idle")?;
    let (mut first, ticket) = cluster.start_first().await?;
    for _ in 1..options.nodes {
        cluster.start_next(&ticket)?;
    }
    let mut clients = vec![];
    for index in 0..options.nodes {
        let mut client = cluster.client(index).await?;
        cluster.wait_for_all(&mut client).await?;
        clients.push(client);
    }
    let mut told = [Cost::default(), Cost::default()];
    tokio::time::sleep(SETTLE).await;
    for client in &mut clients {
        told[0].add_told(&client.get("/v1/cluster").await?);
    }
    let spent = measure_now(&cluster.pids(), options.time).await?;
    for client in &mut clients {
        told[1].add_told(&client.get("/v1/cluster").await?);
    }
    tell("node", spent, options.time, options.nodes);
    let ours = told[1] - told[0];
    let per_second = |value: f64| value / options.time.as_secs_f64() / options.nodes as f64;
    figure("frames_per_s", per_second(ours.frames));
    figure("frame_bytes_per_s", per_second(ours.frame_bytes));
    let rate = |cost: Cost, time: Duration, of: fn(&Cost) -> f64| of(&cost) / time.as_secs_f64() / options.nodes as f64;
    let beyond = |of: fn(&Cost) -> f64| rate(spent, options.time, of) - rate(bare, time, of);
    figure("beyond_libp2p_thread_wakes_per_s", beyond(|cost| cost.wakes));
    figure("beyond_libp2p_air_bytes_per_s", beyond(|cost| cost.wire_bytes));

    let rss: Vec<f64> = cluster.pids().into_iter().map(rss_mb).collect::<Result<_>>()?;
    figure("rss_mb_max", rss.into_iter().fold(0.0, f64::max));
    let mut deaths = 0;
    for index in 0..options.nodes {
        let log = std::fs::read_to_string(cluster.log(index))?;
        deaths += log.lines().filter(|line| line.contains("WARN lost") || line.contains("WARN woke")).count();
    }
    figure("false_deaths", deaths as f64);
    figure("devices_alive_at_the_end", alive(&first.get::<Value>("/v1/peers").await?) as f64);
    if deaths > 0 { Err("a device that lives was taken for dead".into()) } else { Ok(()) }
}

async fn measure(pids: &[u32], time: Duration) -> Result<Cost> {
    tokio::time::sleep(SETTLE).await;
    measure_now(pids, time).await
}

async fn measure_now(pids: &[u32], time: Duration) -> Result<Cost> {
    let before = Cost::of(pids)?;
    tokio::time::sleep(time).await;
    Ok(Cost::of(pids)? - before)
}

/// What each node cost per second.
fn tell(what: &str, spent: Cost, time: Duration, nodes: usize) {
    let per_second = |value: f64| value / time.as_secs_f64() / nodes as f64;
    figure(&format!("{what}_cpu_percent_of_a_core"), per_second(spent.cpu_s) * 100.0);
    figure(&format!("{what}_thread_wakes_per_s"), per_second(spent.wakes));
    figure(&format!("{what}_air_bytes_per_s"), per_second(spent.wire_bytes));
    figure(&format!("{what}_air_packets_per_s"), per_second(spent.packets));
    figure(&format!("{what}_disk_bytes_per_s"), per_second(spent.disk_bytes));
}

/// Networks of the same cluster, each a process, with nothing to say.
struct Bare {
    children: Vec<Child>,
    /// How many links each of them has, as it says itself.
    links: Vec<Arc<AtomicUsize>>,
}

impl Drop for Bare {
    fn drop(&mut self) {
        for child in &mut self.children {
            // What is gone already needs no killing.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Bare {
    fn start(nodes: usize) -> Result<Self> {
        let mut started = Self { children: Vec::new(), links: Vec::new() };
        let mut first = None;
        for _ in 0..nodes {
            let mut command = Command::new(std::env::current_exe()?);
            command.arg(BARE).args(&first).stdout(Stdio::piped());
            started.children.push(command.spawn()?);
            let out = started.children.last_mut().and_then(|child| child.stdout.take()).ok_or("no output")?;
            let mut out = BufReader::new(out);
            let mut address = String::new();
            out.read_line(&mut address)?;
            first.get_or_insert_with(|| address.trim().to_owned());
            let links = Arc::new(AtomicUsize::new(0));
            started.links.push(Arc::clone(&links));
            std::thread::spawn(move || {
                let told = out.lines().map_while(std::result::Result::ok).filter_map(|line| line.parse().ok());
                told.for_each(|count| links.store(count, Relaxed));
            });
        }
        Ok(started)
    }

    fn pids(&self) -> Vec<u32> {
        self.children.iter().map(Child::id).collect()
    }

    /// Waits until each has a link to each other.
    async fn wait_for_all(&mut self) -> Result<()> {
        let begun = Instant::now();
        while let Err(error) = self.check() {
            if begun.elapsed() > LINK_TIME_MAX {
                return Err(error);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Every one of them lives, and has a link to each other.
    fn check(&mut self) -> Result<()> {
        for child in &mut self.children {
            if let Some(status) = child.try_wait()? {
                return Err(format!("a bare network has ended: {status}").into());
            }
        }
        let links: Vec<_> = self.links.iter().map(|links| links.load(Relaxed)).collect();
        let whole = links.iter().all(|count| count + 1 == self.children.len());
        if whole { Ok(()) } else { Err(format!("not everybody is linked with everybody: {links:?}").into()) }
    }
}

/// Prints where it listens, joins the network at the address given, and stays; prints how many links it has whenever that changes.
/// The first looks for others on the local network, as the first of the nodes does.
async fn bare(peers: &[String]) -> Result<()> {
    let listen: Multiaddr = "/ip4/127.0.0.1/tcp/0".parse()?;
    let mut config = Config::new(Keypair::generate_ed25519(), Secret::from([7; 32]));
    config.listen = vec![listen];
    config.mdns = peers.is_empty();
    config.peers = peers.iter().map(|peer| peer.parse()).collect::<std::result::Result<_, _>>()?;
    let (client, mut events) = rc_p2p::start(config).await?;
    while let Some(event) = events.next().await {
        match event {
            Event::Listening(address) => println!("{address}"),
            Event::Up { .. } | Event::Down { .. } => println!("{}", client.linked().len()),
            _ => {}
        }
    }
    Ok(())
}

fn figure(name: &str, value: f64) {
    println!("{}", json!({"figure": name, "value": (value * 1e3).round() / 1e3}));
}
