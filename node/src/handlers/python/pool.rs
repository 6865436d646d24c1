//! The node's side: worker processes, started when needed, reused while warm, replaced when they break or grow old.
//!
//! At most one evaluation per core at a time; more wait. Idle workers go after a while, so an idle node has none. A
//! worker that is dropped is killed, which is how evaluations are stopped.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::WORKER_KIND;
use super::frame::{Failure, Reply, Request, body_bytes, encode};
use crate::handlers::{ErrorClass, TaskError};
use crate::sandbox::{Launcher, Process, ProcessLimits, Program};

/// How much later than the worker the node looks at its watch: the worker's own limit gives the better error.
const DEADLINE_SLACK: Duration = Duration::from_millis(250);

/// Bounds of a pool.
#[derive(Debug, Clone)]
pub struct PoolLimits {
    /// Workers at most. Default: one per core.
    pub workers_max: usize,
    /// Private memory of a worker, in bytes. Default 128 MiB.
    pub memory_bytes: u64,
    /// Evaluations before a worker is replaced, which bounds what a leak can do. Default 1000.
    pub evaluations_max: u32,
    /// How long an idle worker is kept. Default 60 s.
    pub idle_max: Duration,
}

impl Default for PoolLimits {
    fn default() -> Self {
        Self {
            workers_max: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: 128 << 20,
            evaluations_max: 1000,
            idle_max: Duration::from_secs(60),
        }
    }
}

struct Worker {
    process: Process,
    stdin: ChildStdin,
    stdout: ChildStdout,
    evaluations: u32,
    idle_since: Instant,
}

/// Why a worker gave no reply.
enum Break {
    /// It was gone before the request reached it; another can have the request.
    Unreached,
    /// It ended, or said something else than a reply, while it had the request.
    Midway,
}

#[derive(Default)]
struct Idle {
    workers: Vec<Worker>,
    /// Whether a task that removes idle workers runs.
    swept: bool,
}

struct Inner {
    launcher: Arc<dyn Launcher>,
    executable: PathBuf,
    limits: PoolLimits,
    idle: Mutex<Idle>,
    permits: Semaphore,
}

/// Workers that evaluate Python.
pub struct PythonPool {
    inner: Arc<Inner>,
}

impl PythonPool {
    /// A pool without workers yet. `executable` is run as `executable __worker python`: the node itself, see
    /// [`own_executable`](Self::own_executable).
    pub fn new(launcher: Arc<dyn Launcher>, executable: PathBuf, limits: PoolLimits) -> Self {
        let permits = Semaphore::new(limits.workers_max.max(1));
        let inner = Inner { launcher, executable, limits, idle: Mutex::default(), permits };
        Self { inner: Arc::new(inner) }
    }

    /// This very program, also after an update has replaced its file.
    ///
    /// # Errors
    /// The system does not say.
    pub fn own_executable() -> io::Result<PathBuf> {
        let link = PathBuf::from("/proc/self/exe");
        if link.exists() { Ok(link) } else { std::env::current_exe() }
    }

    /// How many workers wait for work.
    pub fn idle_workers(&self) -> usize {
        self.inner.idle().workers.len()
    }

    /// Process ids of the workers that wait for work.
    pub fn idle_worker_ids(&self) -> Vec<i32> {
        self.inner.idle().workers.iter().map(|worker| worker.process.id()).collect()
    }

    /// The largest single value of an evaluation: while one is made from another, both are there.
    pub(super) fn value_bytes_max(&self) -> usize {
        usize::try_from(self.inner.limits.memory_bytes / 2).unwrap_or(usize::MAX)
    }

    /// Evaluates. Dropping the future kills the worker that has the request.
    pub(super) async fn evaluate(&self, request: Request, limit: Duration) -> Result<Reply, TaskError> {
        let inner = &self.inner;
        // The semaphore is never closed.
        let _permit = inner.permits.acquire().await.map_err(|_| TaskError::stopped())?;
        let frame = encode(&request).map_err(|e| TaskError::invalid(e.to_string()))?;
        loop {
            let idle = inner.idle().workers.pop();
            let (mut worker, warm) = match idle {
                Some(worker) => (worker, true),
                None => (inner.start().await?, false),
            };
            let answer = timeout(limit.saturating_add(DEADLINE_SLACK), worker.ask(&frame));
            match answer.await {
                Ok(Ok(reply)) => {
                    inner.put_back(worker, &reply);
                    return Ok(reply);
                }
                Ok(Err(Break::Unreached)) if warm => {}
                Ok(Err(_)) => return Err(worker.autopsy().await),
                Err(_) => {
                    let message = format!("the evaluation was not done within {limit:?}");
                    return Err(TaskError::new(ErrorClass::TimeoutError, message));
                }
            }
        }
    }
}

impl Inner {
    /// No code that can panic runs under the lock.
    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn start(&self) -> Result<Worker, TaskError> {
        let program = Program {
            program: self.executable.clone().into(),
            args: vec!["__worker".into(), WORKER_KIND.into()],
            env: Vec::new(),
            cwd: "/".into(),
            stdin: true,
            limits: ProcessLimits {
                memory_bytes: Some(self.limits.memory_bytes),
                file_bytes: Some(0),
                open_files: Some(16),
                // Deep recursion is the interpreter's to refuse, for which it must not run out of stack first.
                stack_bytes: Some(64 << 20),
            },
        };
        let failed = |message: String| TaskError::new(ErrorClass::ResourceExhausted, message);
        let mut process = self.launcher.launch(program).await.map_err(|e| failed(e.to_string()))?;
        let pipes = process.stdin.take().zip(process.stdout.take());
        let (stdin, stdout) = pipes.ok_or_else(|| failed("a worker without pipes".to_owned()))?;
        // Nobody reads what a dying worker says; closed, it cannot block on it either.
        process.stderr = None;
        Ok(Worker { process, stdin, stdout, evaluations: 0, idle_since: Instant::now() })
    }

    fn put_back(self: &Arc<Self>, mut worker: Worker, reply: &Reply) {
        worker.evaluations += 1;
        // What ran out of memory once may be left with little, and a broken interpreter is not asked again.
        let spoilt = matches!(&reply.value, Err((Failure::Broken | Failure::TooLarge, _)));
        if spoilt || worker.evaluations >= self.limits.evaluations_max {
            return;
        }
        worker.idle_since = Instant::now();
        let mut idle = self.idle();
        idle.workers.push(worker);
        if !std::mem::replace(&mut idle.swept, true) {
            tokio::spawn(sweep(Arc::downgrade(self), self.limits.idle_max));
        }
    }

    /// Removes workers that were idle for long enough. Returns when the next one will be, if there is one.
    fn sweep(&self) -> Option<Instant> {
        let idle_max = self.limits.idle_max;
        let mut idle = self.idle();
        idle.workers.retain(|worker| worker.idle_since.elapsed() < idle_max);
        let next = idle.workers.iter().map(|worker| worker.idle_since + idle_max).min();
        idle.swept = next.is_some();
        next
    }
}

/// Runs while there are idle workers.
async fn sweep(pool: std::sync::Weak<Inner>, idle_max: Duration) {
    let mut next = Instant::now() + idle_max;
    loop {
        tokio::time::sleep_until(next).await;
        let Some(soonest) = pool.upgrade().and_then(|pool| pool.sweep()) else {
            return;
        };
        next = soonest;
    }
}

impl Worker {
    async fn ask(&mut self, frame: &[u8]) -> Result<Reply, Break> {
        self.stdin.write_all(frame).await.map_err(|_| Break::Unreached)?;
        let midway = |_: io::Error| Break::Midway;
        let mut header = [0; 4];
        self.stdout.read_exact(&mut header).await.map_err(midway)?;
        let mut body = vec![0; body_bytes(header).map_err(midway)?];
        self.stdout.read_exact(&mut body).await.map_err(midway)?;
        serde_json::from_slice(&body).map_err(|_| Break::Midway)
    }

    /// What to say of an evaluation whose worker died.
    async fn autopsy(mut self) -> TaskError {
        self.process.signal_group(rustix::process::Signal::KILL);
        match self.process.wait().await {
            // Aborted on a failed allocation, ran into the end of its stack, or was picked by the system's memory killer.
            Ok(exit) if exit.signal().is_some() => {
                TaskError::new(ErrorClass::ResourceExhausted, "the evaluation exceeded its memory or stack limit")
            }
            Ok(exit) => TaskError::task(format!("the Python worker ended with code {}", exit.code())),
            Err(e) => TaskError::new(ErrorClass::ResourceExhausted, format!("the Python worker is gone: {e}")),
        }
    }
}
