//! The plain launcher: fork and exec from one thread that lives as long as the node.
//!
//! One thread, because the signal that kills a child with its parent fires when the *thread* that forked it ends, and
//! runtime threads come and go. The thread also collects children that nobody waits for any more.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use async_trait::async_trait;
use rustix::process::Pid;
use tokio::sync::oneshot;

use super::limits::confine;
use super::process::{Process, wait4};
use super::survivors::{self, Brands};
use super::user::TaskUser;
use super::{LaunchError, Launcher, Program};

/// How often to look for the end of children that were killed but not waited for.
const REAP_INTERVAL: Duration = Duration::from_millis(20);

/// What the thread is asked to do. The queue needs no bound of its own: every launch waits in a task that has a slot, and
/// every child is abandoned at most once.
#[derive(Debug)]
pub(super) enum Request {
    Launch(Box<Launch>),
    /// A child that was killed and that nobody waits for, and the brand of those that it may have left behind.
    Collect(Pid, Option<u32>),
}

#[derive(Debug)]
pub(super) struct Launch {
    program: Program,
    /// Who to become first, for a node that is root.
    user: Option<TaskUser>,
    /// What its descendants are known by.
    brand: Option<u32>,
    reply: oneshot::Sender<io::Result<Process>>,
    /// For the process, to ask for being collected.
    requests: mpsc::Sender<Request>,
    runtime: tokio::runtime::Handle,
}

/// Starts processes with limits, in groups of their own, that die with the node. No isolation: level 0.
#[derive(Debug)]
pub struct PlainLauncher {
    requests: mpsc::Sender<Request>,
    /// Of programs that may leave others behind.
    brands: Option<Brands>,
}

impl PlainLauncher {
    /// Starts the launcher's thread.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn new() -> io::Result<Self> {
        let (requests, queue) = mpsc::channel();
        std::thread::Builder::new().name("spawner".to_owned()).spawn(move || serve(&queue))?;
        Ok(Self { requests, brands: None })
    }

    /// One for programs that may leave others behind, which are found and killed: also those that are left of an earlier launcher with
    /// this work directory. Blocks for the time that it takes to look at all processes.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn for_programs(work_root: &Path) -> io::Result<Self> {
        // Two nodes may call theirs the same, from different places.
        let whole = work_root.canonicalize().unwrap_or_else(|_| work_root.to_owned());
        let brands = Brands::of(whole.as_os_str().as_encoded_bytes());
        brands.sweep(Path::new("/proc"));
        Ok(Self { brands: Some(brands), ..Self::new()? })
    }
}

impl PlainLauncher {
    /// The same as [`launch`](Launcher::launch), for a program that may leave others behind: as somebody else if this process is root,
    /// and with a brand by which those are found.
    pub(super) async fn launch_as(&self, program: Program, user: Option<TaskUser>) -> Result<Process, LaunchError> {
        self.start(program, user, self.brands.as_ref().map(Brands::next)).await
    }

    async fn start(
        &self,
        program: Program,
        user: Option<TaskUser>,
        brand: Option<u32>,
    ) -> Result<Process, LaunchError> {
        let name = program.program.to_string_lossy().into_owned();
        let (reply, answer) = oneshot::channel();
        let (requests, runtime) = (self.requests.clone(), tokio::runtime::Handle::current());
        let launch = Launch { program, user, brand, reply, requests, runtime };
        let request = Request::Launch(Box::new(launch));
        self.requests.send(request).map_err(|_| LaunchError::Gone)?;
        let spawned = answer.await.map_err(|_| LaunchError::Gone)?;
        spawned.map_err(|source| LaunchError::Spawn { program: name, source })
    }
}

#[async_trait]
impl Launcher for PlainLauncher {
    async fn launch(&self, program: Program) -> Result<Process, LaunchError> {
        self.start(program, None, None).await
    }
}

/// Ends when neither a launcher nor a process is left that could ask for something.
fn serve(queue: &mpsc::Receiver<Request>) {
    let mut orphans: Vec<Pid> = Vec::new();
    loop {
        orphans.retain(|pid| matches!(wait4(*pid), Ok(None)));
        let request = if orphans.is_empty() {
            queue.recv().map_err(|_| mpsc::RecvTimeoutError::Disconnected)
        } else {
            queue.recv_timeout(REAP_INTERVAL)
        };
        match request {
            Ok(Request::Launch(launch)) => {
                let Launch { program, user, brand, reply, requests, runtime } = *launch;
                let _entered = runtime.enter();
                let process = spawn(program, user, brand).and_then(|child| Process::new(child, brand, requests));
                // A caller that gave up drops the process, which kills it.
                let _ = reply.send(process);
            }
            Ok(Request::Collect(pid, brand)) => {
                orphans.push(pid);
                if brand.is_some() {
                    survivors::kill(Path::new("/proc"), brand, &[], &BTreeSet::new());
                }
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) if orphans.is_empty() => return,
            // Nobody will ask for anything any more, but the last of them were only just killed.
            Err(mpsc::RecvTimeoutError::Disconnected) => std::thread::sleep(REAP_INTERVAL),
        }
    }
}

fn spawn(program: Program, user: Option<TaskUser>, brand: Option<u32>) -> io::Result<std::process::Child> {
    let parent = rustix::process::getpid().as_raw_nonzero().get();
    let mut command = Command::new(&program.program);
    command
        .args(&program.args)
        .env_clear()
        .envs(program.env)
        .current_dir(&program.cwd)
        .stdin(if program.stdin { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let limits = program.limits;
    // SAFETY: `confine` makes system calls only and does not allocate, on success and on failure alike.
    unsafe { command.pre_exec(move || confine(&limits, user, brand, parent)) };
    command.spawn()
}
