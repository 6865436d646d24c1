//! Nodes for the benchmarks: real processes with real disks, started, joined and asked as people do it, and gone with the benchmark.

use super::Result;
use rc_node::client::Client;
use rc_node::config::paths;
use serde_json::Value;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const START_TIME_MAX: Duration = Duration::from_secs(60);

/// Nodes that die with this program, and their directory with them.
pub(crate) struct Cluster {
    pub(crate) dir: PathBuf,
    pub(crate) children: Vec<Child>,
    /// What else is said to each node that is started.
    pub(crate) flags: Vec<String>,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for child in &mut self.children {
            // What is gone already needs no killing.
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&self.dir);
    }
}

impl Cluster {
    /// No nodes yet, in a new directory below `parent`.
    pub(crate) fn new(parent: &Path, name: &str) -> Result<Self> {
        let dir = parent.join(format!("rc-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir)?;
        Ok(Self { dir, children: Vec::new(), flags: Vec::new() })
    }

    /// Starts the first node and gives the ticket for the others.
    pub(crate) async fn start_first(&mut self) -> Result<(Client, String)> {
        self.start(0, None)?;
        let mut first = self.client(0).await?;
        let ticket = first.get::<Value>("/v1/invite").await?["ticket"].as_str().ok_or("no ticket")?.to_owned();
        Ok((first, ticket))
    }

    /// Starts one more, which joins with the ticket.
    pub(crate) fn start_next(&mut self, ticket: &str) -> Result<()> {
        let index = self.children.len();
        let output = rc_node(&self.data_dir(index))?.args(["join", ticket]).output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        self.start(index, Some(ticket))
    }

    fn start(&mut self, index: usize, ticket: Option<&str>) -> Result<()> {
        let log = File::create(self.log(index))?;
        let mut command = rc_node(&self.data_dir(index))?;
        command.args(["run", "--name", &format!("bench-{index}"), "--listen", "127.0.0.1:0", "--http", "off"]);
        command.args(&self.flags);
        // The ticket has the first node's address; without multicast there is nothing to wait for.
        command.args(ticket.map(|_| "--no-mdns")).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.children.push(command.spawn()?);
        Ok(())
    }

    /// Waits until a node hears all the others.
    pub(crate) async fn wait_for_all(&self, client: &mut Client) -> Result<()> {
        let begun = Instant::now();
        while alive(&client.get::<Value>("/v1/peers").await?) < self.children.len() {
            pause(begun).await?;
        }
        Ok(())
    }

    /// The way to a node, once it answers.
    pub(crate) async fn client(&self, index: usize) -> Result<Client> {
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

    /// Where a node keeps its data.
    pub(crate) fn data_dir(&self, index: usize) -> PathBuf {
        self.dir.join(index.to_string())
    }

    /// What a node has said.
    pub(crate) fn log(&self, index: usize) -> PathBuf {
        self.dir.join(format!("{index}.log"))
    }

    /// The process numbers.
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.children.iter().map(Child::id).collect()
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
    // What is measured is the program, also on a laptop whose battery runs low.
    command.env("RC_NODE_POLICY", "battery.min=off; charge_only=off; temp.max=off");
    Ok(command)
}

/// How many devices of an answer to `/v1/peers` take work.
pub(crate) fn alive(peers: &Value) -> usize {
    let takes_work = |peer: &&Value| matches!(peer["state"].as_str(), Some("idle" | "working"));
    peers.as_array().map_or(0, |peers| peers.iter().filter(takes_work).count())
}

async fn pause(begun: Instant) -> Result<()> {
    if begun.elapsed() > START_TIME_MAX {
        return Err("the nodes take too long to start; see their logs".into());
    }
    tokio::time::sleep(Duration::from_millis(5)).await;
    Ok(())
}
