//! A disk: what is safe, what is on its way, and what a crash leaves of that.

use crate::rng::Rng;
use rc_scheduler::{DeviceId, Durable, Entry, Fact, FactKey, Incarnation, Member, TaskId, Tomb};
use std::collections::{BTreeMap, VecDeque};

/// What a disk once had.
#[derive(Clone, Debug)]
struct Image {
    records: BTreeMap<TaskId, BTreeMap<FactKey, Fact>>,
    members: BTreeMap<DeviceId, Member>,
    boots: u32,
}

/// One device's disk.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    /// What would be found after a crash, by task.
    pub records: BTreeMap<TaskId, BTreeMap<FactKey, Fact>>,
    /// When its owner knew the end of tasks.
    ended: BTreeMap<TaskId, u32>,
    /// What is left of tasks that are over.
    pub tombs: BTreeMap<TaskId, Tomb>,
    graves: BTreeMap<DeviceId, Vec<(u64, u64)>>,
    clock: Option<(u64, u32)>,
    members: BTreeMap<DeviceId, Member>,
    boots: u32,
    pending: VecDeque<(u64, Vec<Entry>)>,
    /// How many of `pending` the running flush covers.
    in_flight: usize,
    /// Longest flush; zero is the usual few milliseconds.
    pub slow: u64,
    /// Refuses to write.
    pub full: bool,
    /// Gone for good.
    pub destroyed: bool,
    /// Flushes done.
    pub flushes: u64,
    image: Option<Image>,
}

impl Disk {
    /// A disk on which `members` are known.
    #[must_use]
    pub fn new(members: &[Member]) -> Self {
        Self { members: members.iter().map(|m| (m.device, *m)).collect(), ..Self::default() }
    }

    /// Something waits to be written, or it refuses to write.
    pub fn is_busy(&self) -> bool {
        self.full || !self.pending.is_empty()
    }

    /// Takes a `Persist`.
    pub fn write(&mut self, upto: u64, entries: Vec<Entry>) {
        self.pending.push_back((upto, entries));
    }

    /// Begins a flush of all that waits, if there is something and none is under way; says whether it did.
    pub fn begin(&mut self) -> bool {
        if self.in_flight > 0 || self.pending.is_empty() || self.full {
            return false;
        }
        self.in_flight = self.pending.len();
        true
    }

    /// The flush is done; returns the number to report.
    pub fn finish(&mut self) -> Option<u64> {
        let mut last = None;
        self.flushes += 1;
        for _ in 0..std::mem::take(&mut self.in_flight) {
            if let Some((upto, entries)) = self.pending.pop_front() {
                entries.into_iter().for_each(|entry| self.apply(entry));
                last = Some(upto);
            }
        }
        last
    }

    /// The device died: of what was on its way, some beginning is safe, cut anywhere between two entries.
    pub fn crash(&mut self, rng: &mut Rng) {
        self.in_flight = 0;
        let entries: Vec<Entry> = self.pending.drain(..).flat_map(|(_, entries)| entries).collect();
        let kept = if rng.chance(500_000) { 0 } else { rng.index(entries.len() + 1) };
        entries.into_iter().take(kept).for_each(|entry| self.apply(entry));
    }

    /// Remembers what is safe now.
    pub fn snapshot(&mut self) {
        self.image = Some(Image { records: self.records.clone(), members: self.members.clone(), boots: self.boots });
    }

    /// Is again what was remembered.
    pub fn roll_back(&mut self, boots_too: bool) {
        if let Some(image) = self.image.take() {
            (self.records, self.members) = (image.records, image.members);
            if boots_too {
                self.boots = image.boots;
            }
        }
    }

    /// Puts a fact there that no core of this device wrote.
    pub fn add_fact(&mut self, task: TaskId, fact: Fact) {
        self.apply(Entry::Fact(task, fact));
    }

    /// What the device finds when it starts; its number of boots is safe before it does anything.
    pub fn boot(&mut self) -> Durable {
        self.boots += 1;
        let mut facts = Vec::new();
        for (task, record) in &self.records {
            facts.extend(record.values().map(|fact| (*task, fact.clone())));
        }
        Durable {
            incarnation: Incarnation { boots: self.boots, wakes: 0 },
            members: self.members.values().copied().collect(),
            facts,
            ended: self.ended.iter().map(|(task, ended)| (*task, *ended)).collect(),
            tombs: self.tombs.iter().map(|(task, tomb)| (*task, tomb.clone())).collect(),
            graves: self.graves.iter().map(|(by, row)| (*by, row.clone())).collect(),
            ran_s: self.clock.map_or(0, |(ran, _)| ran),
            series: self.clock.map(|(_, series)| series),
        }
    }

    /// The task's facts.
    pub fn facts(&self, task: TaskId) -> impl Iterator<Item = &Fact> {
        self.records.get(&task).into_iter().flat_map(BTreeMap::values)
    }

    /// Whether it has that fact.
    #[must_use]
    pub fn has(&self, task: TaskId, key: &FactKey) -> bool {
        self.records.get(&task).is_some_and(|record| record.contains_key(key))
    }

    fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::Ended(task, fact, ended) => {
                self.ended.insert(task, ended);
                self.apply(Entry::Fact(task, fact));
            }
            Entry::Bury(task, tomb) => {
                self.records.remove(&task);
                self.ended.remove(&task);
                self.tombs.insert(task, tomb);
            }
            Entry::Graves(by, row) => {
                self.graves.insert(by, row);
            }
            Entry::Clock { ran_s, series } => self.clock = Some((ran_s, series)),
            Entry::Fact(task, fact) => {
                self.records.entry(task).or_default().insert(fact.key(), fact);
            }
            Entry::Forget(task, key) => {
                if let Some(record) = self.records.get_mut(&task) {
                    record.remove(&key);
                }
            }
            Entry::Drop(task) => {
                self.records.remove(&task);
                self.ended.remove(&task);
                self.tombs.remove(&task);
            }
            Entry::Member(member) => {
                self.members.insert(member.device, member);
            }
        }
    }
}
