//! How devices start, die, sleep and wake.

use super::World;
use super::event::Event;
use crate::class::Class;
use crate::clock::{MS, SECOND};
use crate::fault::Fault;
use crate::invariants;
use rc_scheduler::{Blocked, Input, Scheduler, TaskId};
use std::collections::{BTreeMap, VecDeque};

impl World {
    pub(crate) fn boot(&mut self, device: usize) {
        let it = &mut self.devices[device];
        it.doom = None;
        if it.core.is_some() || it.disk.destroyed {
            return;
        }
        it.life += 1;
        it.host_up = true;
        it.joined = true;
        it.asleep_since = None;
        it.tick_at = None;
        it.tick_stamp += 1;
        it.born = self.now;
        let life = it.life;
        let durable = it.disk.boot();
        let now = it.clock.read(self.now);
        let seed = self.dice.exec.bytes();
        self.trace
            .line(self.now, || format!("d{device} BOOT {} with {} facts", durable.incarnation, durable.facts.len()));
        match Scheduler::restore(it.id, it.config.clone(), seed, durable, now) {
            Ok(core) => self.devices[device].core = Some(core),
            Err(error) => {
                self.fail("a_device_starts_from_what_its_disk_kept", format!("d{device}: {error}"));
                return;
            }
        }
        self.drain(device);
        self.tell_capacity(device);
        self.queue.push(self.now + 5 * SECOND, Event::Measure { device, life });
        for peer in 0..self.n() {
            if let Some(link) = self.net.conn(peer, device).filter(|_| peer != device) {
                self.travel(device, peer, Event::Fin { from: device, to: peer, link });
            }
            if self.devices[peer].joined {
                self.redial(device, peer);
            }
        }
    }

    /// The process dies; with `power`, the host too, and nobody is told.
    pub(crate) fn die(&mut self, device: usize, power: bool) {
        if self.devices[device].core.is_none() {
            return;
        }
        self.trace.line(self.now, || format!("d{device} {}", if power { "POWER OFF" } else { "KILLED" }));
        self.oracle.life_ends(device, self.now);
        let it = &mut self.devices[device];
        it.core = None;
        it.doom = None;
        it.host_up = !power;
        it.asleep_since = None;
        it.inbox.clear();
        it.executor.runs.clear();
        it.heat = super::Heat::default();
        it.executor.asleep_since = None;
        it.unfinished.clear();
        it.life += 1;
        it.disk.crash(&mut self.dice.disk);
        self.pending.retain(|_, pending| pending.device != device);
        for peer in (0..self.n()).filter(|peer| *peer != device) {
            let newest = self.net.newest(device, peer);
            self.net.set_conn(device, peer, None);
            self.net.path(device, peer).stuck.retain(|event| matches!(event, Event::Fin { .. }));
            if power {
                self.net.path(device, peer).stuck.clear();
                self.probe_later(peer, device);
            } else {
                if let Some(link) = self.net.conn(peer, device).filter(|link| *link != newest) {
                    self.travel(device, peer, Event::Fin { from: device, to: peer, link });
                }
                self.travel(device, peer, Event::Fin { from: device, to: peer, link: newest });
            }
        }
        self.touch(device);
    }

    /// An attempt takes its device down, the process or the whole host.
    pub(crate) fn taken_down(&mut self, device: usize, task: TaskId) {
        *self.oracle.kills.entry(task).or_default() += 1;
        let power = self.dice.exec.chance(400_000);
        let back = self.now + self.dice.exec.between(SECOND, 12 * SECOND);
        self.die(device, power);
        self.queue.push(back, Event::Fault(Fault::Boot(device)));
        invariants::taken_down(self, task);
    }

    /// The process is killed, and nobody kills what it had started: nobody will ever hear how that ends.
    pub(crate) fn orphan(&mut self, device: usize) {
        if self.devices[device].asleep_since.is_some() {
            return;
        }
        let now = self.now;
        let mut orphans = std::mem::take(&mut self.devices[device].executor.orphans);
        orphans.extend(self.devices[device].executor.runs.iter().map(|((task, _), run)| (*task, run.at)));
        orphans.retain(|(_, until)| *until > now);
        self.die(device, false);
        self.devices[device].executor.orphans = orphans;
    }

    pub(crate) fn sleep(&mut self, device: usize, attempts_too: bool) {
        if !self.devices[device].is_awake() {
            return;
        }
        self.trace.line(self.now, || format!("d{device} {}", if attempts_too { "SUSPENDED" } else { "FROZEN" }));
        self.devices[device].asleep_since = Some(self.now);
        if attempts_too {
            self.devices[device].executor.asleep_since.get_or_insert(self.now);
        }
        for peer in 0..self.n() {
            self.probe_later(peer, device);
        }
        self.touch(device);
    }

    /// The owner wants the device back. He says so to a device that is off, too: it knows when it starts.
    pub(crate) fn pause(&mut self, device: usize, at_once: bool) {
        self.pauses += 1;
        let now = self.now;
        let it = &mut self.devices[device];
        it.capacity.blocked = [Blocked::Paused].into();
        it.paused.get_or_insert(now);
        if at_once {
            it.wanted_back.get_or_insert(now);
        }
        if it.is_awake() {
            self.tell_capacity(device);
        }
        if at_once && self.devices[device].is_awake() {
            self.feed(device, Input::GiveUp);
        }
    }

    /// The owner gives it again.
    pub(crate) fn resume(&mut self, device: usize) {
        let it = &mut self.devices[device];
        (it.paused, it.wanted_back) = (None, None);
        if !it.capacity.blocked.is_empty() {
            it.capacity.blocked.clear();
            if it.is_awake() {
                self.tell_capacity(device);
            }
        }
    }

    /// The attempts stop, and the core does not.
    pub(crate) fn stall(&mut self, device: usize) {
        if self.devices[device].core.is_some() {
            self.trace.line(self.now, || format!("d{device} ATTEMPTS STALL"));
            self.devices[device].executor.asleep_since.get_or_insert(self.now);
        }
    }

    /// Attempts go on where they stopped.
    fn go_on(&mut self, device: usize) {
        let Some(since) = self.devices[device].executor.asleep_since.take() else {
            return;
        };
        for ((task, epoch), run) in &mut self.devices[device].executor.runs {
            run.at = self.now + run.at.saturating_sub(since.max(run.started));
            let event = Event::Stage { device, task: *task, epoch: *epoch, stamp: run.stamp };
            self.queue.push(run.at, event);
        }
    }

    /// Wakes: what came meanwhile happens at once, each source's in its order, the sources in any.
    pub(crate) fn wake(&mut self, device: usize) {
        self.go_on(device);
        let Some(since) = self.devices[device].asleep_since.take() else {
            return;
        };
        if self.plan.class == Class::StoppedClock {
            let it = &mut self.devices[device].clock;
            it.base = it.base.saturating_sub(self.now - since);
        }
        self.trace.line(self.now, || format!("d{device} WAKES"));
        self.devices[device].inbox.retain(|(_, event)| !matches!(event, Event::Tick { .. }));
        self.devices[device].waking = true;
        for effect in std::mem::take(&mut self.devices[device].unfinished) {
            self.take_effect(device, effect);
        }
        self.devices[device].waking = false;
        self.devices[device].tick_stamp += 1;
        let stamp = self.devices[device].tick_stamp;
        self.devices[device].tick_at = None;
        let mut lanes: BTreeMap<usize, VecDeque<Event>> = BTreeMap::new();
        lanes.entry(1_000).or_default().push_back(Event::Tick { device, stamp });
        for (source, event) in std::mem::take(&mut self.devices[device].inbox) {
            lanes.entry(source).or_default().push_back(event);
        }
        let mut lanes: Vec<(usize, VecDeque<Event>)> = lanes.into_iter().collect();
        let staged = self.wake_order.clone();
        if let Some(order) = &staged {
            lanes.sort_by_key(|(source, _)| order.iter().position(|other| other == source));
        }
        let mut lanes: Vec<VecDeque<Event>> = lanes.into_iter().map(|(_, lane)| lane).collect();
        let mut at = self.now;
        while !lanes.is_empty() {
            let pick = if staged.is_some() { 0 } else { self.dice.order.index(lanes.len()) };
            if let Some(event) = lanes[pick].pop_front() {
                at += self.dice.order.skewed(1, MS);
                self.put_back(device, at, event);
            }
            if lanes[pick].is_empty() {
                lanes.remove(pick);
            }
        }
        self.touch(device);
    }

    /// An event of the inbox happens a moment after the wake; nothing new on its path overtakes it.
    fn put_back(&mut self, device: usize, at: u64, event: Event) {
        let stamp = self.devices[device].tick_stamp;
        match &event {
            Event::Frame { from, .. } | Event::Fin { from, .. } => {
                let path = self.net.path(*from, device);
                path.last_arrival = path.last_arrival.max(at);
            }
            // The core may have asked for another wake meanwhile; a late tick is never wrong.
            Event::Tick { .. } => {
                self.queue.push(at, Event::Tick { device, stamp });
                return;
            }
            _ => {}
        }
        self.queue.push(at, event);
    }
}
