//! The node's side: worker processes, started when needed, reused while warm, replaced when they break or grow old.
//!
//! At most one request per core at a time; more wait. Idle workers go after a while, so an idle node has none. A worker that is
//! dropped is killed, which is how work is stopped.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::frame::Frame;
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
    /// Requests before a worker is replaced, which bounds what a leak can do. Default 1000.
    pub requests_max: u32,
    /// How long an idle worker is kept. Default 60 s.
    pub idle_max: Duration,
}

impl Default for PoolLimits {
    fn default() -> Self {
        Self {
            workers_max: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: 128 << 20,
            requests_max: 1000,
            idle_max: Duration::from_secs(60),
        }
    }
}

struct Worker {
    process: Process,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    requests: u32,
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
    kind: &'static str,
    launcher: Arc<dyn Launcher>,
    executable: PathBuf,
    limits: PoolLimits,
    idle: Mutex<Idle>,
    permits: Semaphore,
}

/// Workers of one kind.
pub struct WorkerPool {
    inner: Arc<Inner>,
}

impl WorkerPool {
    /// A pool without workers yet. `executable` is run as `executable __worker KIND` and must call
    /// [`worker_main`](crate::worker_main): the node itself, see [`own_executable`](Self::own_executable).
    pub fn new(kind: &'static str, launcher: Arc<dyn Launcher>, executable: PathBuf, limits: PoolLimits) -> Self {
        let permits = Semaphore::new(limits.workers_max.max(1));
        let inner = Inner { kind, launcher, executable, limits, idle: Mutex::default(), permits };
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

    /// Private memory of a worker, in bytes.
    pub(in crate::handlers) fn memory_bytes(&self) -> u64 {
        self.inner.limits.memory_bytes
    }

    /// Asks a worker, which has `limit` and a little more to answer; `part` hears what it says before that. Dropping the future kills the
    /// worker that has the request.
    ///
    /// # Errors
    /// The worker did not answer in time, or at all.
    pub(in crate::handlers) async fn ask(
        &self,
        request: &Frame,
        limit: Duration,
        part: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Result<Frame, TaskError> {
        let inner = &self.inner;
        // The semaphore is never closed.
        let _permit = inner.permits.acquire().await.map_err(|_| TaskError::stopped())?;
        let bytes = request.to_bytes().map_err(|e| TaskError::invalid(e.to_string()))?;
        loop {
            let idle = inner.idle().workers.pop();
            let (mut worker, warm) = match idle {
                Some(worker) => (worker, true),
                None => (inner.start().await?, false),
            };
            let answer = timeout(limit.saturating_add(DEADLINE_SLACK), worker.ask(&bytes, part));
            match answer.await {
                Ok(Ok(reply)) => {
                    inner.put_back(worker, reply.spoilt);
                    return Ok(reply);
                }
                Ok(Err(Break::Unreached)) if warm => {}
                Ok(Err(_)) => return Err(worker.autopsy(inner.kind).await),
                Err(_) => {
                    let message = format!("it was not done within {limit:?}");
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
            args: vec!["__worker".into(), self.kind.into()],
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
        Ok(Worker { process, stdin, stdout: BufReader::new(stdout), requests: 0, idle_since: Instant::now() })
    }

    fn put_back(self: &Arc<Self>, mut worker: Worker, spoilt: bool) {
        worker.requests += 1;
        if spoilt || worker.requests >= self.limits.requests_max {
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
    async fn ask(&mut self, request: &[u8], part: &mut (dyn FnMut(&[u8]) + Send)) -> Result<Frame, Break> {
        self.stdin.write_all(request).await.map_err(|_| Break::Unreached)?;
        loop {
            let frame = Frame::read_async(&mut self.stdout).await.map_err(|_| Break::Midway)?;
            if !frame.part {
                return Ok(frame);
            }
            part(&frame.tail);
        }
    }

    /// What to say of a request whose worker died.
    async fn autopsy(mut self, kind: &str) -> TaskError {
        self.process.signal_group(rustix::process::Signal::KILL);
        match self.process.wait().await {
            // Aborted on a failed allocation, ran into the end of its stack, or was picked by the system's memory killer.
            Ok(exit) if exit.signal().is_some() => {
                TaskError::new(ErrorClass::ResourceExhausted, "it exceeded the worker's limit on memory or stack")
            }
            Ok(exit) => TaskError::task(format!("the {kind} worker ended with code {}", exit.code())),
            Err(e) => TaskError::new(ErrorClass::ResourceExhausted, format!("the {kind} worker is gone: {e}")),
        }
    }
}
