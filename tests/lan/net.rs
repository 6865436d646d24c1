//! A LAN in a box: hosts are network namespaces, joined by a bridge in a namespace of its own. Nothing touches the machine's own network.
//!
//! Knows addresses, links and packet filters; does not know what runs on the hosts.

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Distinguishes the LANs of one process.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// Which addresses the hosts have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4, and IPv6 as the kernel configures it by itself.
    Both,
    /// IPv6 only.
    V6,
}

/// The namespaces; they go away with it.
pub struct Net {
    tag: String,
    hosts: usize,
    family: Family,
}

/// Why no LAN can be made here, if so.
pub fn missing() -> Option<String> {
    if !cfg!(target_os = "linux") {
        return Some("network namespaces are Linux's".to_owned());
    }
    if fs::metadata("/proc/self").map_or(1, |meta| meta.uid()) != 0 {
        return Some("needs root".to_owned());
    }
    for (program, argument) in [("ip", "-Version"), ("nft", "--version")] {
        let ran = Command::new(program).arg(argument).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !ran.is_ok_and(|status| status.success()) {
            return Some(format!("needs the program `{program}`"));
        }
    }
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let probe = format!("rc{}-{count}-probe", std::process::id());
    let made = Command::new("ip").args(["netns", "add", &probe]).output();
    let _ = Command::new("ip").args(["netns", "del", &probe]).output();
    match made {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(format!("no namespaces here: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Some(error.to_string()),
    }
}

/// Sends a signal to every process in a namespace.
fn signal_all(namespace: &str, signal: Signal) {
    let output = Command::new("ip").args(["netns", "pids", namespace]).output().expect("it ran before");
    for process in String::from_utf8_lossy(&output.stdout).split_whitespace() {
        let process = process.parse().ok().and_then(Pid::from_raw).expect("the number of a process");
        match kill_process(process, signal) {
            // It may have ended by itself meanwhile.
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => panic!("{process:?} takes no signal: {error}"),
        }
    }
}

/// Removes what a run that was itself killed has left: namespaces that name a process which is no more, and the nodes in them.
fn sweep() {
    let said = |args: &[&str]| Command::new("ip").args(args).output().map(|output| output.stdout).unwrap_or_default();
    let listed = String::from_utf8_lossy(&said(&["netns", "list"])).into_owned();
    for name in listed.lines().filter_map(|line| line.split_whitespace().next()) {
        let owner = name.strip_prefix("rc").and_then(|rest| rest.split_once('-')?.0.parse::<u32>().ok());
        let Some(owner) = owner.filter(|owner| !Path::new(&format!("/proc/{owner}")).exists()) else { continue };
        signal_all(name, Signal::KILL);
        eprintln!("removing {name}, which process {owner} left behind");
        said(&["netns", "delete", name]);
    }
}

/// Runs a program with this on its standard input; it must succeed.
fn feed(program: &str, args: &[&str], input: &str) {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{program}: {error}"));
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("a child");
    assert!(output.status.success(), "{program} {args:?}: {}\n{input}", String::from_utf8_lossy(&output.stderr));
}

/// One `ip` command, its words separated by blanks.
fn ip(line: &str) {
    feed("ip", &line.split_whitespace().collect::<Vec<_>>(), "");
}

/// The hardware address of a host's interface.
pub fn mac(host: usize) -> String {
    format!("02:00:00:00:00:{:02x}", host + 1)
}

impl Net {
    /// So many hosts on one bridge.
    pub fn new(hosts: usize, family: Family) -> Self {
        sweep();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // Made before anything is, so that whatever was made is removed if the rest fails.
        let net = Self { tag: format!("rc{}-{count}", std::process::id()), hosts, family };
        let switch = net.switch();
        ip(&format!("netns add {switch}"));
        ip(&format!("-n {switch} link add br0 type bridge mcast_snooping 0"));
        ip(&format!("-n {switch} link set br0 up"));
        for host in 0..hosts {
            ip(&format!("netns add {}", net.host(host)));
            ip(&format!("-n {} link set lo up", net.host(host)));
            net.add_interface(host, host);
        }
        net
    }

    fn switch(&self) -> String {
        format!("{}-sw", self.tag)
    }

    /// The namespace of a host.
    pub fn host(&self, host: usize) -> String {
        format!("{}-h{host}", self.tag)
    }

    /// The address that the interface made with this number has.
    pub fn address(&self, number: usize) -> String {
        match self.family {
            Family::Both => format!("10.77.0.{}", number + 1),
            Family::V6 => format!("fd77::{:x}", number + 1),
        }
    }

    /// Gives a host an interface on the bridge. `number` chooses its address: that of the host's own, or of a new lease.
    pub fn add_interface(&self, host: usize, number: usize) {
        let (switch, name, mac) = (self.switch(), self.host(host), mac(host));
        ip(&format!("-n {switch} link add p{host} type veth peer name eth0 address {mac} netns {name}"));
        ip(&format!("-n {switch} link set p{host} master br0 up"));
        if self.family == Family::Both {
            ip(&format!("-n {name} address add {}/24 dev eth0", self.address(number)));
        }
        ip(&format!("-n {name} link set eth0 up"));
        if self.family == Family::V6 {
            ip(&format!("-n {name} -6 address add {}/64 dev eth0 nodad", self.address(number)));
        }
    }

    /// Takes the interface away, addresses and all, as when a USB adapter is pulled out.
    pub fn remove_interface(&self, host: usize) {
        ip(&format!("-n {} link delete eth0", self.host(host)));
    }

    /// Pulls the cable at the bridge: the host keeps interface and addresses, and nothing gets through.
    pub fn link_down(&self, host: usize) {
        ip(&format!("-n {} link set p{host} down", self.switch()));
    }

    /// Puts the cable back.
    pub fn link_up(&self, host: usize) {
        ip(&format!("-n {} link set p{host} up", self.switch()));
    }

    /// Makes a host deaf to some others, in IPv4 and IPv6. They still hear it.
    pub fn deafen(&self, host: usize, to: &[usize]) {
        let macs: Vec<_> = to.iter().map(|other| mac(*other)).collect();
        self.filter(host, &format!("ether saddr {{ {} }} drop", macs.join(", ")));
    }

    /// Cuts the LAN in two.
    pub fn split(&self, left: &[usize], right: &[usize]) {
        for host in left {
            self.deafen(*host, right);
        }
        for host in right {
            self.deafen(*host, left);
        }
    }

    /// Loses so many of a hundred packets that reach a host.
    pub fn lose(&self, host: usize, percent: u32) {
        self.filter(host, &format!("iifname != lo numgen random mod 100 < {percent} drop"));
    }

    /// Removes whatever filters there are.
    pub fn heal(&self) {
        for host in 0..self.hosts {
            self.nft(host, "flush ruleset");
        }
    }

    /// Replaces whatever filters a host has: it is deaf to some others, and loses so many of a hundred packets from the rest.
    pub fn impair(&self, host: usize, deaf_to: &[usize], percent: u32) {
        self.nft(host, "flush ruleset");
        if !deaf_to.is_empty() {
            self.deafen(host, deaf_to);
        }
        if percent > 0 {
            self.lose(host, percent);
        }
    }

    /// Sends a signal to every process of a host.
    pub fn signal(&self, host: usize, signal: Signal) {
        // Twice: the first may begin another before it is stopped itself.
        for _ in 0..2 {
            signal_all(&self.host(host), signal);
        }
    }

    fn filter(&self, host: usize, rule: &str) {
        self.nft(
            host,
            &format!(
                "table inet cut {{ chain in {{ type filter hook input priority 0; policy accept; {rule}\n }}\n}}\n"
            ),
        );
    }

    fn nft(&self, host: usize, rules: &str) {
        feed("ip", &["netns", "exec", &self.host(host), "nft", "-f", "-"], rules);
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for name in (0..self.hosts).map(|host| self.host(host)).chain([self.switch()]) {
            // A setup that failed half-way made only some of them.
            let _ = Command::new("ip").args(["netns", "delete", &name]).output();
        }
    }
}
