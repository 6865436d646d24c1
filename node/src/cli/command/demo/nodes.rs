//! The demo's nodes: child processes that die with this one, in a directory that goes away.

use crate::cli::command::{invite::Ticket, join};
use crate::cli::error::{CliError, Exit};
use crate::client::Client;
use crate::config::paths;
use hyper::Method;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// What the nodes are called.
pub(super) const NAMES: [&str; 3] = ["old-laptop", "phone", "nas"];

const START_TIME_MAX: Duration = Duration::from_secs(20);
const STOP_TIME_MAX: Duration = Duration::from_secs(8);
const POLL: Duration = Duration::from_millis(50);

/// The nodes that run.
pub(super) struct Nodes {
    dir: PathBuf,
    children: Vec<Child>,
}

fn failed(what: &str, why: impl ToString) -> CliError {
    CliError::new(Exit::Failed, what, why.to_string(), "")
}

impl Nodes {
    /// None yet, and a directory for them.
    pub(super) fn new() -> Result<Self, CliError> {
        let dir = std::env::temp_dir().join(format!("rc-node-demo-{}", std::process::id()));
        // One that is there already may be somebody else's trap.
        let made = fs::create_dir(&dir)
            .and_then(|()| fs::set_permissions(&dir, std::os::unix::fs::PermissionsExt::from_mode(0o700)));
        made.map_err(|error| failed("cannot make a directory", format!("{}: {error}", dir.display())))?;
        Ok(Self { dir, children: Vec::new() })
    }

    pub(super) fn data_dir(&self, index: usize) -> PathBuf {
        self.dir.join(NAMES[index])
    }

    fn log(&self, index: usize) -> PathBuf {
        self.dir.join(format!("{}.log", NAMES[index]))
    }

    pub(super) fn client(&self, index: usize) -> Client {
        let env = |name| std::env::var_os(name);
        let socket = paths::socket(&self.data_dir(index), &env);
        Client::new(&socket.unwrap_or_else(|_| self.data_dir(index)))
    }

    /// The first node's ticket.
    pub(super) async fn ticket(&self) -> Result<String, CliError> {
        let Ticket { ticket } = self.client(0).get("/v1/invite").await?;
        Ok(ticket)
    }

    /// Starts a node and waits until it answers.
    pub(super) async fn start(&mut self, index: usize, ticket: Option<&str>) -> Result<(), CliError> {
        let data_dir = self.data_dir(index);
        if let Some(ticket) = ticket {
            join::store(&data_dir, ticket)?;
        }
        let log = File::create(self.log(index)).and_then(|log| Ok((log.try_clone()?, log)));
        let (out, err) = log.map_err(|error| failed("cannot write a log", error))?;
        let program = std::env::current_exe().map_err(|error| failed("cannot find rc-node", error))?;
        let mut command = Command::new(program);
        let settings = std::env::vars_os().map(|(name, _)| name);
        for name in settings.filter(|name| name.to_string_lossy().starts_with("RC_NODE_")) {
            command.env_remove(name);
        }
        let role = ["worker", "mobile", "storage"][index];
        let child = command
            .arg("run")
            .args(["--name", NAMES[index], "--role", role])
            .args(["--listen", "127.0.0.1:0", "--http", "off", "--no-mdns"])
            .args([Path::new("--config"), Path::new("/dev/null")])
            // It shall be seen to work, on battery or not.
            .args(["--policy", "battery.min=off", "--policy", "charge_only=off", "--policy", "temp.max=off"])
            .args([Path::new("--data-dir"), &data_dir])
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            // Ctrl-C is for this process, which stops its nodes in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed("cannot start a node", error))?;
        self.children.push(child);
        let answers = async {
            while self.client(index).connect().await.is_err() {
                let child = self.children.last_mut();
                if child.is_some_and(|child| !matches!(child.try_wait(), Ok(None))) {
                    return false;
                }
                tokio::time::sleep(POLL).await;
            }
            true
        };
        match tokio::time::timeout(START_TIME_MAX, answers).await {
            Ok(true) => Ok(()),
            _ => Err(self.complain("a node did not start")),
        }
    }

    /// An error with the last lines of the last node's log.
    pub(super) fn complain(&self, what: &str) -> CliError {
        let index = self.children.len().saturating_sub(1);
        let log = fs::read(self.log(index)).unwrap_or_default();
        let text = String::from_utf8_lossy(&log);
        let lines: Vec<_> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(10)..].join("\n");
        CliError::new(Exit::Failed, what, tail, "")
    }

    /// Stops all of them, kindly first, and removes what they left.
    pub(super) async fn stop(mut self) {
        for index in 0..self.children.len() {
            // A node that does not listen is killed below.
            let _ = self.client(index).request(Method::POST, "/v1/shutdown", None).await;
        }
        let gone = async {
            for child in &mut self.children {
                let _ = child.wait().await;
            }
        };
        if tokio::time::timeout(STOP_TIME_MAX, gone).await.is_err() {
            for child in &mut self.children {
                let _ = child.kill().await;
            }
        }
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.start_kill();
        }
        if let Err(error) = fs::remove_dir_all(&self.dir) {
            tracing::debug!(%error, "the demo's directory stays");
        }
    }
}
