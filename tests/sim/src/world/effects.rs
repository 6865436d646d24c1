//! What the driver does with each effect.

use super::World;
use super::event::Event;
use super::executor::{Run, Stage};
use crate::clock::{MS, Micros, SECOND};
use crate::fault::CALM_BEFORE;
use crate::invariants;
use crate::oracle::{Copied, Set, Started, Written};
use crate::workload::{Plot, SLOWER, script_of};
use rc_scheduler::{
    Close, DeviceRecord, Effect, Entry, Epoch, ErrorClass, Event as Notice, Fact, Grounds, Leased, Outcome, Released,
    Span, Start, TaskId,
};

/// Two devices that nothing was between for longer than this have no excuse: they had time to give each other up, to find each
/// other again, and to ask.
pub(crate) const SETTLED_CONTACT: Micros = 18 * SECOND;

impl World {
    pub(crate) fn carry_out(&mut self, device: usize, effect: Effect) {
        match effect {
            Effect::Persist { upto, entries } => {
                self.stats.persists += 1;
                self.stats.entries += entries.len() as u64;
                for entry in &entries {
                    match entry {
                        Entry::Fact(task, fact) | Entry::Ended(task, fact, _) => self.note_fact(device, *task, fact),
                        Entry::Drop(task) | Entry::Bury(task, _) => {
                            invariants::only_what_was_told_is_buried::buries(self, device, *task);
                        }
                        _ => {}
                    }
                }
                self.devices[device].disk.write(upto, entries);
                self.flush(device);
            }
            Effect::Load { task } => self.load(device, task),
            Effect::Send { to, message } => match self.host(device, to) {
                Some(to) if to != device => self.send(device, to, message),
                _ => self.fail("messages_go_to_members", format!("d{device} sends to {to}")),
            },
            Effect::Gossip(record) => self.gossip(device, record),
            Effect::Start(start) => self.start(device, start),
            Effect::Stop { task, epoch, .. } => self.stop(device, task, epoch),
            Effect::Reply { id, reply } => self.reply(device, id, reply),
            Effect::Notify(notice) => match notice {
                Notice::PeerLost { device: peer, .. } => {
                    if let Some(peer) = self.host(device, peer) {
                        self.give_up(device, peer);
                    }
                }
                Notice::Settled { task } => invariants::told(self, device, task),
                Notice::Twins { device: peer } => {
                    let text = format!("d{device} takes {} for two hosts", self.names.d(peer));
                    self.fail("one_host_is_not_taken_for_two", text);
                }
                Notice::Alarm { task, what } => {
                    let text = format!("d{device} {}: {what}", self.names.t(task));
                    self.fail("a_key_has_one_value", text);
                }
                _ => {}
            },
        }
    }

    /// Remembers who a fact is from and whom its writer could have asked.
    fn note_fact(&mut self, device: usize, task: TaskId, fact: &Fact) {
        let me = self.devices[device].id;
        let written = Written { at: self.now, device, contacts: self.contacts(device) };
        match fact {
            Fact::Submitted(f) => {
                if let Some(script) = script_of(&f.payload) {
                    self.names.task(task, script);
                    self.tasks.entry(script).or_insert(task);
                }
            }
            Fact::Leased(f) if f.by == me => {
                self.stats.leases += 1;
                self.oracle.leases.insert((task, f.epoch), written);
                if let Some(first) = f.beside {
                    self.oracle.copies.insert((task, f.epoch), Copied { first, attempt: f.attempt });
                    self.stats.copies += 1;
                    invariants::copied(self, device, task, f.epoch);
                }
                if let Some(to) = self.names.index(f.to) {
                    self.oracle.open.entry(to).or_default().insert((task, f.epoch));
                    self.oracle.held.entry(to).or_default().insert((task, f.epoch), Micros::MAX);
                    if self.devices[to].core.is_none() {
                        // Nobody knows yet.
                        self.oracle.life_ends(to, self.now);
                    }
                    invariants::leased(self, device, to, task, f.epoch);
                }
            }
            Fact::Closed(f) if f.by == me => {
                self.oracle.open.entry(device).or_default().remove(&(task, f.epoch));
                self.oracle.held.entry(device).or_default().insert((task, f.epoch), self.now);
                let is_moved = matches!(f.close, Close::Released(Released::Refused { grounds: Grounds::Busy, .. }));
                self.stats.moved += u64::from(is_moved);
                if let Close::Finished(outcome) = &f.close {
                    self.oracle.ends.entry(device).or_default().push(self.now);
                    if !outcome.is_ok() {
                        self.oracle.failed(task, f.epoch, self.now);
                    }
                }
            }
            Fact::Settled(f) if f.by == me => {
                self.stats.settlements += 1;
                self.oracle.settlements.entry(task).or_default().push((f.clone(), written));
                invariants::settled(self, device, task, f);
            }
            _ => {}
        }
    }

    /// The device itself and those it has been in contact with for long.
    pub(crate) fn contacts(&self, device: usize) -> Set {
        Set::of(self.n(), |peer| {
            peer == device
                || self
                    .net
                    .contact(device, peer)
                    .is_some_and(|since| since < SECOND * 4 || self.now - since >= SETTLED_CONTACT)
        })
    }

    pub(crate) fn flush(&mut self, device: usize) {
        let it = &mut self.devices[device];
        if it.disk.begin() {
            let usual = self.dice.disk.skewed(200, 12 * MS);
            let slow = it.disk.slow;
            let takes = if slow > 0 { self.dice.disk.between(slow / 2, slow) } else { usual };
            self.queue.push(self.now + takes, Event::Flushed { device, life: it.life });
        }
    }

    fn load(&mut self, device: usize, task: TaskId) {
        let slow = self.devices[device].disk.slow;
        let usual = self.dice.disk.skewed(50, 4 * MS);
        let takes = if slow > 0 { self.dice.disk.between(slow / 2, slow) } else { usual };
        let life = self.devices[device].life;
        self.queue.push(self.now + takes, Event::Loaded { device, life, task });
    }

    fn gossip(&mut self, device: usize, record: Box<DeviceRecord>) {
        self.stats.gossip += 1;
        if self.devices[device].gossiped.len() < 16 {
            self.devices[device].gossiped.push((*record).clone());
        }
        for to in 0..self.n() {
            let relayed = || (0..self.n()).any(|via| self.net.is_open(device, via) && self.net.is_open(via, to));
            let reaches = to != device && (self.net.is_open(device, to) || relayed());
            if !reaches || self.dice.net.chance(self.weather.gossip_loss) {
                continue;
            }
            let late = if self.weather.gossip_late && self.dice.net.chance(100_000) { 10 * SECOND } else { 0 };
            let copies = if self.weather.gossip_late && self.dice.net.chance(50_000) { 2 } else { 1 };
            for _ in 0..copies {
                let at = self.now + self.dice.net.skewed(2 * MS, 300 * MS + late);
                self.queue.push(at, Event::Gossip { to, record: record.clone() });
            }
        }
    }

    fn start(&mut self, device: usize, start: Start) {
        self.stats.starts += 1;
        let Some(script) = script_of(&start.payload) else {
            self.fail("an_attempt_is_of_a_task", format!("d{device} starts {} without its payload", start.task));
            return;
        };
        let started = Started { at: self.now, device, epoch: start.epoch, contacts: self.contacts(device) };
        // What it leased to itself may begin before that is on its disk.
        let record = self.devices[device].core.as_ref().and_then(|core| core.view().record(start.task));
        let lease = record.into_iter().flat_map(|record| record.facts()).find_map(|fact| match fact {
            Fact::Leased(lease) if lease.epoch == start.epoch => Some(*lease),
            _ => None,
        });
        if let Some(Leased { beside: Some(first), attempt, .. }) = lease {
            self.oracle.copies.insert((start.task, start.epoch), Copied { first, attempt });
        }
        // Whatever looks whether it may start can fall asleep between looking and starting: the core stops that at once.
        if !self.devices[device].waking {
            invariants::before_start(self, &start, started);
        }
        self.oracle.starts.entry(start.task).or_default().push(started);
        let orphans = self.devices.iter().flat_map(|d| &d.executor.orphans);
        let beside = orphans.into_iter().any(|(t, until)| *t == start.task && *until > self.now);
        self.stats.beside_orphans += u64::from(beside);
        let mut error = self.scripts[script].error(start.attempt);
        if self.scripts[script].fails_on == Some(device) {
            error = error.or(Some(ErrorClass::Network));
        }
        let wants = self.scripts[script].length;
        let mut length = self.dice.exec.between(wants / 10 * 8, wants);
        if self.scripts[script].slow_on == Some(device) {
            length *= SLOWER;
        }
        let overrun = self.scripts[script].plot == Plot::Overrun;
        if overrun {
            length = start.timeout.0;
        }
        let mut deaf = 0;
        if self.weather.hang && self.dice.exec.chance(300_000) {
            // Some ends only long after everything else is mended.
            let never = self.dice.exec.chance(100_000);
            let after = (CALM_BEFORE + (self.plan.seconds + 200) * SECOND).saturating_sub(self.now);
            deaf = if never { after } else { self.dice.exec.skewed(SECOND, 90 * SECOND) };
            length += deaf;
        }
        let stamp = self.stamp();
        let at = self.now + self.dice.exec.skewed(100, 30 * MS);
        let body = format!("{{\"on\":{device},\"epoch\":\"{}\"}}", start.epoch);
        let run = Run {
            script,
            stage: Stage::Starting,
            at,
            stamp,
            started: self.now,
            length,
            outcome: Outcome {
                error: error.map(|class| (class, "as the script says".to_owned())),
                body: body.into_bytes().into(),
                started_wall_ms: self.devices[device].clock.read(self.now).wall_ms,
                finished_wall_ms: 0,
                run: Span::ZERO,
            },
            exclusive: start.spec.requirements.exclusive,
            side_effects: start.spec.side_effects,
            deaf,
        };
        self.devices[device].executor.runs.insert((start.task, start.epoch), run);
        self.queue.push(at, Event::Stage { device, task: start.task, epoch: start.epoch, stamp });
        invariants::after_attempt(self, device);
    }

    fn stop(&mut self, device: usize, task: TaskId, epoch: Epoch) {
        let stamp = self.stamp();
        let takes = self.dice.exec.skewed(100, 60 * MS);
        let now = self.now;
        let Some(run) = self.devices[device].executor.runs.get_mut(&(task, epoch)) else {
            return;
        };
        let at = now + takes + run.deaf;
        if run.stage == Stage::Stopping || (run.stage == Stage::Running && run.at <= at) {
            return;
        }
        run.stage = Stage::Stopping;
        run.at = at;
        run.stamp = stamp;
        self.queue.push(at, Event::Stage { device, task, epoch, stamp });
    }
}
