//! Runs assigned tasks and tells how each ended, exactly once.
//!
//! Enforces time limits and stops for every task type, keeps panics and handlers that never return away from the node,
//! and counts what runs. It does not know why a task is here, whether it will be tried again, or what its payload means;
//! it asks for no permission: whoever calls [`Executor::start`] has checked.

mod outcome;
mod run;
mod watchdog;

#[cfg(test)]
mod tests;

pub use outcome::{Outcome, StopReason};

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use tracing::Instrument;

use crate::handlers::{BlobAccess, ErrorClass, Registry, SandboxAsk, TaskError, TaskInfo, TaskLimits, TaskSink};
use run::Run;

/// Bounds of an executor.
#[derive(Debug, Clone)]
pub struct ExecutorLimits {
    /// Tasks at once; a start beyond it fails with `resource_exhausted`. A backstop: slots are the scheduler's. Default 2,048, twice as
    /// many as a device may have slots.
    pub running_max: usize,
    /// Longest payload, in bytes. Default 16 MiB, room for a WASM module.
    pub payload_bytes_max: usize,
    /// What a handler gets beyond the grace to clean up after its processes (pipes that strangers hold, the work
    /// directory) before it is left behind. Default 1.5 s.
    pub let_go: Duration,
    /// What each task is bounded by; its own timeout replaces the one here.
    pub task: TaskLimits,
}

impl Default for ExecutorLimits {
    fn default() -> Self {
        Self {
            running_max: 2_048,
            payload_bytes_max: 16 << 20,
            let_go: Duration::from_millis(1500),
            task: TaskLimits::default(),
        }
    }
}

/// One attempt to run.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// The task's id.
    pub task: String,
    /// The lease's epoch; also the fencing token.
    pub epoch: u64,
    /// Counts from 1.
    pub attempt: u32,
    /// Which handler.
    pub task_type: String,
    /// JSON text.
    pub payload: Vec<u8>,
    /// The time limit.
    pub timeout: Duration,
    /// W3C `traceparent` of the attempt's span; processes see it as `RC_TRACEPARENT`.
    pub traceparent: Option<String>,
    /// What the task asks of its sandbox.
    pub sandbox: SandboxAsk,
    /// More variables for processes, besides `RC_TASK_ID`, `RC_TASK_EPOCH`, `RC_TASK_ATTEMPT` and `RC_TRACEPARENT`.
    pub env: Vec<(String, String)>,
    /// Hears progress, output and use at once, without a queue.
    pub listener: Listener,
}

/// Whoever hears an attempt while it runs, if somebody does.
#[derive(Clone, Default)]
pub struct Listener(pub Option<Arc<dyn TaskSink>>);

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Listener").field(&self.0.is_some()).finish()
    }
}

/// What the executor tells. `Progress` is dropped when the channel is full; the others wait for room.
#[derive(Debug, Clone, PartialEq)]
pub enum ExecutorEvent {
    /// The handler is about to run. Not sent for an assignment that is refused.
    Started {
        /// The task's id.
        task: String,
        /// Of the assignment.
        epoch: u64,
    },
    /// As the handler said it.
    Progress {
        /// The task's id.
        task: String,
        /// Of the assignment.
        epoch: u64,
        /// 0 to 100.
        percent: u8,
        /// May be empty.
        text: String,
    },
    /// The attempt is over and its slot free. Once for each start, and after it nothing else.
    Finished {
        /// The task's id.
        task: String,
        /// Of the assignment.
        epoch: u64,
        /// How.
        outcome: Outcome,
    },
}

/// The attempts that run now, by task and epoch.
type Running = HashMap<(String, u64), Arc<Run>>;

struct Inner {
    registry: Registry,
    limits: ExecutorLimits,
    events: mpsc::Sender<ExecutorEvent>,
    blobs: Option<Arc<dyn BlobAccess>>,
    running: Mutex<Running>,
    /// Told when the first attempt starts after none ran.
    wake: Arc<Notify>,
}

impl Inner {
    /// No code that can panic runs under the lock, so a poisoned one is still whole.
    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An attempt that was refused is not in the table, but a later one with its name may be.
    fn unlist(&self, run: &Run) {
        let mut running = self.running();
        if running.get(&run.key()).is_some_and(|listed| std::ptr::eq(Arc::as_ptr(listed), run)) {
            running.remove(&run.key());
        }
    }

    /// The attempts that should have ended long ago, or `None` if nothing runs at all.
    fn overdue(&self, now: Instant) -> Option<Vec<Arc<Run>>> {
        let running = self.running();
        let overdue = || running.values().filter(|run| run.is_overdue(now)).cloned().collect();
        (!running.is_empty()).then(overdue)
    }

    /// Reports the end of an attempt, unless that was done: the attempt itself and the watchdog both may try.
    async fn finish(&self, run: &Run, outcome: Outcome) {
        if !run.close() {
            return;
        }
        self.unlist(run);
        let (task, epoch) = run.key();
        // An error means that nobody listens any more: the node is shutting down.
        let _ = self.events.send(ExecutorEvent::Finished { task, epoch, outcome }).await;
    }
}

impl Drop for Inner {
    /// The watchdog waits without holding on to this; let it notice that there is nothing left to watch.
    fn drop(&mut self) {
        self.wake.notify_one();
    }
}

/// Runs tasks. Dropping it stops nothing: [`stop_all`](Self::stop_all) first.
pub struct Executor {
    inner: Arc<Inner>,
    runtime: Handle,
}

impl Executor {
    /// An executor on the current runtime. Must be called inside of one (tokio panics otherwise).
    pub fn new(registry: Registry, limits: ExecutorLimits, events: mpsc::Sender<ExecutorEvent>) -> Self {
        Self::with_blobs(registry, limits, events, None)
    }

    /// The same, whose handlers can read and make blobs.
    pub fn with_blobs(
        registry: Registry,
        limits: ExecutorLimits,
        events: mpsc::Sender<ExecutorEvent>,
        blobs: Option<Arc<dyn BlobAccess>>,
    ) -> Self {
        let runtime = Handle::current();
        let wake = Arc::new(Notify::new());
        let inner = Arc::new(Inner { registry, limits, events, blobs, running: Mutex::default(), wake });
        runtime.spawn(watchdog::watch(Arc::downgrade(&inner), Arc::clone(&inner.wake)));
        Self { inner, runtime }
    }

    /// Begins an attempt and returns at once. Exactly one `Finished` follows, also if the type is unknown or there is no
    /// room. Returns `false`, and does nothing, if this task and epoch run here already.
    pub fn start(&self, assignment: Assignment) -> bool {
        let inner = &self.inner;
        let handler = inner.registry.get(&assignment.task_type).cloned();
        let run = Arc::new(Run::new(inner, &assignment));
        let mut running = inner.running();
        if running.contains_key(&run.key()) {
            return false;
        }
        let refusal = if running.len() >= inner.limits.running_max {
            let message = format!("{} tasks run on this device already", running.len());
            Some(TaskError::new(ErrorClass::ResourceExhausted, message))
        } else if handler.is_none() {
            let message = format!("this device has no task type `{}`", assignment.task_type);
            Some(TaskError::new(ErrorClass::UnsupportedOperation, message))
        } else {
            None
        };
        let inner = Arc::clone(inner);
        let handler = match (handler, refusal) {
            (Some(handler), None) => handler,
            (_, refusal) => {
                drop(running);
                let error = refusal.unwrap_or_else(TaskError::stopped);
                self.runtime.spawn(async move { inner.finish(&run, Outcome::failed(error)).await });
                return true;
            }
        };
        let was_idle = running.is_empty();
        running.insert(run.key(), Arc::clone(&run));
        drop(running);
        if was_idle {
            inner.wake.notify_one();
        }
        let inline = handler.runs_inline();
        // Whatever the attempt logs says which it is.
        let trace_id = run.trace_id().unwrap_or_default();
        let span = tracing::info_span!("attempt", task = assignment.task, epoch = assignment.epoch, trace_id);
        let attempt = run::drive(inner, run, handler, assignment.payload).instrument(span);
        if inline {
            self.runtime.spawn(attempt);
        } else {
            let runtime = self.runtime.clone();
            self.runtime.spawn_blocking(move || runtime.block_on(attempt));
        }
        true
    }

    /// Asks an attempt to end; after `grace` it is made to. `Finished` tells when it has let go. Of several stops the
    /// first one's reason counts. Returns `false` if it does not run here (any more).
    pub fn stop(&self, task: &str, epoch: u64, why: StopReason, grace: Duration) -> bool {
        let run = self.inner.running().get(&(task.to_owned(), epoch)).cloned();
        run.is_some_and(|run| {
            run.stop(why, grace);
            true
        })
    }

    /// Stops everything that runs.
    pub fn stop_all(&self, why: StopReason, grace: Duration) {
        let runs: Vec<_> = self.inner.running().values().cloned().collect();
        for run in runs {
            run.stop(why, grace);
        }
    }

    /// How many attempts run.
    pub fn running(&self) -> usize {
        self.inner.running().len()
    }

    /// The handlers it runs tasks with.
    pub fn registry(&self) -> &Registry {
        &self.inner.registry
    }
}

/// The variables that every process of a task sees.
fn task_env(assignment: &Assignment) -> Vec<(String, String)> {
    let mut env = vec![
        ("RC_TASK_ID".to_owned(), assignment.task.clone()),
        ("RC_TASK_EPOCH".to_owned(), assignment.epoch.to_string()),
        ("RC_TASK_ATTEMPT".to_owned(), assignment.attempt.to_string()),
    ];
    env.extend(assignment.traceparent.clone().map(|parent| ("RC_TRACEPARENT".to_owned(), parent)));
    env.extend(assignment.env.iter().cloned());
    env
}

fn task_info(assignment: &Assignment) -> TaskInfo {
    TaskInfo {
        task: assignment.task.clone(),
        attempt: assignment.attempt,
        epoch: assignment.epoch,
        traceparent: assignment.traceparent.clone(),
        env: task_env(assignment),
    }
}
