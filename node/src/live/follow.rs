//! Follows a task from device to device: listens to whoever runs it, to a copy where that one has gone, and goes on with the next
//! attempt when there is one. What nobody has any more is taken from the result.

use super::book::LiveState;
use super::journal::Piece;
use super::kept::Kept;
use super::wire::{Frame, Request};
use crate::blobs::Stream as NetworkStream;
use crate::driver::{AttemptReport, DriverError, Handle, TaskReport};
use crate::handlers::Stream;
use rc_scheduler::{DeviceId, Epoch, Event, Status, TaskId};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc};
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;

/// Events that wait for whoever follows; then the source waits.
const EVENTS_MAX: usize = 64;
/// For a device to take a stream, and to say the next thing when it was only asked what there is.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(2);
/// Between two looks at the task, if nothing is heard of it.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The device that runs it gets so long for its last words when the others already know that it is over.
const LAST_WORDS: Duration = Duration::from_millis(1500);

/// What there is to tell about a task that is followed.
#[derive(Debug, Clone, PartialEq)]
pub enum LogEvent {
    /// What comes is from this attempt.
    Attempt {
        /// Its lease.
        epoch: Epoch,
        /// Its number, from 1.
        attempt: u32,
        /// Where it runs.
        device: DeviceId,
    },
    /// Another device gets a copy of the attempt that is followed, of which nothing is told before that attempt is over: both write
    /// the same.
    Copy {
        /// Its number.
        attempt: u32,
        /// Where the copy is.
        device: DeviceId,
    },
    /// It wrote something.
    Output {
        /// Where to.
        stream: Stream,
        /// Bytes of this stream before it.
        offset: u64,
        /// What.
        bytes: Vec<u8>,
    },
    /// So many bytes, of both streams, are not to be had any more.
    Missing(u64),
    /// How it is getting on.
    State(LiveState),
    /// The attempt is over, and it was not the last.
    Over {
        /// Its number.
        attempt: u32,
        /// Where it ran.
        device: DeviceId,
        /// How it ended: `lost`, an error class, …
        outcome: String,
    },
    /// The task has ended.
    Ended {
        /// How.
        status: Status,
        /// Some of the output was not told.
        truncated: bool,
    },
    /// The node cannot tell how it goes on.
    Broken(String),
}

impl Handle {
    /// What a task wrote and, with `stay`, what it writes until it has ended. Drop the receiver to stop.
    ///
    /// # Errors
    /// As [`Handle::task`].
    pub async fn logs(&self, task: TaskId, stay: bool) -> Result<mpsc::Receiver<LogEvent>, DriverError> {
        let news = self.watch();
        self.task(task).await?;
        let (out, events) = mpsc::channel(EVENTS_MAX);
        let follower = Follower { handle: self.clone(), task, stay, out, news, told: Told::default() };
        tokio::spawn(async move {
            let out = follower.out.clone();
            if let Err(error) = follower.run().await {
                // An error means that nobody listens any more.
                drop(out.send(LogEvent::Broken(error.to_string())).await);
            }
        });
        Ok(events)
    }

    /// How the attempt of a task that runs is getting on, as its device says; `None` if that does not answer at once.
    ///
    /// # Errors
    /// As [`Handle::task`].
    pub async fn live_state(&self, task: TaskId) -> Result<Option<LiveState>, DriverError> {
        let report = self.task(task).await?;
        let Some(attempt) = report.attempts.last().filter(|_| !report.status.is_terminal()) else { return Ok(None) };
        let live = self.live();
        let key = (task, attempt.epoch);
        let ask = async {
            let mut stream =
                live.open(attempt.device, Request::Follow { key, from: u64::MAX, stay: false }).await.ok()?;
            match Frame::read(&mut stream).await.ok()? {
                Frame::State(state) => Some(state),
                _ => None,
            }
        };
        Ok(timeout(ANSWER_TIME_MAX / 4, ask).await.ok().flatten())
    }
}

/// What of an attempt was told.
#[derive(Debug, Default)]
struct Told {
    /// The place to go on from.
    at: u64,
    /// Of each stream.
    streams: [u64; 2],
    /// Something was left out.
    gap: bool,
    /// That it began.
    attempt: bool,
    /// The last copy beside it.
    copy: Option<Epoch>,
    state: LiveState,
}

/// Why listening to one device ended.
#[derive(PartialEq)]
enum Heard {
    /// Everything was said.
    All,
    /// Everything that there is by now.
    Now,
    /// It does not know, or does not say.
    Nothing,
}

struct Follower {
    handle: Handle,
    task: TaskId,
    stay: bool,
    out: mpsc::Sender<LogEvent>,
    news: broadcast::Receiver<Event>,
    told: Told,
}

/// Nobody listens any more; whoever asked has gone.
const GONE: DriverError = DriverError::Stopping;

impl Follower {
    async fn tell(&self, event: LogEvent) -> Result<(), DriverError> {
        self.out.send(event).await.map_err(|_| GONE)
    }

    async fn run(mut self) -> Result<(), DriverError> {
        let mut last = None;
        loop {
            let report = self.handle.task(self.task).await?;
            let counts = |epoch| report.decided.is_none_or(|decided| epoch <= decided);
            let later = |attempt: &&AttemptReport| last.is_none_or(|last| attempt.epoch > last);
            let next = report.attempts.iter().filter(later).find(|attempt| counts(attempt.epoch)).cloned();
            if let Some(attempt) = next {
                self.told = Told::default();
                self.attempt(&attempt).await?;
                last = Some(attempt.epoch);
            } else if report.status.is_terminal() {
                return self.end(&report, last).await;
            } else if self.stay {
                let out = self.out.clone();
                tokio::select! {
                    () = out.closed() => return Err(GONE),
                    () = news(&mut self.news, self.task) => {}
                }
            } else {
                return Ok(());
            }
        }
    }

    async fn end(&mut self, report: &TaskReport, last: Option<Epoch>) -> Result<(), DriverError> {
        let mut truncated = self.told.gap;
        if report.decided.is_some() && report.decided == last {
            truncated |= self.rest(report).await?;
        }
        self.tell(LogEvent::Ended { status: report.status, truncated }).await
    }

    /// Tells one attempt, until it is over or everything there is was told.
    async fn attempt(&mut self, attempt: &AttemptReport) -> Result<(), DriverError> {
        loop {
            let report = self.handle.task(self.task).await?;
            self.copy(&report, attempt).await?;
            let over = is_over(&report, attempt.epoch);
            let stay = self.stay && !over;
            let all = self.hear_any(&report, attempt, stay).await?;
            if all || !stay {
                let now = self.handle.task(self.task).await?;
                let row = now.attempts.iter().find(|row| row.epoch == attempt.epoch);
                let started = self.told.attempt || row.is_some_and(|row| row.started_wall_ms.is_some());
                let next = now.attempts.iter().any(|row| row.epoch > attempt.epoch);
                let counts = now.decided == Some(attempt.epoch);
                if started && next && !counts {
                    let outcome = row.map_or_else(String::new, |row| row.outcome.clone());
                    let (attempt, device) = (attempt.attempt, attempt.device);
                    self.tell(LogEvent::Over { attempt, device, outcome }).await?;
                }
                return Ok(());
            }
            let out = self.out.clone();
            tokio::select! {
                () = out.closed() => return Err(GONE),
                () = news(&mut self.news, self.task) => {}
            }
        }
    }

    /// Listens to whoever may know of an attempt, the one that runs it first. Whether everything was told.
    async fn hear_any(&mut self, report: &TaskReport, from: &AttemptReport, stay: bool) -> Result<bool, DriverError> {
        let live = self.handle.live().clone();
        let mut devices = vec![from.device, live.0.me, from.guardian];
        devices.extend(report.acceptor);
        devices.extend(self.handle.home(self.task).await?);
        let mut asked = Vec::new();
        for device in devices {
            if asked.contains(&device) {
                continue;
            }
            asked.push(device);
            // A copy is only read: where the attempt goes on is found out by asking for its device again.
            let stay = stay && device == from.device;
            let request = Request::Follow { key: (self.task, from.epoch), from: self.told.at, stay };
            let Ok(Ok(stream)) = timeout(ANSWER_TIME_MAX, live.open(device, request)).await else { continue };
            match self.hear(stream, from, stay).await? {
                Heard::All => return Ok(true),
                // A copy may be older than another.
                Heard::Now if device == from.device => return Ok(false),
                Heard::Now | Heard::Nothing => {}
            }
        }
        Ok(false)
    }

    /// Listens to one device.
    async fn hear(
        &mut self,
        mut stream: Box<dyn NetworkStream>,
        from: &AttemptReport,
        stay: bool,
    ) -> Result<Heard, DriverError> {
        let (tell, mut frames) = mpsc::channel(4);
        // Reading must not be given up half way through a frame.
        let _reader = AbortOnDropHandle::new(tokio::spawn(async move {
            while let Ok(frame) = Frame::read(&mut stream).await {
                if tell.send(frame).await.is_err() {
                    return;
                }
            }
        }));
        let out = self.out.clone();
        let mut until = (!stay).then(|| Instant::now() + ANSWER_TIME_MAX);
        loop {
            let late = async {
                match until {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            let frame = tokio::select! {
                biased;
                frame = frames.recv() => frame,
                () = out.closed() => return Err(GONE),
                () = late => return Ok(Heard::Nothing),
                () = news(&mut self.news, self.task), if until.is_none() => {
                    let report = self.handle.task(self.task).await?;
                    self.copy(&report, from).await?;
                    if is_over(&report, from.epoch) {
                        until = Some(Instant::now() + LAST_WORDS);
                    }
                    continue;
                }
            };
            if !stay {
                until = Some(Instant::now() + ANSWER_TIME_MAX);
            }
            match frame {
                Some(Frame::Output(piece)) => self.output(from, piece).await?,
                Some(Frame::State(state)) => {
                    if self.told.state != state && state != LiveState::default() {
                        self.told.state = state.clone();
                        self.begin(from).await?;
                        self.tell(LogEvent::State(state)).await?;
                    }
                }
                Some(Frame::End(at)) => {
                    self.missing(at).await?;
                    return Ok(Heard::All);
                }
                Some(Frame::Open(_)) => return Ok(Heard::Now),
                Some(Frame::Absent | Frame::About(_)) | None => return Ok(Heard::Nothing),
            }
        }
    }

    async fn begin(&mut self, from: &AttemptReport) -> Result<(), DriverError> {
        if std::mem::replace(&mut self.told.attempt, true) {
            return Ok(());
        }
        let (epoch, attempt, device) = (from.epoch, from.attempt, from.device);
        self.tell(LogEvent::Attempt { epoch, attempt, device }).await
    }

    /// Tells that there is a copy beside an attempt that goes on, once.
    async fn copy(&mut self, report: &TaskReport, from: &AttemptReport) -> Result<(), DriverError> {
        let copies = report.attempts.iter().filter(|row| row.beside == Some(from.epoch) && goes_on(row));
        let Some(copy) = copies.max_by_key(|row| row.epoch).filter(|copy| self.told.copy < Some(copy.epoch)) else {
            return Ok(());
        };
        if !self.stay || is_over(report, from.epoch) {
            return Ok(());
        }
        self.told.copy = Some(copy.epoch);
        self.tell(LogEvent::Copy { attempt: from.attempt, device: copy.device }).await
    }

    /// Nothing came of what lies before `at`.
    async fn missing(&mut self, at: u64) -> Result<(), DriverError> {
        if at <= self.told.at {
            return Ok(());
        }
        let bytes = at - std::mem::replace(&mut self.told.at, at);
        self.told.gap = true;
        self.tell(LogEvent::Missing(bytes)).await
    }

    async fn output(&mut self, from: &AttemptReport, piece: Piece) -> Result<(), DriverError> {
        let Piece { at, stream, offset, bytes } = piece;
        self.begin(from).await?;
        if self.told.at == 0 && at > 0 {
            let mut before = [at.saturating_sub(offset); 2];
            before[stream as usize] = offset;
            self.beginning(from.epoch, before).await?;
        }
        self.missing(at).await?;
        self.told.at = self.told.at.max(at.saturating_add(bytes.len() as u64));
        self.told.streams[stream as usize] = offset.saturating_add(bytes.len() as u64);
        self.tell(LogEvent::Output { stream, offset, bytes }).await
    }

    /// Tells the beginning of what an attempt wrote, whose journal begins later: the result has as much of it as there is, and of each
    /// stream so many bytes are `before` what the journal has.
    async fn beginning(&mut self, epoch: Epoch, before: [u64; 2]) -> Result<(), DriverError> {
        let report = self.handle.task(self.task).await?;
        if report.decided != Some(epoch) || !report.status.is_terminal() {
            return Ok(());
        }
        for (stream, text) in Kept::of(&self.handle, &report).await.streams {
            let length = usize::try_from(before[stream as usize]).unwrap_or(usize::MAX).min(text.len());
            // A text that was not one does not have its bytes in the same places.
            if length > 0 && !text.contains('\u{fffd}') {
                let bytes = text.as_bytes()[..length].to_vec();
                self.told.at = self.told.at.saturating_add(length as u64);
                self.told.streams[stream as usize] = length as u64;
                self.tell(LogEvent::Output { stream, offset: 0, bytes }).await?;
            }
        }
        Ok(())
    }

    /// Tells what of the result's output was not told. Whether that is not all.
    async fn rest(&mut self, report: &TaskReport) -> Result<bool, DriverError> {
        let Kept { streams, truncated } = Kept::of(&self.handle, report).await;
        let told = self.told.streams;
        let mut short = false;
        for (stream, text) in streams {
            let done = usize::try_from(told[stream as usize]).unwrap_or(usize::MAX);
            short |= done < text.len();
            // A text that was not one does not have its bytes in the same places.
            let same = done == 0 || !text.contains('\u{fffd}');
            if !self.told.gap && same && done < text.len() {
                let bytes = text.as_bytes()[done..].to_vec();
                self.tell(LogEvent::Output { stream, offset: told[stream as usize], bytes }).await?;
            }
        }
        Ok(truncated && short)
    }
}

/// Waits for news of a task, and not for too long.
async fn news(news: &mut broadcast::Receiver<Event>, task: TaskId) {
    let until = tokio::time::sleep(LOOK_EVERY);
    tokio::pin!(until);
    loop {
        tokio::select! {
            () = &mut until => return,
            event = news.recv() => match event {
                Ok(Event::PeerLost { .. }) | Err(broadcast::error::RecvError::Lagged(_)) => return,
                Ok(event) if about(&event) == Some(task) => return,
                Ok(_) => {}
                Err(broadcast::error::RecvError::Closed) => return until.await,
            }
        }
    }
}

const fn about(event: &Event) -> Option<TaskId> {
    match event {
        Event::Submitted { task }
        | Event::Leased { task, .. }
        | Event::Speculated { task, .. }
        | Event::Started { task, .. }
        | Event::Closed { task, .. }
        | Event::Settled { task } => Some(*task),
        _ => None,
    }
}

fn goes_on(row: &AttemptReport) -> bool {
    matches!(row.outcome.as_str(), "running" | "assigned")
}

/// The attempt will not go on.
fn is_over(report: &TaskReport, epoch: Epoch) -> bool {
    let row = report.attempts.iter().find(|row| row.epoch == epoch);
    report.status.is_terminal()
        || !row.is_some_and(goes_on)
        || report.attempts.iter().any(|row| row.epoch > epoch && row.beside.is_none())
}
