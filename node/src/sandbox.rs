//! Starting processes for tasks, and ending them: the one seam through which every process of a task comes to life.
//!
//! A program that somebody else wrote is started by a [`Shelter`], which holds it as well as this device can: see [`Tier`]. Our own
//! workers are started by [`PlainLauncher`], which gives a process group, limits, a clean environment and death with the node.
//! Does not know what the processes are for.
//!
//! A worker process of ours (an interpreter) calls [`restrict_worker`] on itself, first thing, with what it may still reach;
//! from then on it can compute and talk over its pipes.
//!
//! The only place with `unsafe`: what has to happen between fork and exec, `wait4`, and giving memory back ([`give_back_memory`]) have
//! no safe form.

#![expect(unsafe_code, reason = "system calls that have no safe form; each use states why it is sound")]

#[cfg(unix)]
mod groups;
#[cfg(unix)]
mod limits;
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64", target_arch = "arm")
))]
mod linux;
#[cfg(unix)]
mod memory;
#[cfg(unix)]
mod plain;
#[cfg(unix)]
mod process;
#[cfg(unix)]
mod shelter;
#[cfg(unix)]
mod survivors;
#[cfg(unix)]
mod sys;
#[cfg(unix)]
mod tree;
#[cfg(all(
    unix,
    not(all(
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64", target_arch = "arm")
    ))
))]
mod unheld;
#[cfg(unix)]
mod usage;
#[cfg(unix)]
mod user;
#[cfg(unix)]
mod worker;

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64", target_arch = "arm")
))]
use linux as held;
#[cfg(all(
    unix,
    not(all(
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64", target_arch = "arm")
    ))
))]
use unheld as held;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

#[cfg(unix)]
pub use groups::{Group, GroupLimits, Groups};
#[cfg(unix)]
pub use held::restrict_worker;
#[cfg(unix)]
pub use memory::give_back as give_back_memory;
#[cfg(unix)]
pub use plain::PlainLauncher;
#[cfg(unix)]
pub use process::{Exit, Process};
#[cfg(unix)]
pub use shelter::{Shelter, ShelterConfig};
#[cfg(unix)]
pub use tree::TreeUsage;
#[cfg(unix)]
pub use usage::own_usage;
#[cfg(unix)]
pub use user::{TaskUser, task_user};
#[cfg(unix)]
pub use worker::{Restricted, WorkerGrants};

/// Where a program finds its work directory, when it has a file system of its own. `/tmp` is the same place.
#[cfg(unix)]
const WORK: &str = "/task";

/// The kind that [`crate::worker_main`] gets for the process that starts programs.
pub const SPAWNER_KIND: &str = "spawner";

/// What holds a program on this device. The number is the device record's `sandbox_level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Tier {
    /// Limits, a clean environment and a process group; it can reach whatever its user can.
    #[default]
    Limits = 0,
    /// The kernel filters its system calls, files and signals: no network, no files but those granted, nobody else's processes.
    Filters = 1,
    /// On top of that, namespaces: what it must not reach is not there at all.
    Namespaces = 2,
}

impl Tier {
    /// For people.
    pub fn text(self) -> &'static str {
        match self {
            Self::Limits => "limits only",
            Self::Filters => "filters",
            Self::Namespaces => "namespaces",
        }
    }
}

/// What a program is let reach, on the tiers that can hold it to that.
#[cfg(unix)]
#[derive(Debug)]
pub struct Hold {
    /// The directory that is its own: absolute, there, and its user's.
    pub work: PathBuf,
    /// Sockets of the internet protocols.
    pub network: bool,
    /// What it may read besides the system's programs.
    pub read: Vec<PathBuf>,
    /// What it may read and change besides its work directory.
    pub write: Vec<PathBuf>,
    /// Processes and threads at once, where they can be counted for it alone.
    pub processes_max: u64,
    /// Open `cgroup.procs` of the control groups to join.
    pub groups: Vec<std::os::fd::OwnedFd>,
}

/// Bounds that the kernel enforces on each process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProcessLimits {
    /// Private memory (`RLIMIT_DATA`: an address-space limit would break runtimes that reserve more than they use).
    pub memory_bytes: Option<u64>,
    /// Largest file written.
    pub file_bytes: Option<u64>,
    /// Open files.
    pub open_files: Option<u64>,
    /// Stack of the main thread.
    pub stack_bytes: Option<u64>,
}

/// What to run. The environment is exactly `env`: nothing is inherited.
#[derive(Debug, Clone)]
pub struct Program {
    /// The program, looked up in the `PATH` of `env` if it has no slash.
    pub program: OsString,
    /// Its arguments, without the program's own name.
    pub args: Vec<OsString>,
    /// Its environment.
    pub env: Vec<(OsString, OsString)>,
    /// Its working directory. With a [`Hold`], below the work directory unless it is absolute.
    pub cwd: PathBuf,
    /// Whether it gets a pipe as stdin; `/dev/null` otherwise.
    pub stdin: bool,
    /// Its bounds.
    pub limits: ProcessLimits,
}

/// A process that could not be started; nothing of it is left.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The system refused.
    #[error("cannot start `{program}`: {source}")]
    Spawn {
        /// What was to be run.
        program: String,
        /// Why not.
        source: std::io::Error,
    },
    /// Its working directory is not there, or not for it.
    #[error("no such working directory: {0}")]
    Directory(std::io::Error),
    /// It could not be held as it must be, so it was not let run.
    #[error("the sandbox failed: {0}")]
    Hold(String),
    /// The launcher itself is gone.
    #[error("the process launcher does not run")]
    Gone,
}

/// How long to wait for pipes that a process outside of the task's group keeps open.
pub const PIPE_GRACE: Duration = Duration::from_millis(500);

/// Starts processes.
#[cfg(unix)]
#[async_trait::async_trait]
pub trait Launcher: Send + Sync {
    /// Starts a program as the leader of a process group of its own.
    ///
    /// # Errors
    /// It could not be started.
    async fn launch(&self, program: Program) -> Result<Process, LaunchError>;
}

/// This very program, also after an update has replaced its file.
///
/// # Errors
/// The system does not say.
#[cfg(unix)]
pub fn own_executable() -> std::io::Result<PathBuf> {
    let link = PathBuf::from("/proc/self/exe");
    if link.exists() { Ok(link) } else { std::env::current_exe() }
}

/// The process that starts programs for a node. Serves at standard input, which is a socket, until the node goes away.
#[cfg(unix)]
pub fn serve_spawner() -> std::process::ExitCode {
    held::serve()
}
