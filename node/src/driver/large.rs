//! What is too large for facts, where tasks run: fetched before an attempt starts, stored and copied before its end is reported. The core
//! hears of neither: to it an attempt starts a little later and ends a little later.

use super::attempts;
use super::run::Driver;
use crate::blobs::{BlobError, Blobs, BodyBlobs, copy_time};
use crate::clock;
use crate::executor::Listener;
use rc_scheduler::{
    AttemptEvent, BlobRef, DeviceId, Epoch, ErrorClass, Input, Outcome, PAYLOAD_BYTES_MAX, Span, Start, TaskId,
};
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// Copies of a result beside the holder's own, before its end is reported.
const COPIES: usize = 1;

/// News for the driver.
#[derive(Debug)]
pub(super) enum LargeEvent {
    /// What an attempt works with is here, or cannot be had.
    Fetched { start: Start, payload: Result<Vec<u8>, BlobError>, took: Duration },
    /// What an attempt left is on disks.
    Stored { task: TaskId, epoch: Epoch, outcome: Outcome },
}

/// What is under way for attempts of this device.
#[derive(Debug)]
pub(super) struct Large {
    blobs: Blobs,
    fetching: HashMap<(TaskId, Epoch), AbortHandle>,
    /// At most one event for each attempt that runs here.
    tell: mpsc::UnboundedSender<LargeEvent>,
}

impl Large {
    pub(super) fn new(blobs: Blobs) -> (Self, mpsc::UnboundedReceiver<LargeEvent>) {
        let (tell, told) = mpsc::unbounded_channel();
        (Self { blobs, fetching: HashMap::new(), tell }, told)
    }

    pub(super) const fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// Fetches what an attempt works with. Its time runs meanwhile.
    fn fetch(&mut self, start: Start) {
        let key = (start.task, start.epoch);
        let (blobs, tell) = (self.blobs.clone(), self.tell.clone());
        let task = tokio::spawn(async move {
            let began = Instant::now();
            let limit = Duration::from_micros(start.timeout.0);
            let payload = tokio::time::timeout(limit, payload(&blobs, &start)).await;
            let payload = payload.unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()));
            // An error means that the node has stopped.
            drop(tell.send(LargeEvent::Fetched { start, payload, took: began.elapsed() }));
        });
        self.fetching.insert(key, task.abort_handle());
    }

    /// The attempt shall not start any more; `false` if it is not waiting for anything.
    pub(super) fn stop(&mut self, task: TaskId, epoch: Epoch) -> bool {
        let Some(fetch) = self.fetching.remove(&(task, epoch)) else { return false };
        fetch.abort();
        self.end(task, epoch, failed(ErrorClass::Preempted, "stopped before it began".to_owned()));
        true
    }

    /// An attempt that did not begin is over.
    fn end(&self, task: TaskId, epoch: Epoch, outcome: Outcome) {
        drop(self.tell.send(LargeEvent::Stored { task, epoch, outcome }));
    }

    /// Stores what an attempt left behind and has it copied, first to one of `prefer`.
    fn store(&self, task: TaskId, epoch: Epoch, outcome: Outcome, made: Vec<BlobRef>, prefer: Vec<DeviceId>) {
        let (blobs, tell) = (self.blobs.clone(), self.tell.clone());
        tokio::spawn(async move {
            let outcome = stored(&blobs, outcome, made, &prefer).await;
            drop(tell.send(LargeEvent::Stored { task, epoch, outcome }));
        });
    }
}

async fn payload(blobs: &Blobs, start: &Start) -> Result<Vec<u8>, BlobError> {
    for blob in &start.spec.blobs {
        blobs.ensure(blob.hash, Some(blob.bytes)).await?;
    }
    match start.spec.payload_blob {
        Some(blob) => blobs.load(blob, blobs.payload_bytes_max()).await,
        None => Ok(start.payload.to_vec()),
    }
}

/// The outcome, with what is too long for it in a blob that is on disks.
async fn stored(blobs: &Blobs, mut outcome: Outcome, made: Vec<BlobRef>, prefer: &[DeviceId]) -> Outcome {
    let mut refs = BodyBlobs { made, ..BodyBlobs::default() };
    let long = outcome.body.len() > PAYLOAD_BYTES_MAX;
    if long {
        match blobs.put(&outcome.body[..], Some(outcome.body.len() as u64), blobs.payload_bytes_max()).await {
            Ok(blob) => refs.body = Some(blob),
            Err(error) => {
                let what = format!("its result of {} bytes cannot be stored: {error}", outcome.body.len());
                outcome.error.get_or_insert((ErrorClass::ResourceExhausted, what));
                outcome.body = attempts::no_body();
            }
        }
    }
    let all: Vec<_> = refs.body.iter().chain(&refs.made).copied().collect();
    let _pins = blobs.pin(all.iter().map(|blob| blob.hash));
    if !all.is_empty() {
        let time = copy_time(all.iter().map(|blob| blob.bytes).sum());
        let holders = blobs.replicate(&all, COPIES, prefer, time).await;
        // Everything named by the outcome is on so many disks.
        refs.disks = u32::try_from(1 + holders.len()).ok();
    }
    outcome.body = if refs.body.is_some() {
        serde_json::to_vec(&refs).unwrap_or_default().into()
    } else {
        attempts::with_blobs(&refs, &outcome.body)
    };
    outcome
}

fn failed(class: ErrorClass, message: String) -> Outcome {
    let now = clock::now().wall_ms;
    Outcome {
        error: Some((class, message)),
        body: attempts::no_body(),
        started_wall_ms: now,
        finished_wall_ms: now,
        run: Span(0),
    }
}

impl Driver {
    /// Starts an attempt, when what it works with is here.
    pub(super) fn start(&mut self, start: Start) {
        tracing::debug!(task = %start.task, epoch = %start.epoch, trace_id = %self.trace_id(start.task), "starting");
        self.attempts.insert((start.task, start.epoch), clock::now().wall_ms);
        if start.spec.all_blobs().next().is_some() {
            self.large.fetch(start);
        } else {
            self.execute(&start, start.payload.to_vec(), Duration::ZERO);
        }
    }

    /// The last look before a task runs: what the owner does not grant now does not begin, whatever was believed before, and however
    /// long it took to fetch what the task works with.
    fn execute(&self, start: &Start, payload: Vec<u8>, over: Duration) {
        let (task, epoch) = (start.task, start.epoch);
        if let Some(unmet) = rc_scheduler::refusal(&start.spec, &self.capacity) {
            tracing::warn!(%task, %epoch, trace_id = %self.trace_id(task), %unmet, "not started");
            self.large.end(task, epoch, failed(ErrorClass::Preempted, format!("not started: {unmet}")));
            return;
        }
        let mut assignment = attempts::assignment(start, payload, over);
        assignment.listener = Listener(Some(self.live.begin(task, epoch)));
        if !self.executor.start(assignment) {
            tracing::error!(%task, %epoch, trace_id = %self.trace_id(task), "started twice");
        }
    }

    /// Who gets a copy of what an attempt here writes: those that granted and accepted it, or else one that keeps it.
    pub(super) fn copies(&self, task: TaskId) -> Vec<DeviceId> {
        let view = self.core.view();
        let Some(state) = view.record(task).map(rc_scheduler::Record::resolve) else { return Vec::new() };
        let mut devices: Vec<_> = state.lease.iter().map(|lease| lease.by).collect();
        devices.extend(state.submitted.iter().map(|submitted| submitted.by));
        devices.retain(|device| *device != view.me());
        devices.dedup();
        if devices.is_empty() {
            devices.extend(view.home(task).into_iter().find(|device| *device != view.me()));
        }
        devices
    }

    /// An attempt has ended: the core is told now, or when what it left is on disks.
    pub(super) fn ended(&mut self, task: TaskId, epoch: Epoch, outcome: Outcome, made: Vec<BlobRef>) {
        if outcome.body.len() <= PAYLOAD_BYTES_MAX && made.is_empty() {
            self.attempts.remove(&(task, epoch));
            self.feed(Input::Attempt { task, epoch, event: AttemptEvent::Ended(outcome) });
            return;
        }
        let view = self.core.view();
        let granter = view.record(task).and_then(|record| record.resolve().lease.map(|lease| lease.by));
        let prefer = granter.into_iter().chain(view.home(task)).filter(|device| *device != view.me()).collect();
        self.large.store(task, epoch, outcome, made, prefer);
    }

    pub(super) fn handle_large(&mut self, event: LargeEvent) {
        match event {
            LargeEvent::Fetched { start, payload, took } => {
                let (task, epoch) = (start.task, start.epoch);
                if self.large.fetching.remove(&(task, epoch)).is_none() {
                    return;
                }
                match payload {
                    Ok(payload) => self.execute(&start, payload, took),
                    Err(error) => {
                        let class = if error.is_full() { ErrorClass::ResourceExhausted } else { ErrorClass::Network };
                        let message = format!("what it works with is not to be had: {error}");
                        self.ended(task, epoch, failed(class, message), Vec::new());
                    }
                }
            }
            LargeEvent::Stored { task, epoch, outcome } => {
                self.attempts.remove(&(task, epoch));
                self.feed(Input::Attempt { task, epoch, event: AttemptEvent::Ended(outcome) });
            }
        }
    }
}
