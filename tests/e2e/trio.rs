//! Three nodes of one cluster on loopback.

use crate::device::Device;
use crate::wait::until;
use std::time::Duration;
use tempfile::TempDir;

/// Long enough for anything; reached only when something is broken.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What the nodes are called.
pub const NAMES: [&str; 3] = ["attic", "barn", "cellar"];

/// The nodes, and where their data is. Nodes go first.
pub struct Trio {
    pub nodes: Vec<Device>,
    _dir: TempDir,
}

/// A device that finds others only by address and listens only on loopback.
pub fn device(dir: &TempDir, name: &str, more: &[&str]) -> Device {
    let mut device = Device::new(dir.path(), name, &[]);
    let quiet = ["--no-mdns", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"];
    device.flags = quiet.iter().chain(more).map(ToString::to_string).collect();
    device
}

/// Where a node that runs listens for others, as `--peer` takes it.
pub fn address(device: &Device) -> String {
    device.json(&["status"])["listening"][0].as_str().expect("an address").to_owned()
}

impl Trio {
    /// Started and aware of each other.
    pub fn start(more: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut nodes: Vec<_> = NAMES.iter().map(|name| device(&dir, name, more)).collect();
        nodes[0].start();
        let (ticket, peer) = (nodes[0].ticket(), address(&nodes[0]));
        for node in &mut nodes[1..] {
            node.join(&ticket);
            node.flags.extend(["--peer".to_owned(), peer.clone()]);
            node.spawn();
        }
        nodes[1..].iter_mut().for_each(Device::ready);
        let trio = Self { nodes, _dir: dir };
        trio.complete();
        trio
    }

    /// Waits until every node sees all three.
    pub fn complete(&self) {
        for node in &self.nodes {
            until("all see all", PATIENCE, || {
                let seen = node.sees();
                if seen.len() == NAMES.len() { Ok(()) } else { Err(format!("{} sees {seen:?}", node.name)) }
            });
        }
    }

    /// Waits until a task that the first accepted runs, and returns the node that runs it, which is asked itself: it knows first.
    pub fn runner(&self, id: &str) -> usize {
        let (at, _) = until("it runs", PATIENCE, || {
            let shown = self.nodes[0].show(id)?;
            let name = shown["device"].as_str().ok_or_else(|| format!("{shown:#}"))?;
            let at = NAMES.iter().position(|known| *known == name).expect("one of three");
            let own = self.nodes[at].show(id)?;
            let runs = own["status"] == "running" && own["device"] == name;
            if runs { Ok(at) } else { Err(format!("{own:#}")) }
        });
        at
    }
}
