//! A device for tests that only know the binary: a data directory, the node that runs on it, and its command line.
//!
//! Imports nothing of ours and does not know what network the device is on: whoever makes it says how its processes are started.

use crate::wait::until;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The longest that one invocation of the command line may take.
const COMMAND_TIME_MAX: Duration = Duration::from_secs(90);
/// The longest from starting a node to its first answer.
const START_TIME_MAX: Duration = Duration::from_secs(15);
/// Lines of a node's log that a failed test prints.
const LOG_LINES_SHOWN: usize = 60;

/// What an invocation of the command line left.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    /// Its standard output, read as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A device and the node that runs on it, if one does. Its node dies with it.
pub struct Device {
    pub name: String,
    pub dir: PathBuf,
    /// Goes before the binary, e.g. `ip netns exec NAME`.
    prefix: Vec<String>,
    /// What the node is started with.
    pub flags: Vec<String>,
    /// What its node logs, if not the usual.
    pub log_level: Option<String>,
    node: Option<Child>,
}

impl Device {
    /// A device that keeps its data below `base`.
    pub fn new(base: &Path, name: &str, prefix: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            dir: base.join(name),
            prefix: prefix.iter().map(ToString::to_string).collect(),
            flags: Vec::new(),
            log_level: None,
            node: None,
        }
    }

    /// The command line with these arguments, for this device.
    pub fn command(&self, args: &[&str]) -> Command {
        let binary = env!("CARGO_BIN_EXE_rc-node");
        let mut command = match self.prefix.split_first() {
            None => Command::new(binary),
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(binary);
                command
            }
        };
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("RC_NODE_") && name != "RC_NODE_LOG" {
                command.env_remove(name);
            }
        }
        // The tests' machine may be a laptop whose battery runs low.
        command.env("RC_NODE_POLICY", "battery.min=off; charge_only=off; temp.max=off");
        command.env("RC_NODE_CONFIG", "/dev/null").env("RC_NODE_DATA_DIR", &self.dir).args(args);
        command
    }

    fn log_path(&self) -> PathBuf {
        self.dir.with_extension("log")
    }

    /// The log of all nodes that ran here.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// Starts the node and does not wait for it.
    pub fn spawn(&mut self) {
        assert!(self.node.is_none(), "{} runs already", self.name);
        let log = OpenOptions::new().create(true).append(true).open(self.log_path()).expect("a log file");
        let mut command = self.command(&["run", "--name", &self.name]);
        command.args(&self.flags).stdin(Stdio::null());
        command.envs(self.log_level.iter().map(|level| ("RC_NODE_LOG", level)));
        command.stdout(log.try_clone().expect("a log file")).stderr(log);
        self.node = Some(command.spawn().expect("a node starts"));
    }

    /// Waits until the node answers.
    pub fn ready(&mut self) {
        let what = format!("{} answers", self.name);
        until(&what, START_TIME_MAX, || {
            if let Some(ended) = self.node.as_mut().expect("it was started").try_wait().expect("a child") {
                panic!("the node of {} ended: {ended}", self.name);
            }
            let said = self.say(&["status"]);
            if said.code == 0 { Ok(()) } else { Err(said.err) }
        });
    }

    /// Starts the node and waits until it answers.
    pub fn start(&mut self) {
        self.spawn();
        self.ready();
    }

    /// `kill -9`; it is dead on return.
    pub fn kill(&mut self) {
        let mut node = self.node.take().expect("it runs");
        node.kill().expect("it can be killed");
        node.wait().expect("it was a child");
    }

    /// The node is still the process that was started.
    pub fn is_alive(&mut self) -> bool {
        self.node.as_mut().is_some_and(|node| node.try_wait().expect("a child").is_none())
    }

    /// Runs a verb.
    pub fn say(&self, args: &[&str]) -> Said {
        finish(self.command(args), b"")
    }

    /// Runs a verb that must succeed and returns the JSON that it prints.
    pub fn json(&self, args: &[&str]) -> Value {
        let said = self.say(&[args, &["-o", "json"]].concat());
        assert_eq!(said.code, 0, "{} {args:?}: {said:?}", self.name);
        said.json()
    }

    /// Makes the device a member of the cluster that a ticket is from.
    pub fn join(&self, ticket: &str) {
        let said = self.say(&["join", ticket]);
        assert_eq!(said.code, 0, "{said:?}");
    }

    /// The ticket of the device's cluster.
    pub fn ticket(&self) -> String {
        let said = self.say(&["invite"]);
        assert_eq!(said.code, 0, "{said:?}");
        said.out.trim().to_owned()
    }

    /// Submits a task that is accepted, and returns its id.
    pub fn submit(&self, args: &[&str]) -> String {
        let said = self.say(&[&["submit"], args, &["-o", "json"]].concat());
        assert!(matches!(said.code, 0 | 7), "{} {args:?}: {said:?}", self.name);
        said.json()["task_id"].as_str().expect("an id").to_owned()
    }

    /// Names of the devices that are up, this one included.
    pub fn sees(&self) -> BTreeSet<String> {
        let said = self.say(&["peers", "-o", "json"]);
        let peers = if said.code == 0 { said.json() } else { Value::Null };
        let is_up = |peer: &&Value| !matches!(peer["state"].as_str(), Some("suspect" | "dead") | None);
        let peers = peers.as_array().into_iter().flatten().filter(is_up);
        peers.filter_map(|peer| peer["name"].as_str().map(str::to_owned)).collect()
    }

    /// A task and its attempts; `Err` if the device cannot tell now.
    pub fn show(&self, id: &str) -> Result<Value, String> {
        let said = self.say(&["show", id, "-o", "json"]);
        if said.code == 0 { Ok(said.json()) } else { Err(format!("{}: {}", self.name, said.err)) }
    }

    /// The result object of a task that has ended, however it did.
    pub fn result(&self, id: &str, patience: Duration) -> Value {
        let timeout = format!("{}ms", patience.as_millis());
        let said = self.say(&["wait", id, "--timeout", &timeout, "-o", "json"]);
        let ended = matches!(said.code, 0 | 1);
        assert!(ended, "{}: no end of {id} within {patience:?}: {said:?}\n{:#}", self.name, self.json(&["show", id]));
        said.json()
    }
}

/// Runs a command with this on its standard input, to its end, but not for ever.
pub fn finish(mut command: Command, stdin: &[u8]) -> Said {
    // Files, not pipes: nothing has to be read while it runs.
    let mut files = [(); 3].map(|()| tempfile::tempfile().expect("a temporary file"));
    files[0].write_all(stdin).expect("room");
    files[0].rewind().expect("a file");
    let [stdin, stdout, stderr] = files.each_ref().map(|file| file.try_clone().expect("a file"));
    let mut child = command.stdin(stdin).stdout(stdout).stderr(stderr).spawn().expect("it starts");
    let deadline = Instant::now() + COMMAND_TIME_MAX;
    let status = loop {
        match child.try_wait().expect("a child") {
            Some(status) => break status,
            None if Instant::now() > deadline => {
                child.kill().expect("it can be killed");
                break child.wait().expect("a child");
            }
            None => std::thread::sleep(Duration::from_millis(3)),
        }
    };
    let [_, out, err] = files.each_mut().map(read);
    Said { code: status.code().unwrap_or(-1), out, err }
}

fn read(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("a file");
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Drop for Device {
    fn drop(&mut self) {
        if let Some(mut node) = self.node.take() {
            // It may be dead already.
            let _ = node.kill();
            let _ = node.wait();
        }
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let shown = &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..];
            eprintln!("---- log of {} (last {} of {} lines)", self.name, shown.len(), lines.len());
            eprintln!("{}", shown.join("\n"));
        }
    }
}
