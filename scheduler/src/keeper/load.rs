//! Reading records that rest back from the disk: for questions, for late facts, and for devices that lack them. So many at a time,
//! in the order they were asked for.

use super::cold::Cold;
use crate::core::Scheduler;
use crate::effect::Effect;
use crate::id::{DeviceId, TaskId};
use crate::input::CommandId;
use crate::record::{Fact, Record};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// Reads under way at once.
const IN_FLIGHT_MAX: usize = 64;
/// Reads that wait; more are only begun for facts, which come in frames of bounded number.
const WAITING_MAX: usize = 4_096;

/// Who wants a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reader {
    /// This device lacks facts of it.
    Peer(DeviceId),
    /// A question of this device's user.
    Question(u64),
    /// A question of another device.
    Served(DeviceId, u64),
    /// This device guards tasks that wait for it.
    Guardian,
    /// Another device does.
    Awaiting(DeviceId),
    /// This device's user wants it to begin again.
    Reopen(CommandId),
}

#[derive(Clone, Debug, Default)]
struct Load {
    ticket: u64,
    readers: Vec<Reader>,
    /// Facts that came for it meanwhile, with who has them on disk.
    facts: Vec<(Option<DeviceId>, Fact)>,
}

/// The reads that are under way or wait.
#[derive(Clone, Debug, Default)]
pub(crate) struct Loads {
    last_ticket: u64,
    /// By ticket, those that hold up acknowledgements because facts wait for them.
    tickets: BTreeMap<u64, TaskId>,
    wanted: BTreeMap<TaskId, Load>,
    waiting: BTreeMap<u64, TaskId>,
    in_flight: usize,
    /// Devices that lack more than had room.
    lack_more: BTreeSet<DeviceId>,
}

impl Loads {
    /// Everything that came up to this ticket is in its record.
    pub(crate) fn is_done(&self, ticket: u64) -> bool {
        ticket == 0 || self.tickets.first_key_value().is_none_or(|(first, _)| *first > ticket)
    }

    /// Nothing is read, and nothing waits for it.
    pub(crate) fn is_idle(&self) -> bool {
        self.wanted.is_empty()
    }

    fn want(&mut self, task: TaskId) -> &mut Load {
        self.wanted.entry(task).or_insert_with(|| {
            self.last_ticket += 1;
            self.waiting.insert(self.last_ticket, task);
            Load { ticket: self.last_ticket, ..Load::default() }
        })
    }
}

impl Scheduler {
    /// What must be done before everything that has come until now is in its record; zero if it is.
    pub(crate) fn open_ticket(&self) -> u64 {
        let ticket = self.loads.last_ticket;
        if self.loads.is_done(ticket) { 0 } else { ticket }
    }

    /// Has a record that rests read for somebody; says whether it will be.
    pub(crate) fn load(&mut self, task: TaskId, reader: Reader) -> bool {
        let room = self.loads.wanted.len() < WAITING_MAX || self.loads.wanted.contains_key(&task);
        let will = room && self.cold.has(task);
        if will {
            let load = self.loads.want(task);
            if !load.readers.contains(&reader) {
                load.readers.push(reader);
            }
        }
        will
    }

    /// A device lacks facts of a record that rests.
    pub(super) fn load_for_peer(&mut self, task: TaskId, device: DeviceId) {
        if self.cold.has(task) && !self.load(task, Reader::Peer(device)) {
            self.loads.lack_more.insert(device);
        }
    }

    /// A fact has come for a record that rests.
    pub(super) fn load_for_fact(&mut self, task: TaskId, from: Option<DeviceId>, fact: Fact) {
        let load = self.loads.want(task);
        if !load.facts.iter().any(|known| *known == (from, fact.clone())) {
            load.facts.push((from, fact));
        }
        let ticket = load.ticket;
        self.loads.tickets.insert(ticket, task);
    }

    /// Asks the disk for the next ones.
    pub(crate) fn flush_loads(&mut self) {
        while self.loads.in_flight < IN_FLIGHT_MAX {
            let Some((_, task)) = self.loads.waiting.pop_first() else { break };
            self.loads.in_flight += 1;
            self.effects.push_back(Effect::Load { task });
        }
        if self.loads.lack_more.is_empty() || !self.loads.is_idle() {
            return;
        }
        let in_session = |device: &DeviceId| self.peers.get(device).is_some_and(|peer| peer.session);
        let lack_more = core::mem::take(&mut self.loads.lack_more);
        let (more, later): (BTreeSet<_>, _) = lack_more.into_iter().partition(in_session);
        self.loads.lack_more = later;
        for device in more {
            self.send_digest(device, true);
            self.restart_strays(device);
        }
    }

    /// The disk has read a record; no facts if it cannot.
    pub(crate) fn handle_loaded(&mut self, task: TaskId, facts: Vec<Fact>) {
        let Some(load) = self.loads.wanted.remove(&task) else {
            self.counters.dropped += 1;
            return;
        };
        self.loads.in_flight = self.loads.in_flight.saturating_sub(1);
        self.loads.tickets.remove(&load.ticket);
        let rested = self.cold.get(task).copied().filter(|cold| !cold.buried);
        let record = match rested {
            Some(cold) => self.rested_record(task, cold, facts),
            None => self.tasks.get(&task).map(|entry| entry.record.clone()),
        };
        let to_peer = |reader: &Reader| matches!(reader, Reader::Peer(_) | Reader::Reopen(_));
        let needed = !load.facts.is_empty() || load.readers.iter().any(to_peer);
        if let (Some(cold), Some(record), true) = (rested, &record, needed) {
            self.thaw(task, cold, record.clone());
        }
        for reader in load.readers {
            match reader {
                Reader::Peer(device) => {
                    if let Some(entry) = self.tasks.get_mut(&task) {
                        entry.copy_mut(device).stored = 0;
                        self.dirty.insert(task);
                    }
                }
                Reader::Question(id) => self.question_loaded(id, task, record.as_ref()),
                Reader::Guardian | Reader::Awaiting(_) => self.dependency_loaded(reader, task, record.as_ref()),
                Reader::Reopen(id) => self.reopen(id, task),
                Reader::Served(device, id) => self.served_loaded(device, id, task, record.as_ref()),
            }
        }
        for (from, fact) in load.facts {
            self.learn(from, task, fact);
        }
    }

    /// The record that the disk gave, if it is one. What the disk has lost is no longer here: others have it, and digests show it.
    fn rested_record(&mut self, task: TaskId, cold: Cold, facts: Vec<Fact>) -> Option<Record> {
        let record = Record::from_facts(facts);
        let whole = record.hash() == cold.hash
            && record.resolve().submitted.is_some_and(|submitted| crate::record::is_still(task, submitted));
        if !whole {
            self.counters.lost_records += 1;
            self.toggle_cold(task);
            self.cold.remove(task);
            return None;
        }
        Some(record)
    }
}
