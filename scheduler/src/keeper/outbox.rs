//! Facts leave in numbered frames once they are on disk here, and are sent until the other side says that it has stored them
//! (rules 14, 15).

use crate::core::Scheduler;
use crate::disk::Placed;
use crate::entry::Entry;
use crate::id::{DeviceId, TaskId};
use crate::message::{Facts, Message, Resend, Stored};
use crate::record::{Fact, Slots};
use crate::session::{Frame, ToAck};
use crate::time::Span;
use crate::timers::Timer;
use alloc::vec::Vec;

/// About how many bytes a fact takes beside its texts and payloads.
const FACT_BYTES: usize = 96;

fn size(fact: &Fact) -> usize {
    FACT_BYTES
        + match fact {
            Fact::Submitted(f) => f.spec.len() + f.payload.len(),
            Fact::Closed(f) => match &f.close {
                crate::record::Close::Finished(outcome) => outcome.body.len(),
                crate::record::Close::Released(_) => 0,
            },
            Fact::DepDone(f) => f.values.len(),
            Fact::Unknown { body, .. } => body.len(),
            _ => 0,
        }
}

/// When what a device lacks goes to it (rule 14).
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    /// Somebody waits for it.
    Now,
    /// With the next frame, or in a moment: nobody else sends it.
    Later,
    /// In a moment, unless it turns out to have it: who wrote it sends it there, too.
    Perhaps,
}

impl Scheduler {
    /// Notes for each device that should have the task what it still has to be sent, and when.
    pub(crate) fn push(&mut self, task: TaskId) {
        let (now, quiet, gather) = (self.now.mono, self.config.digest_quiet, self.config.gather.0);
        let Some(entry) = self.tasks.get(&task) else { return };
        let targets = self.push_targets(task, entry);
        let mut first = None;
        for target in targets.iter().copied() {
            let Some(entry) = self.tasks.get(&task) else { return };
            let missing = entry.missing_at(target);
            let when = if missing == 0 {
                When::Now
            } else {
                let first = first.get_or_insert_with(|| self.first_to_have(entry, &targets));
                self.when(entry, missing, target, first)
            };
            let Some(peer) = self.peers.get_mut(&target) else { continue };
            if when == When::Now && (peer.gathered.remove(&task) | peer.later.remove(&task)) && !peer.is_gathering() {
                // Somebody else was faster, or it goes now.
                self.gathering.remove(&target);
                self.timers.clear(Timer::Gather(target));
            }
            if missing == 0 || !peer.session || (peer.comparing.is_some() && !entry.is_recent(now, quiet)) {
                continue;
            }
            let comes = missing & entry.submitted_slots() != 0;
            if comes && let Some(entry) = self.tasks.get_mut(&task) {
                entry.copy_mut(target).coming = true;
            }
            let wait = match when {
                When::Now => {
                    peer.outbox.insert(task);
                    self.unsent.insert(target);
                    continue;
                }
                When::Later => gather,
                // Of a pair one comes first, and what it sends the other one need not.
                When::Perhaps if self.me < target => 2 * gather,
                When::Perhaps => 4 * gather,
            };
            let line = if when == When::Later { &mut peer.later } else { &mut peer.gathered };
            if !peer.outbox.contains(&task) && line.insert(task) {
                self.gathering.insert(target);
                self.timers.set_earlier(Timer::Gather(target), now + Span(wait));
            }
        }
    }

    /// Those who make a task safe, and those who act on it: what this device writes goes to them at once. Of the others as many as an
    /// answer waits for, the quickest first; for the rest of its keepers a frame now and then is enough.
    fn first_to_have(&self, entry: &Entry, targets: &[DeviceId]) -> Vec<DeviceId> {
        let up = |device: &&DeviceId| self.peers.get(device).is_some_and(|peer| peer.is_up());
        let mut first: Vec<_> = targets.iter().filter(up).copied().collect();
        first.sort_by_cached_key(|device| self.peers[device].slowness(self.now.mono));
        first.truncate(self.disks_awaited() - 1);
        first.extend(entry.acceptors());
        let state = entry.record.resolve();
        if let Some(lease) = state.lease {
            first.extend([lease.to, lease.by]);
            first.extend(state.copy.map(|copy| copy.to));
        } else if entry.spec.idempotency_key.is_some() {
            first.extend(&entry.home.1);
        }
        first
    }

    /// When what a device lacks of a task goes to it. Nothing waits while anybody asks what is known.
    fn when(&self, entry: &Entry, missing: Slots, target: DeviceId, first: &[DeviceId]) -> When {
        if self.is_awaited() {
            return When::Now;
        }
        let mut when = When::Perhaps;
        for (_, fact) in entry.record.slots().filter(|(slot, _)| missing & 1 << slot != 0) {
            let writer = fact.writer();
            if writer.and_then(|writer| self.peers.get(&writer)).is_some_and(|writer| writer.is_up()) {
                continue;
            }
            let may_wait = match fact {
                Fact::Stable(_) => !entry.acceptors().any(|by| by == target),
                Fact::Submitted(_) | Fact::DepDone(_) | Fact::Leased(_) | Fact::Closed(_) | Fact::Settled(_) => {
                    writer == Some(self.me) && !first.contains(&target)
                }
                _ => false,
            };
            if !may_wait {
                return When::Now;
            }
            when = When::Later;
        }
        when
    }

    /// What was gathered for a device goes to it now.
    pub(crate) fn pass_on(&mut self, device: DeviceId) {
        self.gathering.remove(&device);
        self.timers.clear(Timer::Gather(device));
        if let Some(peer) = self.peers.get_mut(&device)
            && peer.session
        {
            peer.outbox.append(&mut peer.gathered);
            peer.outbox.append(&mut peer.later);
            self.unsent.insert(device);
        }
    }

    /// Asks and answers follow all that is known here; so do they what was gathered.
    pub(crate) fn pass_on_if_awaited(&mut self) {
        if !self.gathering.is_empty() && self.is_awaited() {
            self.gathering.clone().into_iter().for_each(|device| self.pass_on(device));
        }
    }

    /// Builds the frames that may leave now.
    pub(crate) fn flush_outboxes(&mut self) {
        // Of many devices only those are looked at for which there is something: this goes with every input.
        if self.unsent.is_empty() {
            return;
        }
        for device in core::mem::take(&mut self.unsent) {
            while self.peers.get(&device).is_some_and(|peer| peer.session)
                && let Some(message) = self.next_frame(device)
            {
                self.send(device, message);
            }
            if self.peers.get(&device).is_some_and(|peer| !peer.outbox.is_empty()) {
                self.unsent.insert(device);
            }
        }
    }

    fn next_frame(&mut self, device: DeviceId) -> Option<Message> {
        let peer = self.peers.get_mut(&device)?;
        if !peer.outbox.is_empty() && !peer.later.is_empty() {
            // A frame goes anyway.
            peer.outbox.append(&mut peer.later);
            if !peer.is_gathering() {
                self.gathering.remove(&device);
                self.timers.clear(Timer::Gather(device));
            }
        }
        let (mut facts, mut placed, mut bytes) = (Vec::new(), Vec::new(), 0);
        while bytes < self.config.frame_bytes && peer.frames.len() < self.config.frames_in_flight {
            let Some(task) = peer.outbox.pop_first() else { break };
            let Some(entry) = self.tasks.get_mut(&task) else { continue };
            let missing = entry.missing_at(device);
            for (slot, fact) in entry.record.slots().filter(|(slot, _)| missing & 1 << slot != 0) {
                bytes += size(fact);
                placed.push(Placed { task, slot: slot as u8, key: fact.key().hash() });
                facts.push((task, fact.clone()));
            }
            entry.copy_mut(device).sent |= missing;
        }
        if facts.is_empty() {
            return None;
        }
        let frame = peer.next_frame;
        peer.next_frame += 1;
        peer.frames.push_back(Frame { number: frame, sent: self.now.mono, facts: placed });
        let first = peer.frames.front().map_or(frame, |oldest| oldest.number);
        Some(Message::Facts(Facts { frame, first, facts }))
    }

    /// Facts from a peer.
    pub(crate) fn handle_facts(&mut self, from: DeviceId, frame: Facts) {
        // Numbers begin with the life of who counts. Beyond its life nothing was sent: who believed that would never miss a frame again.
        let life = self.peers.get(&from).and_then(|peer| peer.inc).map_or(0, |inc| inc.boots);
        if frame.first > frame.frame || frame.frame >> 32 > life.into() {
            self.counters.dropped += 1;
            return;
        }
        for (task, fact) in frame.facts {
            self.learn(Some(from), task, fact);
        }
        let (horizon, ticket) = (self.disk.horizon(), self.open_ticket());
        let peer = self.peer_mut(from);
        peer.expected = peer.expected.max(frame.first);
        if frame.frame > peer.expected {
            // One is missing. What came is kept, but an acknowledgement would cover the missing one too.
            if core::mem::replace(&mut peer.asked_for, peer.expected) != peer.expected {
                self.send(from, Message::Resend(Resend));
            }
            return;
        }
        peer.expected = peer.expected.max(frame.frame.saturating_add(1));
        peer.to_ack.push_back(ToAck { horizon, ticket, number: frame.frame });
        self.unacked.insert(from);
    }

    /// A peer has missed something; or has not acknowledged for so long that it may have.
    pub(crate) fn resend(&mut self, to: DeviceId) {
        self.unsend(to);
        self.resend_leases(to);
        self.dirty_missing(to);
    }

    /// Sends again what has waited too long for its acknowledgement; goes with the beat.
    pub(crate) fn check_frames(&mut self, to: DeviceId) {
        let overdue = |frame: &Frame| self.now.mono.since(frame.sent) >= self.config.dead;
        if self.peers.get(&to).is_some_and(|peer| peer.frames.front().is_some_and(overdue)) {
            self.resend(to);
        }
    }

    /// Acknowledges the frames whose facts are on disk.
    pub(crate) fn flush_acks(&mut self) {
        if self.unacked.is_empty() {
            return;
        }
        let mut acks = Vec::new();
        for device in core::mem::take(&mut self.unacked) {
            let Some(peer) = self.peers.get_mut(&device) else { continue };
            let mut last = None;
            while let Some(ack) = peer.to_ack.front_mut()
                && self.loads.is_done(ack.ticket)
            {
                if core::mem::take(&mut ack.ticket) != 0 {
                    ack.horizon = self.disk.horizon();
                }
                if !self.disk.is_safe(ack.horizon) {
                    break;
                }
                last = Some(ack.number);
                peer.to_ack.pop_front();
            }
            if let Some(upto) = last
                && peer.session
            {
                acks.push((device, Stored { upto }));
            }
            if !peer.to_ack.is_empty() {
                self.unacked.insert(device);
            }
        }
        for (device, stored) in acks {
            self.send(device, Message::Stored(stored));
        }
    }

    /// A peer has frames of mine on disk.
    pub(crate) fn handle_stored(&mut self, from: DeviceId, stored: Stored) {
        let now = self.now.mono;
        let Some(peer) = self.peers.get_mut(&from) else { return };
        if stored.upto >= peer.next_frame {
            self.counters.dropped += 1;
            return;
        }
        while peer.frames.front().is_some_and(|frame| frame.number <= stored.upto) {
            let Some(frame) = peer.frames.pop_front() else { break };
            peer.sample_store(now.since(frame.sent));
            for placed in frame.facts {
                let Some(entry) = self.tasks.get_mut(&placed.task) else { continue };
                if entry.record.get(placed.slot.into()).is_some_and(|fact| fact.key().hash() == placed.key) {
                    let copy = entry.copy_mut(from);
                    copy.stored |= 1 << placed.slot;
                    copy.has = true;
                    copy.sent &= !(1 << placed.slot);
                    self.dirty.insert(placed.task);
                }
            }
        }
    }

    /// A peer has started anew, and records that have ended rest there, without a word on who else has them: what this device is not
    /// to keep, but has not seen the end of, is sent to it again, so that it answers with the end.
    pub(crate) fn tell_again(&mut self, device: DeviceId) {
        for task in self.open.clone() {
            self.refresh_home(task);
            let me = self.me;
            let Some(entry) = self.tasks.get_mut(&task) else { continue };
            let shares = |entry: &crate::entry::Entry, device: DeviceId| {
                entry.home.1.contains(&device) || entry.acceptors().any(|by| by == device)
            };
            if shares(entry, device) && !shares(entry, me) {
                entry.copy_mut(device).stored = 0;
                self.dirty.insert(task);
            }
        }
    }

    /// Looks again at every task of which a peer lacks something.
    pub(crate) fn dirty_missing(&mut self, device: DeviceId) {
        for (task, entry) in &self.tasks {
            if entry.missing_at(device) != 0 {
                self.dirty.insert(*task);
            }
        }
    }

    /// What was on its way to a peer is to be sent again, once it is in session.
    pub(crate) fn unsend(&mut self, device: DeviceId) {
        let Some(peer) = self.peers.get_mut(&device) else { return };
        peer.outbox.clear();
        if peer.session {
            // Else it is looked at again with the next session.
            self.dirty.append(&mut peer.gathered);
            self.dirty.append(&mut peer.later);
            self.gathering.remove(&device);
            self.timers.clear(Timer::Gather(device));
        }
        peer.to_ack.clear();
        for frame in core::mem::take(&mut peer.frames) {
            for placed in frame.facts {
                if let Some(entry) = self.tasks.get_mut(&placed.task) {
                    let copy = entry.copy_mut(device);
                    copy.sent = 0;
                    copy.coming &= peer.session;
                    self.dirty.insert(placed.task);
                }
            }
        }
    }
}
