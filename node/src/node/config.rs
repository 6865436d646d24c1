//! What a node is started with. Does not know where the values come from (flags, files).

use super::hooks::Hooks;
use crate::blobs::StoreLimits;
use crate::handlers::TaskHandler;
use crate::policy::Limits;
use crate::telemetry::otlp::Collector;
use rc_p2p::Multiaddr;
use rc_scheduler::Role;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Task types that cannot reach anything on the device.
pub(super) const ALLOW_DEFAULT: [&str; 5] = ["echo", "sleep", "system_info", "python_eval", "wasm"];

/// Name servers for everybody, of two operators, at the port that the fewest networks shut.
pub const INTERNET_PROBE_DEFAULT: [SocketAddr; 3] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(1, 1, 1, 1)), 443),
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(9, 9, 9, 9)), 443),
    SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2606, 0x4700, 0x4700, 0, 0, 0, 0, 0x1111)), 443),
];

/// Everything [`Node::start`](super::Node::start) needs.
#[derive(Clone)]
pub struct NodeConfig {
    /// Identity, cluster and log live there. Created for this user alone if it is not there.
    pub data_dir: PathBuf,
    /// What the others call it.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// Words that tasks can ask for.
    pub tags: BTreeSet<String>,
    /// TCP addresses to listen on; empty is all interfaces. Port 0 is a free one, and from then on the same one.
    pub listen: Vec<Multiaddr>,
    /// Addresses to find the cluster at, besides those that are remembered.
    pub peers: Vec<Multiaddr>,
    /// Look for members on the local network.
    pub mdns: bool,
    /// Task types to run here, and permissions (`read_files`, …) granted beyond those that these types cannot do without. Default:
    /// the harmless types `echo sleep system_info python_eval wasm`.
    pub allow: BTreeSet<String>,
    /// Files and directories that tasks may have, if the permissions `read_files` or `write_files` are granted and a task asks. None
    /// by default.
    pub allowed_paths: Vec<PathBuf>,
    /// More of these while this device is the only member: whoever types a command here may run it here, and nobody else can ask. As
    /// soon as another member is met, types among them are offered no more.
    pub allow_alone: BTreeSet<String>,
    /// What `http_request` may reach besides public addresses: `192.168.1.0/24:8080`, `127.0.0.1:9000`, `[fd00::]/8`.
    pub http_allow: Vec<String>,
    /// Tasks at once. Default 5, on a mobile device 2.
    pub max_concurrent_tasks: u32,
    /// What its owner says of when it works. `None`: it always does, and `policy` keeps nothing.
    pub policy: Option<OwnerSays>,
    /// How much room large data may take, and how long it stays.
    pub blobs: StoreLimits,
    /// How long ended tasks that it accepted are kept, in time that it runs. Default: seven days.
    pub retention: Duration,
    /// How many of them are kept; of more, the oldest are forgotten early. Default: 100,000.
    pub keep_tasks: usize,
    /// Open tasks that it holds, its own and those that it keeps for others; of more, it accepts none. Default: 1,000,000.
    pub queue_max: usize,
    /// What is dialled to find out whether there is a way to the Internet, while some task wants to know: a TCP handshake and nothing
    /// more. Empty: never, and no task that needs the Internet comes here.
    pub internet_probe: Vec<SocketAddr>,
    /// Where it is told that a task has failed in its last attempt, if this device decided so: an `http` or `https` address that gets
    /// the event as JSON.
    pub alert_webhook: Option<String>,
    /// More task types; they need not be in `allow`.
    pub handlers: Vec<Arc<dyn TaskHandler>>,
    /// More task types, each done by a program with its arguments, see [`script`](crate::handlers::script).
    pub scripts: BTreeMap<String, Vec<String>>,
    /// Hears what happens to tasks. A node with hooks runs until it is stopped; dropping it is not enough.
    pub hooks: Option<Arc<dyn Hooks>>,
    /// Where spans of tasks accepted here are sent. Default: nowhere.
    pub otlp: Option<Collector>,
    /// The program that is started as workers and to start commands; it must call [`crate::worker_main`]. Default: this program.
    pub worker_program: Option<PathBuf>,
}

/// The owner's limits, by who says them. What is said while the node runs stands between the two.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnerSays {
    /// In the configuration file.
    pub file: Limits,
    /// With this start: they win.
    pub flags: Limits,
}

impl NodeConfig {
    /// Defaults for everything but where and under which name.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>, name: impl Into<String>) -> Self {
        let phone = cfg!(target_os = "android");
        Self {
            data_dir: data_dir.into(),
            name: name.into(),
            role: if phone { Role::Mobile } else { Role::Worker },
            tags: BTreeSet::new(),
            listen: Vec::new(),
            peers: Vec::new(),
            mdns: true,
            allow: ALLOW_DEFAULT.map(str::to_owned).into(),
            allowed_paths: Vec::new(),
            allow_alone: BTreeSet::new(),
            http_allow: Vec::new(),
            max_concurrent_tasks: if phone { 2 } else { 5 },
            policy: Some(OwnerSays::default()),
            blobs: StoreLimits::default(),
            retention: Duration::from_secs(7 * 24 * 3_600),
            keep_tasks: 100_000,
            queue_max: rc_scheduler::QUEUE_MAX as usize,
            internet_probe: INTERNET_PROBE_DEFAULT.to_vec(),
            alert_webhook: None,
            handlers: Vec::new(),
            scripts: BTreeMap::new(),
            hooks: None,
            otlp: None,
            worker_program: None,
        }
    }
}

impl std::fmt::Debug for NodeConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut show = f.debug_struct("NodeConfig");
        show.field("data_dir", &self.data_dir).field("name", &self.name).field("allow", &self.allow);
        show.finish_non_exhaustive()
    }
}
