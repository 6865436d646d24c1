//! The driver's side of the disk: writes in order, and says so only when a write and all before it are safe.
//!
//! A batch that the disk refuses is kept and offered again about once a second, and everything after it waits behind it. Knows
//! entries, but not what they mean.

use super::keys::{self, Kept};
use crate::storage::{Batch, Event, LimitError, Numbered, ReadError, SubmitError, TaskKey, TaskRecord, Writer};
use rc_scheduler::{Entry, Fact, Mono, Span, TaskId};
use std::collections::VecDeque;

/// How long a full disk is left alone.
const RETRY: Span = Span::from_secs(1);

/// While attempts end here in quick succession, what is written of them shares a sync with what comes within this time.
const GATHER: Span = Span::from_ms(5);

/// What the core must be told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// The disk stopped or began to take new entries.
    pub(super) healthy: Option<bool>,
    /// Everything up to this write of the core is safe.
    pub(super) persisted: Option<u64>,
}

/// A batch that is not known to be safe.
#[derive(Debug)]
struct Write {
    /// Orders batches; never changes, while a refused batch gets a new number each time it is offered.
    place: u64,
    /// The core's number, on the last batch of each of its writes.
    upto: Option<u64>,
    safe: bool,
}

/// A batch that the writer does not have (any more).
#[derive(Debug)]
struct Held {
    place: u64,
    batch: Batch,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Takes everything.
    Working,
    /// Refused something: the first of what is held is offered again at `retry`, as number `probe`.
    Full { retry: Mono, probe: Option<u64> },
}

/// Where the core's writes go.
#[derive(Debug)]
pub(super) struct Disk<W = Writer> {
    writer: W,
    next_number: u64,
    next_place: u64,
    /// In order of place.
    writes: VecDeque<Write>,
    /// Number and place of what the writer has, in order of number.
    flights: VecDeque<(u64, u64)>,
    /// In order of place. Bounded by what peers send before they want to hear that it is stored; nothing is submitted meanwhile.
    held: VecDeque<Held>,
    /// Records to read that the writer had no room for. The core bounds how many it asks for.
    loads: VecDeque<TaskId>,
    mode: Mode,
    /// Somebody may wait for some of what is held.
    urgent: bool,
    /// When the writer was last given something.
    flushed: Mono,
    /// When it is to be given what is held.
    due: Option<Mono>,
    syncs: u64,
}

/// What the disk needs of a writer; tests have another one.
pub(super) trait Submit {
    /// Queues batches, all or none. Numbers rise.
    fn submit(&self, batches: Numbered) -> Result<(), SubmitError<Numbered>>;

    /// Queues a read of a task's record.
    fn load(&self, task: TaskKey) -> Result<(), SubmitError<TaskKey>>;
}

impl Submit for Writer {
    fn submit(&self, batches: Numbered) -> Result<(), SubmitError<Numbered>> {
        Self::submit(self, batches)
    }

    fn load(&self, task: TaskKey) -> Result<(), SubmitError<TaskKey>> {
        Self::load(self, task)
    }
}

impl<W: Submit> Disk<W> {
    /// A disk with nothing under way.
    pub(super) fn new(writer: W) -> Self {
        Self {
            writer,
            next_number: 1,
            next_place: 0,
            writes: VecDeque::new(),
            flights: VecDeque::new(),
            held: VecDeque::new(),
            loads: VecDeque::new(),
            mode: Mode::Working,
            urgent: false,
            flushed: Mono(0),
            due: None,
            syncs: 0,
        }
    }

    /// Writes entries of the core, with the next [`Self::flush`].
    pub(super) fn persist(&mut self, upto: u64, entries: Vec<Entry>) {
        self.urgent |= entries.iter().any(is_urgent);
        let mut batch = Batch::new();
        for entry in entries {
            match put(&mut batch, &entry) {
                Ok(()) => continue,
                Err(LimitError::Batch(_)) if !batch.is_empty() => {
                    self.push(std::mem::take(&mut batch), None);
                    if put(&mut batch, &entry).is_ok() {
                        continue;
                    }
                }
                Err(_) => {}
            }
            // A frame from a peer cannot carry one this large, and neither can a submit.
            tracing::error!("an entry is too large for the disk and was not written");
        }
        self.push(batch, Some(upto));
    }

    /// Reads a record that was safe before; the answer is an [`Event::Loaded`].
    pub(super) fn load(&mut self, task: TaskId) {
        self.loads.push_back(task);
    }

    /// Writes a named value of the driver's own. Nobody is told.
    pub(super) fn put_cell(&mut self, name: &str, value: &[u8]) {
        let mut batch = Batch::new();
        if let Err(error) = batch.put_cell(name, value) {
            tracing::warn!(name, %error, "not remembered");
            return;
        }
        self.push(batch, None);
    }

    /// Takes a named value away.
    pub(super) fn delete_cell(&mut self, name: &str) {
        let mut batch = Batch::new();
        if batch.delete_cell(name).is_ok() {
            self.push(batch, None);
        }
    }

    /// News from the writer.
    pub(super) fn handle(&mut self, now: Mono, event: Event) -> Told {
        let mut told = Told::default();
        match event {
            Event::Durable { upto } => {
                self.syncs += 1;
                while let Some((number, place)) = self.flights.front().copied().filter(|(number, _)| *number <= upto) {
                    self.flights.pop_front();
                    self.mark(place);
                    if matches!(self.mode, Mode::Full { probe: Some(probe), .. } if probe == number) {
                        self.mode = Mode::Working;
                        told.healthy = Some(true);
                        tracing::info!("the disk takes new records again");
                    }
                }
            }
            Event::Refused { upto, batch, error } => {
                if self.mode == Mode::Working {
                    told.healthy = Some(false);
                    tracing::error!(%error, "the disk refuses new records; what is running goes on");
                }
                self.mode = Mode::Full { retry: now + RETRY, probe: None };
                if let Some(at) = self.flights.iter().position(|(number, _)| *number == upto)
                    && let Some((_, place)) = self.flights.remove(at)
                {
                    let at = self.held.partition_point(|held| held.place < place);
                    self.held.insert(at, Held { place, batch });
                }
            }
            Event::Failed(error) => tracing::error!(%error, "the disk failed"),
            Event::Loaded { .. } => {}
        }
        told.persisted = self.settle();
        told
    }

    /// Groups of batches that are on disk, each by one sync.
    pub(super) const fn syncs(&self) -> u64 {
        self.syncs
    }

    /// When [`Self::retry`] or [`Self::flush`] is due.
    pub(super) fn wake(&self) -> Option<Mono> {
        match self.mode {
            Mode::Full { retry, probe: None } => Some(retry),
            Mode::Full { .. } => None,
            Mode::Working => self.due,
        }
    }

    /// Offers what was refused again, if it is time.
    pub(super) fn retry(&mut self, now: Mono) {
        if let Mode::Full { retry, probe: None } = self.mode
            && now >= retry
        {
            let number = self.next_number;
            let probe = (!self.held.is_empty() && self.submit(1)).then_some(number);
            self.mode = Mode::Full { retry: now + RETRY, probe };
        }
    }

    /// Everything that was asked for is safe.
    pub(super) fn is_idle(&self) -> bool {
        self.writes.is_empty()
    }

    /// Batches that are not known to be safe.
    pub(super) fn unsafe_writes(&self) -> usize {
        self.writes.len()
    }

    /// Gives the writer back, to be closed.
    pub(super) fn into_writer(self) -> W {
        self.writer
    }

    fn push(&mut self, batch: Batch, upto: Option<u64>) {
        let place = self.next_place;
        self.next_place += 1;
        self.writes.push_back(Write { place, upto, safe: false });
        self.held.push_back(Held { place, batch });
    }

    /// Gives the writer what it has room for. Goes with each turn of the driver, not with each write: what one turn writes shares a sync.
    /// If it `may_wait`, also with what the next turns write.
    pub(super) fn flush(&mut self, now: Mono, may_wait: bool) {
        self.due = None;
        if self.mode == Mode::Working && !self.held.is_empty() {
            if may_wait && !self.urgent && now < self.flushed + GATHER {
                self.due = Some(self.flushed + GATHER);
            } else {
                self.urgent = false;
                self.flushed = now;
                self.submit(self.held.len());
            }
        }
        while let Some(task) = self.loads.front()
            && self.writer.load(task.0).is_ok()
        {
            self.loads.pop_front();
        }
    }

    /// Offers the writer the first so many of what is held; false if it has no room.
    fn submit(&mut self, count: usize) -> bool {
        let first = self.next_number;
        let (places, batches): (Vec<_>, Vec<_>) = self.held.drain(..count).map(|held| (held.place, held.batch)).unzip();
        match self.writer.submit((first..).zip(batches).collect()) {
            Ok(()) => {
                self.next_number += places.len() as u64;
                self.flights.extend((first..).zip(places));
                true
            }
            Err(SubmitError::Busy(batches) | SubmitError::Stopped(batches)) => {
                let held = places.into_iter().zip(batches).map(|(place, (_, batch))| Held { place, batch });
                held.rev().for_each(|held| self.held.push_front(held));
                false
            }
        }
    }

    fn mark(&mut self, place: u64) {
        let at = self.writes.partition_point(|write| write.place < place);
        if let Some(write) = self.writes.get_mut(at) {
            write.safe = true;
        }
    }

    fn settle(&mut self) -> Option<u64> {
        let mut persisted = None;
        while self.writes.front().is_some_and(|write| write.safe) {
            persisted = self.writes.pop_front().and_then(|write| write.upto).or(persisted);
        }
        persisted
    }
}

impl Disk {
    /// Reads several records for `told`, which is called on the disk's own thread. False if it is too busy for that.
    pub(super) fn read(&self, tasks: &[TaskId], told: impl FnOnce(Vec<Kept>) + Send + 'static) -> bool {
        let readable = |record: Result<Option<TaskRecord>, ReadError>| match record {
            Ok(record) => record.map(keys::decode_record),
            Err(error) => {
                tracing::error!(%error, "a record cannot be read");
                None
            }
        };
        let told = move |records: Vec<_>| {
            told(records.into_iter().map(|record| readable(record).unwrap_or_default()).collect())
        };
        self.writer.read(tasks.iter().map(|task| task.0).collect(), told)
    }
}

/// Whether anybody may wait for it who is not served as well a few milliseconds later: whoever submits, cancels or begins again.
fn is_urgent(entry: &Entry) -> bool {
    match entry {
        Entry::Fact(_, fact) | Entry::Ended(_, fact, _) => {
            !matches!(fact, Fact::Leased(_) | Fact::Closed(_) | Fact::Settled(_) | Fact::Stable(_) | Fact::DepDone(_))
        }
        Entry::Member(_) => true,
        Entry::Forget(..) | Entry::Drop(_) | Entry::Bury(..) | Entry::Graves(..) | Entry::Clock { .. } => false,
    }
}

fn put(batch: &mut Batch, entry: &Entry) -> Result<(), LimitError> {
    match entry {
        Entry::Fact(task, fact) => batch.put(task.0, &keys::fact_key(&fact.key()), &keys::fact_value(fact)),
        Entry::Ended(task, fact, ended_s) => {
            batch.put(task.0, &keys::fact_key(&fact.key()), &keys::ended_value(fact, *ended_s))
        }
        Entry::Forget(task, key) => batch.delete(task.0, &keys::fact_key(key)),
        Entry::Drop(task) => batch.remove_task(task.0),
        Entry::Bury(task, tomb) => {
            let (key, value) = keys::tomb_entry(tomb);
            batch.remove_task(task.0)?;
            batch.put(task.0, key, &value)
        }
        Entry::Graves(by, intervals) => {
            let (name, value) = keys::graves_cell(*by, intervals);
            batch.put_cell(&name, &value)
        }
        Entry::Clock { ran_s, series } => batch.put_cell(keys::CLOCK_CELL, &keys::clock_value(*ran_s, *series)),
        Entry::Member(member) => batch.put_cell(&keys::member_cell(member.device), &keys::member_value(member)),
    }
}

#[cfg(test)]
mod tests;
