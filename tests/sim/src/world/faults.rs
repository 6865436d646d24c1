//! Carries faults out, and heals them all.

use super::event::Event;
use super::{Doom, World};
use crate::clock::SECOND;
use crate::fault::{Fate, Fault, Timed, absurd};
use rc_scheduler::{Input, Member, Message};

impl World {
    /// Lets a fault happen now.
    pub fn happen(&mut self, fault: Fault) {
        self.fault(fault);
    }

    pub(crate) fn fault(&mut self, fault: Fault) {
        self.trace.line(self.now, || format!("** {fault:?}"));
        self.faults += 1;
        match fault {
            Fault::Cut(from, to) => {
                self.net.path(from, to).cuts += 1;
                self.touch(from);
                self.probe_later(from, to);
                self.probe_later(to, from);
            }
            Fault::Mend(from, to) => self.mend(from, to),
            Fault::Close(a, b) => {
                for (device, peer) in [(a, b), (b, a)] {
                    if let Some(link) = self.net.conn(device, peer) {
                        self.queue.push(self.now, Event::Down { device, peer, link });
                    }
                }
            }
            Fault::Kill(device, effects) => self.doom(device, Doom { left: effects, fate: Fate::Kill, back: None }),
            Fault::PowerOff(device, effects) => {
                self.doom(device, Doom { left: effects, fate: Fate::PowerOff, back: None });
            }
            Fault::Meet(device, left, fate, back) => self.doom(device, Doom { left, fate, back: Some(back) }),
            Fault::Boot(device) => self.boot(device),
            Fault::Destroy(device) => {
                self.die(device, true);
                self.devices[device].disk.destroyed = true;
                self.devices[device].disk.records.clear();
            }
            Fault::Suspend(device) => self.sleep(device, true),
            Fault::Freeze(device) => self.sleep(device, false),
            Fault::Stall(device) => self.stall(device),
            Fault::Wake(device) => self.wake(device),
            Fault::Disk(device, slow) => self.devices[device].disk.slow = slow,
            Fault::Full(device, _) if self.devices[device].asleep_since.is_some() => {
                // Nobody tells a device that sleeps; it finds out when it wakes.
                self.devices[device].inbox.push((1_005, Event::Fault(fault)));
            }
            Fault::Full(device, full) => {
                if self.devices[device].disk.full != full {
                    self.devices[device].disk.full = full;
                    if self.devices[device].is_awake() {
                        self.feed(device, Input::Storage { healthy: !full });
                        self.flush(device);
                    }
                }
            }
            Fault::Wall(device, wall_ms) => self.devices[device].clock.wall_ms = wall_ms,
            Fault::Latency(from, to, slow) => {
                self.net.path(from, to).slow = slow;
                self.touch(from);
            }
            Fault::FrameLoss(ppm) => self.weather.frame_loss = ppm,
            Fault::GossipLoss(ppm) => self.weather.gossip_loss = ppm,
            Fault::GossipReplay(device) => {
                for record in self.devices[device].gossiped.clone() {
                    for to in (0..self.n()).filter(|to| *to != device) {
                        let at = self.now + self.dice.net.between(0, SECOND);
                        self.queue.push(at, Event::Gossip { to, record: Box::new(record.clone()) });
                    }
                }
            }
            Fault::Hang(hang) => self.weather.hang = hang,
            Fault::Pause(device, _) | Fault::Resume(device) | Fault::Load(device, _) | Fault::Battery(device, _)
                if self.devices[device].asleep_since.is_some() =>
            {
                self.devices[device].inbox.push((1_005, Event::Fault(fault)));
            }
            Fault::Pause(device, at_once) => self.pause(device, at_once),
            Fault::Resume(device) => self.resume(device),
            Fault::Battery(device, on) => {
                self.devices[device].capacity.mains = !on;
                let capacity = self.devices[device].capacity.clone();
                if self.devices[device].is_awake() {
                    self.feed(device, Input::Capacity(Box::new(capacity)));
                }
            }
            Fault::Load(device, ppm) => self.heat_up(device, ppm),
            Fault::Orphan(device) => self.orphan(device),
            Fault::Snapshot(device) => self.devices[device].disk.snapshot(),
            Fault::Rollback(device, boots_too) => {
                self.die(device, true);
                self.devices[device].disk.roll_back(boots_too);
                self.forgetful[device] = true;
                // What it had acknowledged since then is gone, and nobody knows.
                for accepted in self.oracle.accepted.values_mut() {
                    accepted.disks.0 &= !(1 << device);
                }
            }
            Fault::Copy(original, copy) => {
                self.devices[copy].id = self.devices[original].id;
                self.devices[copy].disk = self.devices[original].disk.clone();
                self.twins = Some((original, copy));
                self.forgetful[original] = true;
                self.boot(copy);
            }
            Fault::Absurd(to, from, kind) => self.absurd(to, from, kind),
            Fault::Member { at, of, keeps, retired, revoked } => {
                let (from, device) = (self.devices[of].id, self.devices[of].id);
                let member = Member { device, version: u32::from(!keeps), keeps, retired, revoked };
                if self.devices[at].is_awake() {
                    self.left[of] |= retired || revoked;
                    self.feed(at, Input::Message { from, message: Message::Members(vec![member]) });
                }
            }
        }
    }

    fn absurd(&mut self, to: usize, from: usize, kind: u8) {
        let (Some(core), Some(other)) = (&self.devices[to].core, &self.devices[from].core) else { return };
        let Some(task) = core.view().tasks().next_back() else { return };
        let (mine, theirs) = (core.view().incarnation(), other.view().incarnation());
        let (me, from) = (self.devices[to].id, self.devices[from].id);
        let message = absurd::say(kind, me, mine, from, theirs, task);
        self.feed(to, Input::Message { from, message });
    }

    /// Puts other faults in the place of those that were drawn; the first start of each device stays.
    pub fn restage(&mut self, faults: Vec<Timed>) {
        let mut first = vec![true; self.n()];
        let begun = self.queue.take_faults();
        for (at, fault) in begun {
            if let Fault::Boot(device) = fault
                && std::mem::take(&mut first[device])
            {
                self.queue.push(at, Event::Fault(fault));
            }
        }
        faults.into_iter().for_each(|(at, fault)| self.queue.push(at, Event::Fault(fault)));
    }

    fn doom(&mut self, device: usize, doom: Doom) {
        if self.devices[device].core.is_none() {
            return;
        }
        self.devices[device].doom = Some(doom);
        if self.devices[device].asleep_since.is_some() {
            self.meet_doom(device);
        }
    }

    /// Counts one effect; whether the device's time has come instead.
    pub(crate) fn is_doomed_now(&mut self, device: usize) -> bool {
        let Some(doom) = &mut self.devices[device].doom else { return false };
        if doom.left == 0 {
            return true;
        }
        doom.left -= 1;
        false
    }

    pub(crate) fn meet_doom(&mut self, device: usize) {
        let Some(Doom { fate, back, .. }) = self.devices[device].doom.take() else { return };
        let returns = match fate {
            Fate::Kill | Fate::PowerOff => {
                self.die(device, fate == Fate::PowerOff);
                Fault::Boot(device)
            }
            Fate::Suspend | Fate::Freeze => {
                self.sleep(device, fate == Fate::Suspend);
                Fault::Wake(device)
            }
            Fate::Stall => {
                // The core does not notice, and goes on.
                self.stall(device);
                for effect in std::mem::take(&mut self.devices[device].unfinished) {
                    self.take_effect(device, effect);
                }
                Fault::Wake(device)
            }
        };
        if let Some(back) = back.filter(|_| !self.healed) {
            self.queue.push(self.now + back, Event::Fault(returns));
        }
    }

    fn mend(&mut self, from: usize, to: usize) {
        self.net.mend(from, to, self.now);
        if self.net.is_open(from, to) {
            // What was sent meanwhile is sent again by the transport, in order, if the link still is.
            let late = self.now + self.dice.net.skewed(1_000, SECOND);
            let path = self.net.path(from, to);
            path.last_arrival = path.last_arrival.max(late);
            for event in std::mem::take(&mut self.net.path(from, to).stuck) {
                self.travel(from, to, event);
            }
        }
        self.touch(from);
    }

    /// Everything that can be mended is, and nothing breaks any more.
    pub fn heal(&mut self) {
        self.trace.line(self.now, || "** HEAL".to_owned());
        self.healed = true;
        self.queue.retain(|event| !matches!(event, Event::Fault(_)));
        self.weather.frame_loss = 0;
        self.weather.gossip_loss = 0;
        self.weather.gossip_late = false;
        self.weather.hang = false;
        self.weather.stale_frames = false;
        // A disk that was silent answers what it was asked meanwhile.
        self.queue.hurry_disks(self.now + SECOND);
        let n = self.n();
        if let Some((_, copy)) = self.twins {
            self.fault(Fault::Destroy(copy));
        }
        for from in 0..n {
            for to in (0..n).filter(|to| *to != from) {
                self.net.path(from, to).slow = 0;
                if self.net.path(from, to).cuts > 0 {
                    self.net.path(from, to).cuts = 1;
                    self.mend(from, to);
                }
            }
        }
        for device in 0..n {
            self.devices[device].disk.slow = 0;
            self.devices[device].doom = None;
            self.devices[device].inbox.retain(|(_, event)| !matches!(event, Event::Fault(_)));
            self.wake(device);
            self.fault(Fault::Full(device, false));
            self.resume(device);
            if self.devices[device].load.is_some() {
                self.heat_up(device, 0);
            }
            if self.left[device] {
                self.die(device, true);
            } else {
                self.boot(device);
            }
        }
    }
}
