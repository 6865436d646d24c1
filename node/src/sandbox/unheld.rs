//! Systems whose means of holding a process are not used yet: nothing is taken from anybody, and everybody is told so.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use super::worker::{Restricted, WorkerGrants};
use super::{Exit, Hold, LaunchError, Process, Program, Tier};

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
