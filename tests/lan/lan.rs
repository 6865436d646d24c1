//! Devices on a LAN of their own, one per host, and a place for their data.

use crate::api::Api;
use crate::device::Device;
use crate::net::{self, Family, Net};
use crate::wait::until;
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;
use tempfile::TempDir;

/// Scenarios measure times, so that they run one at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Long enough for anything without a time of its own; reached only when something is broken.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The names that devices get, in order.
pub const NAMES: [&str; 6] = ["attic", "barn", "cellar", "den", "eaves", "foyer"];

/// Devices and their network. Fields go in this order: nodes before their namespaces.
pub struct Lan {
    pub devices: Vec<Device>,
    pub net: Net,
    pub dir: TempDir,
    _alone: MutexGuard<'static, ()>,
}

/// Prints a line that the test harness does not hide.
pub fn note(text: &str) {
    // Nobody needs it if stderr is closed.
    let _ = writeln!(std::io::stderr(), "lan: {text}");
}

impl Lan {
    /// So many devices on one LAN, none started. `None` if this machine cannot, which is a failure in CI.
    pub fn new(count: usize, family: Family) -> Option<Self> {
        if let Some(why) = net::missing() {
            assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "CI must run the LAN tests: {why}");
            note(&format!("skipped: {why}"));
            return None;
        }
        let alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let net = Net::new(count, family);
        let dir = tempfile::tempdir().expect("a temporary directory");
        let device = |host: usize| Device::new(dir.path(), NAMES[host], &["ip", "netns", "exec", &net.host(host)]);
        let devices = (0..count).map(device).collect();
        Some(Self { devices, net, dir, _alone: alone })
    }

    /// All devices in one cluster, started at once and aware of each other.
    pub fn cluster(count: usize, flags: &[&str]) -> Option<Self> {
        Self::cluster_of(count, |_| flags.iter().map(ToString::to_string).collect())
    }

    fn cluster_of(count: usize, flags: impl Fn(&str) -> Vec<String>) -> Option<Self> {
        let mut lan = Self::new(count, Family::Both)?;
        let all: Vec<_> = (0..count).collect();
        lan.join(&all);
        for device in &mut lan.devices {
            device.flags = flags(&device.name);
        }
        lan.start(&all);
        lan.all_see_all();
        Some(lan)
    }

    /// The same where commands run, and may read and write two directories in the one that is returned: `all`, which the hosts share,
    /// and one that has the name of the host; they see no other.
    pub fn with_commands(count: usize) -> Option<(Self, TempDir)> {
        let place = tempfile::tempdir().expect("room");
        for name in NAMES.iter().chain(&["all"]) {
            let path = place.path().join(name);
            fs::create_dir(&path).expect("it is new");
            // Commands run as an ordinary user.
            fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("it is ours");
        }
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
        let path = |name: &str| place.path().join(name).to_str().expect("a path of ours").to_owned();
        let lan = Self::cluster_of(count, |name| {
            let (all, own) = (path("all"), path(name));
            let flags = ["--allow", "command,read_files,write_files", "--allowed-path", &all, "--allowed-path", &own];
            flags.map(str::to_owned).to_vec()
        })?;
        Some((lan, place))
    }

    /// A ticket of this device's cluster, which the device founds if it is in none. It tells no address that another can reach, so that
    /// whoever joins with it has to find the others. No node runs there before or after.
    pub fn bare_ticket(&mut self, host: usize) -> String {
        let device = &mut self.devices[host];
        let flags =
            std::mem::replace(&mut device.flags, ["--no-mdns", "--listen", "127.0.0.1:0"].map(String::from).into());
        device.start();
        let ticket = device.ticket();
        device.kill();
        device.flags = flags;
        ticket
    }

    /// Makes these devices members of the first one's cluster.
    pub fn join(&mut self, hosts: &[usize]) {
        let ticket = self.bare_ticket(hosts[0]);
        for host in &hosts[1..] {
            self.devices[*host].join(&ticket);
        }
    }

    /// Starts these nodes, all at once, and waits until all of them answer.
    pub fn start(&mut self, hosts: &[usize]) {
        for host in hosts {
            self.devices[*host].spawn();
        }
        for host in hosts {
            self.devices[*host].ready();
        }
    }

    /// Waits until these devices see each other and nobody else; says after how long.
    pub fn see_each_other(&self, hosts: &[usize], patience: Duration) -> Duration {
        let expected: BTreeSet<_> = hosts.iter().map(|host| NAMES[*host].to_owned()).collect();
        let ((), took) = until(&format!("{expected:?} see each other, and nobody else"), patience, || {
            for host in hosts {
                let seen = self.devices[*host].sees();
                if seen != expected {
                    return Err(format!("{} sees {seen:?}", NAMES[*host]));
                }
            }
            Ok(())
        });
        took
    }

    /// Waits until all devices see each other.
    pub fn all_see_all(&self) {
        self.see_each_other(&(0..self.devices.len()).collect::<Vec<_>>(), PATIENCE);
    }

    /// The way to a host's node.
    pub fn api(&self, host: usize) -> Api {
        Api { socket: self.devices[host].dir.join("node.sock") }
    }

    /// Stops every process of a host where it is, as suspending the device does. Time goes on.
    pub fn freeze(&self, host: usize) {
        self.net.signal(host, Signal::STOP);
    }

    /// Lets them go on.
    pub fn thaw(&self, host: usize) {
        self.net.signal(host, Signal::CONT);
    }

    /// The host of this name.
    pub fn host_of(&self, name: &str) -> usize {
        self.devices.iter().position(|device| device.name == name).expect("a device of the test")
    }

    /// Waits until a task runs, and returns the host that runs it, which is asked itself: it knows first.
    pub fn runner(&self, asked: usize, id: &str) -> usize {
        let (host, _) = until("the task runs", PATIENCE, || {
            let shown = self.devices[asked].show(id)?;
            let name = shown["device"].as_str().ok_or_else(|| format!("{shown:#}"))?;
            let host = self.host_of(name);
            let own = self.devices[host].show(id)?;
            let runs = own["status"] == "running" && own["device"] == name;
            if runs { Ok(host) } else { Err(format!("{own:#}")) }
        });
        host
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // For whoever wants to know what went wrong.
            self.dir.disable_cleanup(true);
            note(&format!("data and logs are in {}", self.dir.path().display()));
        }
    }
}
