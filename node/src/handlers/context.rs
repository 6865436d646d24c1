//! What a handler is given besides its payload, and the only way it talks back while it runs.
//!
//! Output is kept up to a cap (the rest is counted and dropped) and also offered live to the [`TaskSink`], which must
//! not block. Does not know who listens.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rc_scheduler::BlobRef;
use serde::Serialize;
use serde::ser::SerializeStruct;
use tokio_util::sync::CancellationToken;

use super::ask::SandboxAsk;
use super::blobs::BlobAccess;

/// Which output of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Bounds for one task. The executor enforces the time, handlers that start processes the rest.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskLimits {
    /// From the start of the attempt. Default 300 s.
    pub timeout: Duration,
    /// Between asking a task to end and making it end. Default 2 s.
    pub stop_grace: Duration,
    /// How much of each output stream is kept. Default 64 KiB: it travels in the result to several devices.
    pub output_bytes_max: usize,
    /// Private memory of each process of the task, `None` = as much as the device has.
    pub memory_bytes_max: Option<u64>,
    /// Largest file that a process of the task may write. Default 100 MB.
    pub file_bytes_max: u64,
    /// Open files of each process of the task. Default 256.
    pub open_files_max: u64,
    /// Processes and threads of the task at once, where they can be counted. Default 64.
    pub processes_max: u64,
    /// All files in the task's work directory together. Default 1 GB.
    pub disk_bytes_max: u64,
    /// What the task asks of its sandbox, beyond the numbers above, which are the tighter of what it asks and what is the rule here.
    pub sandbox: SandboxAsk,
}

impl Default for TaskLimits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(300),
            stop_grace: Duration::from_secs(2),
            output_bytes_max: 64 * 1024,
            memory_bytes_max: None,
            file_bytes_max: 100_000_000,
            open_files_max: 256,
            processes_max: 64,
            disk_bytes_max: 1_000_000_000,
            sandbox: SandboxAsk::default(),
        }
    }
}

/// What a task used. `None` is unknown: tasks that run inside of the node are not measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResourceUsage {
    /// User and system time, all processes, in microseconds.
    pub cpu_micros: Option<u64>,
    /// The largest resident size of any one process, in bytes.
    pub memory_bytes_max: Option<u64>,
}

impl Serialize for ResourceUsage {
    /// The form of results: `{cpu_seconds, max_memory_mb}`, rounded to the microsecond and to 0.01 MB, `null` = unknown.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("ResourceUsage", 2)?;
        out.serialize_field("cpu_seconds", &self.cpu_micros.map(|us| us as f64 / 1e6))?;
        let mb = self.memory_bytes_max.map(|bytes| (bytes / 10_000) as f64 / 100.0);
        out.serialize_field("max_memory_mb", &mb)?;
        out.end()
    }
}

/// Who the task is, as far as a handler may care.
#[derive(Debug, Clone, Default)]
pub struct TaskInfo {
    /// The task's id.
    pub task: String,
    /// Counts from 1.
    pub attempt: u32,
    /// The fencing token: of two attempts of one task the later has the higher one.
    pub epoch: u64,
    /// W3C `traceparent` of the attempt's span.
    pub traceparent: Option<String>,
    /// Variables for processes of the task, names beginning with `RC_`.
    pub env: Vec<(String, String)>,
}

/// Hears of a task while it runs. Calls must return at once; what nobody has room for is dropped.
pub trait TaskSink: Send + Sync {
    /// The handler says how far it is.
    fn progress(&self, percent: u8, text: &str);
    /// The task wrote something.
    fn output(&self, stream: Stream, chunk: &[u8]);
    /// It has used so much by now, as far as that was seen.
    fn usage(&self, _usage: ResourceUsage) {}
    /// Whether those who read along keep up; a task that can wait a little before it writes on should.
    fn has_room(&self) -> bool {
        true
    }
}

/// One output stream, as kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captured {
    /// The first bytes, up to the cap.
    pub bytes: Vec<u8>,
    /// Whether there were more.
    pub truncated: bool,
}

impl Captured {
    /// The text; what is not UTF-8 becomes U+FFFD. A character that the cap cut in half is left out.
    pub fn text(&self) -> String {
        let whole = match std::str::from_utf8(&self.bytes) {
            Err(e) if self.truncated && e.error_len().is_none() => &self.bytes[..e.valid_up_to()],
            _ => &self.bytes[..],
        };
        String::from_utf8_lossy(whole).into_owned()
    }

    fn push(&mut self, chunk: &[u8], cap: usize) {
        let room = cap.saturating_sub(self.bytes.len());
        let kept = chunk.len().min(room);
        self.bytes.extend_from_slice(&chunk[..kept]);
        self.truncated |= kept < chunk.len();
    }
}

/// `u64::MAX` stands for "never reported", so that the cheap path needs no lock.
const UNKNOWN: u64 = u64::MAX;

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

struct Shared {
    info: TaskInfo,
    limits: TaskLimits,
    cancel: CancellationToken,
    sink: Option<Arc<dyn TaskSink>>,
    output: Mutex<(Captured, Captured)>,
    blobs: Option<Arc<dyn BlobAccess>>,
    made: Mutex<Vec<BlobRef>>,
    cpu_micros: AtomicU64,
    memory_bytes: AtomicU64,
    /// Of the stop that is under way; until then that of the limits.
    stop_grace_ms: AtomicU64,
}

/// A handler's view of the attempt that it runs. Clones are the same attempt.
#[derive(Clone)]
pub struct TaskContext {
    shared: Arc<Shared>,
}

impl TaskContext {
    /// A context for an attempt. `sink` hears of progress and output as they come.
    pub fn new(info: TaskInfo, limits: TaskLimits, cancel: CancellationToken, sink: Option<Arc<dyn TaskSink>>) -> Self {
        let unknown = || AtomicU64::new(UNKNOWN);
        let stop_grace_ms = AtomicU64::new(millis(limits.stop_grace));
        let (output, cpu_micros, memory_bytes) = (Mutex::default(), unknown(), unknown());
        let (blobs, made) = (None, Mutex::default());
        let shared =
            Shared { info, limits, cancel, sink, output, blobs, made, cpu_micros, memory_bytes, stop_grace_ms };
        Self { shared: Arc::new(shared) }
    }

    /// The same context with a way to the node's blobs; only before it is cloned.
    #[must_use]
    pub fn with_blobs(mut self, blobs: Option<Arc<dyn BlobAccess>>) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.blobs = blobs;
        }
        self
    }

    pub(super) fn blobs(&self) -> Option<&Arc<dyn BlobAccess>> {
        self.shared.blobs.as_ref()
    }

    pub(super) fn made(&self) -> MutexGuard<'_, Vec<BlobRef>> {
        self.shared.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The blobs that the attempt made so far.
    pub(crate) fn blobs_made(&self) -> Vec<BlobRef> {
        self.made().clone()
    }

    /// A context that belongs to no executor, to try a handler with: first attempt, default limits, nobody listens.
    pub fn detached(task: &str) -> Self {
        let info = TaskInfo { task: task.to_owned(), attempt: 1, epoch: 1, ..TaskInfo::default() };
        Self::new(info, TaskLimits::default(), CancellationToken::new(), None)
    }

    /// The task's id.
    pub fn task(&self) -> &str {
        &self.shared.info.task
    }

    /// Which attempt this is, from 1.
    pub fn attempt(&self) -> u32 {
        self.shared.info.attempt
    }

    /// The fencing token of this attempt.
    pub fn epoch(&self) -> u64 {
        self.shared.info.epoch
    }

    /// W3C `traceparent` of the attempt's span.
    pub fn traceparent(&self) -> Option<&str> {
        self.shared.info.traceparent.as_deref()
    }

    /// Variables for processes of the task.
    pub fn env(&self) -> &[(String, String)] {
        &self.shared.info.env
    }

    /// The bounds of this attempt.
    pub fn limits(&self) -> &TaskLimits {
        &self.shared.limits
    }

    /// Ready once the attempt shall end: cancelled, out of time, or the device needs its capacity back.
    pub async fn cancelled(&self) {
        self.shared.cancel.cancelled().await;
    }

    /// Whether the attempt shall end.
    pub fn is_cancelled(&self) -> bool {
        self.shared.cancel.is_cancelled()
    }

    /// The token behind [`cancelled`](Self::cancelled), to hand on.
    pub fn cancel_token(&self) -> &CancellationToken {
        &self.shared.cancel
    }

    /// How long the processes of the task may take to end by themselves once the attempt is cancelled.
    pub fn stop_grace(&self) -> Duration {
        Duration::from_millis(self.shared.stop_grace_ms.load(Ordering::Relaxed))
    }

    /// To be called before the token is cancelled.
    pub(crate) fn set_stop_grace(&self, grace: Duration) {
        self.shared.stop_grace_ms.store(millis(grace), Ordering::Relaxed);
    }

    /// Tells how far the task is, 0 to 100.
    pub fn progress(&self, percent: u8, text: &str) {
        if let Some(sink) = &self.shared.sink {
            sink.progress(percent.min(100), text);
        }
    }

    /// Adds to the task's output.
    pub fn output(&self, stream: Stream, chunk: &[u8]) {
        if chunk.is_empty() {
            return;
        }
        let mut output = self.lock_output();
        let kept = match stream {
            Stream::Stdout => &mut output.0,
            Stream::Stderr => &mut output.1,
        };
        kept.push(chunk, self.shared.limits.output_bytes_max);
        drop(output);
        if let Some(sink) = &self.shared.sink {
            sink.output(stream, chunk);
        }
    }

    /// Whether those who read along keep up with the output. Once it is `false` it is worth waiting a little before adding more; what
    /// is added nevertheless may push out what they have not read.
    pub fn has_room(&self) -> bool {
        self.shared.sink.as_ref().is_none_or(|sink| sink.has_room())
    }

    /// Tells what the task uses while it runs; what counts in the end is [`add_usage`](Self::add_usage).
    pub fn seen_usage(&self, usage: ResourceUsage) {
        if let Some(sink) = &self.shared.sink {
            sink.usage(usage);
        }
    }

    /// What is kept of stdout and stderr so far.
    pub fn captured(&self) -> (Captured, Captured) {
        self.lock_output().clone()
    }

    /// Adds to what the task used: times add up, of memory the largest counts.
    pub fn add_usage(&self, usage: ResourceUsage) {
        let order = Ordering::Relaxed;
        if let Some(more) = usage.cpu_micros {
            let add = |now: u64| Some(if now == UNKNOWN { more } else { now.saturating_add(more) });
            // The closure never refuses, so the update cannot fail.
            let _ = self.shared.cpu_micros.fetch_update(order, order, add);
        }
        if let Some(bytes) = usage.memory_bytes_max {
            let max = |now: u64| Some(if now == UNKNOWN { bytes } else { now.max(bytes) });
            let _ = self.shared.memory_bytes.fetch_update(order, order, max);
        }
    }

    /// What the task used so far.
    pub fn usage(&self) -> ResourceUsage {
        let known = |value: &AtomicU64| Some(value.load(Ordering::Relaxed)).filter(|v| *v != UNKNOWN);
        ResourceUsage { cpu_micros: known(&self.shared.cpu_micros), memory_bytes_max: known(&self.shared.memory_bytes) }
    }

    /// A panic elsewhere leaves the bytes whole, so a poisoned lock is still good.
    fn lock_output(&self) -> MutexGuard<'_, (Captured, Captured)> {
        self.shared.output.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_capped_and_never_cut_inside_a_character() {
        let limits = TaskLimits { output_bytes_max: 4, ..TaskLimits::default() };
        let ctx = TaskContext::new(TaskInfo::default(), limits, CancellationToken::new(), None);
        ctx.output(Stream::Stdout, "abc".as_bytes());
        ctx.output(Stream::Stdout, "ü".as_bytes());
        ctx.output(Stream::Stderr, b"\xffab");
        let (stdout, stderr) = ctx.captured();
        assert_eq!((stdout.text().as_str(), stdout.truncated), ("abc", true));
        assert_eq!((stderr.text().as_str(), stderr.truncated), ("\u{fffd}ab", false));
    }

    #[test]
    fn usage_is_unknown_until_someone_reports_it() {
        let ctx = TaskContext::detached("t");
        assert_eq!(serde_json::to_string(&ctx.usage()).unwrap(), r#"{"cpu_seconds":null,"max_memory_mb":null}"#);
        ctx.add_usage(ResourceUsage { cpu_micros: Some(1_500_000), memory_bytes_max: Some(9_000_000) });
        ctx.add_usage(ResourceUsage { cpu_micros: Some(500_000), memory_bytes_max: Some(1) });
        assert_eq!(serde_json::to_string(&ctx.usage()).unwrap(), r#"{"cpu_seconds":2.0,"max_memory_mb":9.0}"#);
    }
}
