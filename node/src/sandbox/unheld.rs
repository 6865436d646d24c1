//! Systems whose means of holding a process are not used yet: nothing is taken from anybody, and everybody is told so.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{Exit, Hold, LaunchError, Process, Program, Tier};

/// Nowhere.
pub(super) const WORK: &str = "/work";

/// There is none.
#[derive(Debug)]
pub(super) enum Spawner {}

impl Spawner {
    pub(super) fn start(_: &Path, _: bool) -> io::Result<Self> {
        Err(io::Error::other("this system has no sandbox that is known here"))
    }

    pub(super) fn own_network(&self) -> bool {
        match *self {}
    }

    pub(super) async fn launch(&self, _: Program, _: &Hold, _: Tier, _: u64) -> Result<Process, LaunchError> {
        match *self {}
    }
}

/// There is none.
#[derive(Debug)]
pub(super) enum Held {}

impl Held {
    pub(super) async fn wait(&mut self) -> io::Result<Exit> {
        match *self {}
    }

    pub(super) fn signal(&self, _: i32) {
        match *self {}
    }
}

/// Nobody starts it.
pub(super) fn serve() -> ExitCode {
    ExitCode::from(2)
}

/// What a worker may still reach. Nothing, unless something is named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkerGrants {
    /// Files and directories to read.
    pub read: Vec<PathBuf>,
    /// Files and directories to read and change.
    pub write: Vec<PathBuf>,
}

/// What holds from now on. What does not was not to be had on this system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restricted {
    /// No file can be opened but those that were granted.
    pub files: bool,
    /// No sockets, programs, processes, signals to others, and nothing of the kernel's workshop.
    pub calls: bool,
}

impl Restricted {
    /// Whether everything holds.
    pub fn is_full(self) -> bool {
        self.files && self.calls
    }
}

/// Takes nothing from the calling process, and says so.
///
/// # Errors
/// Files are granted, which nothing here can hold the worker to.
pub fn restrict_worker(grants: &WorkerGrants) -> io::Result<Restricted> {
    if !grants.read.is_empty() || !grants.write.is_empty() {
        return Err(io::Error::other("files are granted to a worker, and this system cannot hold it to them"));
    }
    Ok(Restricted { files: false, calls: false })
}
