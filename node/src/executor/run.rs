//! One attempt: the handler, its clock, and being told to stop.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::outcome::{Outcome, StopReason};
use super::{Assignment, ExecutorEvent, Inner, Listener, task_info};
use crate::handlers::{ResourceUsage, Stream, TaskContext, TaskError, TaskHandler, TaskLimits, TaskSink};

/// Longest text of a progress report, in bytes.
const PROGRESS_TEXT_BYTES_MAX: usize = 256;

/// Why the attempt shall end, and when it is left behind if it does not.
#[derive(Clone, Copy)]
pub(super) struct End {
    why: Why,
    abandon_at: Instant,
}

#[derive(Clone, Copy)]
enum Why {
    TimeUp,
    Stopped(StopReason),
}

/// An attempt that runs.
pub(super) struct Run {
    task: String,
    epoch: u64,
    ctx: TaskContext,
    cancel: CancellationToken,
    started: Instant,
    /// `None` if the limit lies beyond what the clock can say, which is for ever.
    deadline: Option<Instant>,
    /// As in [`ExecutorLimits`](super::ExecutorLimits).
    let_go: Duration,
    end: Mutex<Option<End>>,
    closed: AtomicBool,
}

impl Run {
    pub(super) fn new(inner: &Arc<Inner>, assignment: &Assignment) -> Self {
        let rule = TaskLimits { timeout: assignment.timeout, ..inner.limits.task.clone() };
        let limits = assignment.sandbox.clone().tighten(rule);
        let started = Instant::now();
        let deadline = started.checked_add(limits.timeout);
        let cancel = CancellationToken::new();
        let (task, epoch) = (assignment.task.clone(), assignment.epoch);
        let listener = assignment.listener.clone();
        let sink = Sink { executor: Arc::downgrade(inner), task: task.clone(), epoch, listener };
        let ctx = TaskContext::new(task_info(assignment), limits, cancel.clone(), Some(Arc::new(sink)));
        let ctx = ctx.with_blobs(inner.blobs.clone());
        let (end, closed, let_go) = (Mutex::new(None), AtomicBool::new(false), inner.limits.let_go);
        Self { task, epoch, ctx, cancel, started, deadline, let_go, end, closed }
    }

    pub(super) fn key(&self) -> (String, u64) {
        (self.task.clone(), self.epoch)
    }

    /// The trace that it is a part of, in hexadecimal.
    pub(super) fn trace_id(&self) -> Option<String> {
        Some(self.ctx.traceparent()?.split('-').nth(1)?.to_owned())
    }

    /// True for the first caller only: the one that reports the end.
    pub(super) fn close(&self) -> bool {
        !self.closed.swap(true, Ordering::AcqRel)
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Tells the handler to end. The first reason stays; a shorter grace is taken over.
    pub(super) fn stop(&self, why: StopReason, grace: Duration) {
        self.begin_end(Why::Stopped(why), grace);
    }

    fn begin_end(&self, why: Why, grace: Duration) {
        let now = Instant::now();
        let abandon_at = now.checked_add(grace.saturating_add(self.let_go)).unwrap_or(now + self.let_go);
        let mut end = self.end();
        match end.as_mut() {
            Some(end) => end.abandon_at = end.abandon_at.min(abandon_at),
            None => *end = Some(End { why, abandon_at }),
        }
        drop(end);
        self.ctx.set_stop_grace(grace);
        self.cancel.cancel();
    }

    fn end(&self) -> MutexGuard<'_, Option<End>> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the handler had its time to end and then some, which only one that blocks its thread can have. Also
    /// starts the end of one whose deadline nobody noticed for that reason.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        if self.deadline.is_some_and(|deadline| now > deadline + self.let_go) {
            self.time_up();
        }
        self.end().is_some_and(|end| now > end.abandon_at + self.let_go)
    }

    fn time_up(&self) {
        if self.end().is_none() {
            self.begin_end(Why::TimeUp, self.ctx.limits().stop_grace);
        }
    }

    /// The outcome of a handler that returned, or (`None`) of one that did not end when told to.
    pub(super) fn outcome(&self, returned: Option<Result<Value, TaskError>>) -> Outcome {
        let abandoned = returned.is_none();
        let outcome = Outcome::of(returned.unwrap_or_else(|| Err(TaskError::stopped())));
        let outcome = match self.end().map(|end| end.why) {
            None => outcome,
            Some(Why::TimeUp) => outcome.timed_out(self.ctx.limits().timeout),
            Some(Why::Stopped(why)) => outcome.stopped(why),
        };
        Outcome { abandoned, duration: self.started.elapsed(), ..outcome.with_context(&self.ctx) }
    }
}

/// Runs an attempt from `Started` to `Finished`.
pub(super) async fn drive(inner: Arc<Inner>, run: Arc<Run>, handler: Arc<dyn TaskHandler>, payload: Vec<u8>) {
    let started = ExecutorEvent::Started { task: run.task.clone(), epoch: run.epoch };
    // An error means that nobody listens any more; the attempt is then as good as stopped.
    if let Ok(slot) = inner.events.reserve().await {
        // Whoever ends the attempt takes this lock before saying so: its end does not overtake its beginning.
        let _order = inner.running();
        if run.is_closed() {
            // Nobody took events for so long that the watchdog gave this attempt up before it began.
            return;
        }
        slot.send(started);
    }
    let returned = match parse(&payload, inner.limits.payload_bytes_max) {
        Ok(payload) => attend(&run, handler.execute(run.ctx.clone(), payload)).await,
        Err(error) => Some(Err(error)),
    };
    let outcome = run.outcome(returned);
    inner.finish(&run, outcome).await;
}

/// Waits for the handler: as long as it may run, then as long as it may take to end. `None` = dropped.
async fn attend(
    run: &Run,
    handler: impl Future<Output = Result<Value, TaskError>>,
) -> Option<Result<Value, TaskError>> {
    let mut handler = pin!(guard_panics(handler));
    let deadline = async {
        match run.deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        returned = &mut handler => return Some(returned),
        () = run.cancel.cancelled() => {}
        () = deadline => run.time_up(),
    }
    loop {
        let abandon_at = (*run.end())?.abandon_at;
        tokio::select! {
            biased;
            returned = &mut handler => return Some(returned),
            () = tokio::time::sleep_until(abandon_at) => return None,
            // Look again: a second, more urgent stop may have brought the end forward.
            () = tokio::time::sleep(run.let_go) => {}
        }
    }
}

/// A panic becomes the failure of the task that panicked.
async fn guard_panics(handler: impl Future<Output = Result<Value, TaskError>>) -> Result<Value, TaskError> {
    let mut handler = pin!(handler);
    std::future::poll_fn(move |cx| {
        let poll = || Pin::as_mut(&mut handler).poll(cx);
        // The handler is not polled again after a panic, so nobody sees what it left half done.
        match std::panic::catch_unwind(AssertUnwindSafe(poll)) {
            Ok(poll) => poll,
            Err(panic) => {
                let text = panic.downcast_ref::<&str>().copied();
                let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
                let message = format!("the handler panicked: {}", text.unwrap_or("no message"));
                Poll::Ready(Err(TaskError::task(message)))
            }
        }
    })
    .await
}

fn parse(payload: &[u8], bytes_max: usize) -> Result<Value, TaskError> {
    if payload.len() > bytes_max {
        let message = format!("the payload has {} bytes, at most {bytes_max} are taken", payload.len());
        return Err(TaskError::invalid(message));
    }
    // serde_json refuses more than 128 levels, so depth is bounded too.
    serde_json::from_slice(payload).map_err(|e| TaskError::invalid(format!("the payload is not JSON: {e}")))
}

/// Hands progress on, as long as there is room for it, and everything to the listener.
struct Sink {
    executor: Weak<Inner>,
    task: String,
    epoch: u64,
    listener: Listener,
}

impl Sink {
    fn offer(&self, event: impl FnOnce(String, u64) -> ExecutorEvent) {
        let Some(inner) = self.executor.upgrade() else {
            return;
        };
        if inner.events.capacity() == 0 {
            return;
        }
        let event = event(self.task.clone(), self.epoch);
        // What a left-behind handler still says must not follow its `Finished`, hence under the lock.
        let running = inner.running();
        if running.contains_key(&(self.task.clone(), self.epoch)) {
            let _ = inner.events.try_send(event);
        }
    }
}

impl TaskSink for Sink {
    fn progress(&self, percent: u8, text: &str) {
        let text = text[..text.floor_char_boundary(PROGRESS_TEXT_BYTES_MAX)].to_owned();
        if let Some(listener) = &self.listener.0 {
            listener.progress(percent, &text);
        }
        self.offer(|task, epoch| ExecutorEvent::Progress { task, epoch, percent, text });
    }

    fn output(&self, stream: Stream, chunk: &[u8]) {
        if let Some(listener) = &self.listener.0 {
            listener.output(stream, chunk);
        }
    }

    fn has_room(&self) -> bool {
        self.listener.0.as_ref().is_none_or(|listener| listener.has_room())
    }

    fn usage(&self, usage: ResourceUsage) {
        if let Some(listener) = &self.listener.0 {
            listener.usage(usage);
        }
    }
}
