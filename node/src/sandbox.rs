//! Starting processes for tasks, and ending them: the one seam through which every process of a task comes to life.
//!
//! [`Launcher`] is the seam: [`PlainLauncher`] gives a process group, limits, a clean environment and death with the
//! node; launchers that isolate more replace it without the handlers noticing. Does not know what the processes are for.
//!
//! A worker process of ours (an interpreter) calls [`restrict_worker`] on itself, first thing, with what it may still reach;
//! from then on it can compute and talk over its pipes.
//!
//! The only place with `unsafe`: what has to happen between fork and exec, and `wait4`, have no safe form.

#![expect(unsafe_code, reason = "pre-exec set-up, wait4 and getrusage; each use states why it is sound")]

#[cfg(unix)]
mod limits;
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64", target_arch = "arm")
))]
mod linux;
#[cfg(unix)]
mod process;
#[cfg(unix)]
mod spawner;
#[cfg(unix)]
mod survivors;
#[cfg(unix)]
mod sys;
#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64", target_arch = "arm")
)))]
mod unheld;
#[cfg(unix)]
mod usage;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64", target_arch = "arm")
))]
pub use linux::{Restricted, WorkerGrants, restrict_worker};
#[cfg(unix)]
pub use process::{Exit, Process};
#[cfg(unix)]
pub use spawner::PlainLauncher;
#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64", target_arch = "arm")
)))]
pub use unheld::{Restricted, WorkerGrants, restrict_worker};
#[cfg(unix)]
pub use usage::own_usage;

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
    /// Its working directory.
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
