//! A running process of a task and the group it leads: wait for it, signal it, and never leave it behind.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::mpsc;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::signal::unix::{SignalKind, signal};

use super::held::Held;
use super::plain::Request;
use super::tree::{self, TreeUsage};
use super::usage::convert;
use super::{Tier, survivors};
use crate::handlers::ResourceUsage;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code or signal.
    pub status: ExitStatus,
    /// What it and those of its children that it waited for used.
    pub usage: ResourceUsage,
}

impl Exit {
    /// The code as a shell gives it: the exit code, or 128 plus the number of the signal that ended it.
    pub fn code(&self) -> i32 {
        self.status.code().or_else(|| self.status.signal().map(|n| 128 + n)).unwrap_or(-1)
    }

    /// The signal that ended it.
    pub fn signal(&self) -> Option<i32> {
        self.status.signal()
    }
}

/// A process that leads its own group, or lives in namespaces of its own. Dropping it kills everybody in there; somebody else then
/// collects the dead.
#[derive(Debug)]
pub struct Process {
    pid: Pid,
    tier: Tier,
    exit: Option<Exit>,
    keeper: Keeper,
    /// Its standard input, if it was asked for and not taken yet.
    pub stdin: Option<ChildStdin>,
    /// Its standard output.
    pub stdout: Option<ChildStdout>,
    /// Its standard error.
    pub stderr: Option<ChildStderr>,
}

/// Whose child it is.
#[derive(Debug)]
enum Keeper {
    /// This process's own; who collects it when nobody waits, and what those are known by that leave its group.
    Own(mpsc::Sender<Request>, Option<u32>),
    /// The spawner's.
    Spawner(Held),
}

impl Process {
    /// Takes charge of a program that the spawner started.
    pub(super) fn held(
        pid: i32,
        tier: Tier,
        held: Held,
        stdin: Option<ChildStdin>,
        stdout: ChildStdout,
        stderr: ChildStderr,
    ) -> io::Result<Self> {
        let pid = Pid::from_raw(pid).ok_or_else(|| io::Error::other("a program without a process id"))?;
        let keeper = Keeper::Spawner(held);
        Ok(Self { pid, tier, exit: None, keeper, stdin, stdout: Some(stdout), stderr: Some(stderr) })
    }

    /// Takes charge of a child that leads a group. Must be called on a runtime.
    pub(super) fn new(
        mut child: std::process::Child,
        brand: Option<u32>,
        reaper: mpsc::Sender<Request>,
    ) -> io::Result<Self> {
        let raw = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = raw.ok_or_else(|| io::Error::other("a child without a process id"))?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        // From here on the group dies if a pipe cannot be registered with the runtime.
        let keeper = Keeper::Own(reaper, brand);
        let mut process = Self { pid, tier: Tier::Limits, exit: None, keeper, stdin: None, stdout: None, stderr: None };
        process.stdin = stdin.map(ChildStdin::from_std).transpose()?;
        process.stdout = stdout.map(ChildStdout::from_std).transpose()?;
        process.stderr = stderr.map(ChildStderr::from_std).transpose()?;
        Ok(process)
    }

    /// How it is held.
    pub fn tier(&self) -> Tier {
        self.tier
    }

    /// Tells what all of its processes use at the moment, each time it is called. `None` if that cannot be seen, or they have ended.
    /// Takes a millisecond or more where they are only a group. Not to be called after [`wait`](Self::wait) has returned.
    pub fn looker(&self) -> impl FnOnce() -> Option<TreeUsage> + Clone + Send + 'static {
        let (pid, tier) = (self.id(), self.tier);
        move || tree::usage(Path::new("/proc"), pid, tier)
    }

    /// The process id of the leader, which is also the id of the group.
    pub fn id(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Waits for the leader to end, and kills whoever is left of its group then. Can be called again, also after being
    /// dropped half way.
    ///
    /// # Errors
    /// The system does not know the child, or cannot tell of child signals.
    pub async fn wait(&mut self) -> io::Result<Exit> {
        if let Keeper::Spawner(held) = &mut self.keeper {
            let exit = held.wait().await?;
            self.exit = Some(exit);
            return Ok(exit);
        }
        // Subscribed before the first look, so that no signal falls between the two.
        let mut children = signal(SignalKind::child())?;
        loop {
            if let Some(exit) = self.try_wait()? {
                return Ok(exit);
            }
            if children.recv().await.is_none() {
                return Err(io::Error::other("no more signals from this runtime"));
            }
        }
    }

    fn try_wait(&mut self) -> io::Result<Option<Exit>> {
        if self.exit.is_none() {
            let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
            if waitid(WaitId::Pid(self.pid), look)?.is_none() {
                return Ok(None);
            }
            // As long as the leader is not collected nobody else can get the group's id, so this cannot hit strangers.
            self.signal_group(Signal::KILL);
            self.exit = wait4(self.pid)?;
        }
        Ok(self.exit)
    }

    /// Kills the group and, where `/proc` shows them, those who left it: descendants of the leader, those with its brand, and every
    /// process whose environment has all of `marks` (`NAME=value`).
    pub async fn kill_tree(&self, marks: Vec<String>) {
        if let Keeper::Spawner(_) = self.keeper {
            self.signal_group(Signal::KILL);
            if self.tier == Tier::Namespaces {
                // Nobody can leave, and nobody outlives the warden.
                return;
            }
            // If the spawner is alive this is done already; if it is dead nobody else does it.
            if self.exit.is_none() {
                let _ = kill_process_group(self.pid, Signal::KILL);
            }
        }
        let leader = self.id();
        // Walking /proc takes a millisecond or more, too long for a runtime thread.
        let walk = tokio::task::spawn_blocking(move || (survivors::descendants(Path::new("/proc"), leader), marks));
        let walked = walk.await;
        self.signal_group(Signal::KILL);
        if let Ok((descendants, marks)) = walked {
            let brand = if let Keeper::Own(_, brand) = self.keeper { brand } else { None };
            let kill = move || survivors::kill(Path::new("/proc"), brand, &marks, &descendants);
            // An error means that the runtime is shutting down; then the group is dead at least.
            let _ = tokio::task::spawn_blocking(kill).await;
        }
    }

    /// Sends a signal to everyone in the group. After the end of the leader there is no group any more, and nothing is
    /// sent: its id may be someone else's by now.
    pub fn signal_group(&self, signal: Signal) {
        if let Keeper::Spawner(held) = &self.keeper {
            held.signal(signal.as_raw());
        } else if self.exit.is_none() {
            let _ = kill_process_group(self.pid, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let Keeper::Own(reaper, brand) = &self.keeper else { return };
        self.signal_group(Signal::KILL);
        if self.exit.is_none() {
            // If the launcher is gone this process ends soon, and its parent collects.
            let _ = reaper.send(Request::Collect(self.pid, *brand));
        }
    }
}

/// Collects a child without waiting for it.
pub(super) fn wait4(pid: Pid) -> io::Result<Option<Exit>> {
    let mut status = 0;
    // SAFETY: both pointers are to valid integers (rusage is made of them) that the call fills in. The child is ours and
    // collected nowhere else: its `Child` was taken apart in `Process::new`, which does not wait.
    let (pid, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        let pid = libc::wait4(pid.as_raw_nonzero().get(), &mut status, libc::WNOHANG, &mut usage);
        (pid, usage)
    };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(None),
        _ => Ok(Some(Exit { status: ExitStatus::from_raw(status), usage: convert(&usage) })),
    }
}
