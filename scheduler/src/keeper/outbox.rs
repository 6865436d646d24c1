//! Facts leave in numbered frames once they are on disk here, and are sent until the other side says that it has stored them
//! (rules 14, 15).

use crate::core::Scheduler;
use crate::disk::Placed;
use crate::id::{DeviceId, TaskId};
use crate::message::{Facts, Message, Resend, Stored};
use crate::record::Fact;
use crate::session::{Frame, ToAck};
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

impl Scheduler {
    /// Notes for each device that should have the task what it still has to be sent.
    pub(crate) fn push(&mut self, task: TaskId) {
        let (now, quiet) = (self.now.mono, self.config.digest_quiet);
        let Some(entry) = self.tasks.get(&task) else { return };
        for target in self.push_targets(task, entry) {
            if entry.missing_at(target) != 0
                && let Some(peer) = self.peers.get_mut(&target)
                && peer.session
                && (peer.comparing.is_none() || entry.is_recent(now, quiet))
            {
                peer.outbox.insert(task);
                self.unsent.insert(target);
            }
        }
    }

    /// Builds the frames that may leave now.
    pub(crate) fn flush_outboxes(&mut self) {
        // Of many devices only those are looked at for which there is something: this goes with every input.
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
        let Some(peer) = self.peers.get_mut(&from) else { return };
        while peer.frames.front().is_some_and(|frame| frame.number <= stored.upto) {
            let Some(frame) = peer.frames.pop_front() else { break };
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
        peer.to_ack.clear();
        for frame in core::mem::take(&mut peer.frames) {
            for placed in frame.facts {
                if let Some(entry) = self.tasks.get_mut(&placed.task) {
                    entry.copy_mut(device).sent = 0;
                    self.dirty.insert(placed.task);
                }
            }
        }
    }
}
