//! Which device a waiting task goes to: the best by score of those that have room. Room is a credit that the device granted
//! (rule 28), so stale gossip cannot overload anyone; a device that would be best and has not been asked is asked first.

use crate::core::Scheduler;
use crate::id::{DeviceId, TaskId};
use crate::message::{Grant, Message, Want};
use crate::placement::{Candidate, pick, score};
use crate::record::{Close, Fact, Released};
use crate::task::{Priority, Reason};
use crate::time::Span;
use crate::timers::Timer;
use alloc::vec::Vec;
use core::cmp::Reverse;

/// How long an unanswered question for credits holds up a task that would best go there.
const ASK_PATIENCE: Span = Span::from_ms(100);
/// Devices asked at once for credits: a task must not cost more messages the more devices there are.
const ASK_MAX: usize = 8;
/// When a full device is asked again, if it has not offered credits by itself.
const ASK_AGAIN: Span = Span::from_secs(1);

/// Whether a device has room for a lease of this guardian.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Room {
    /// A credit is in hand.
    Yes,
    /// It was asked just now.
    Asked,
    /// Nobody has asked.
    Unknown,
    /// It is full.
    No,
}

impl Scheduler {
    /// Places waiting tasks until none can be placed.
    pub(crate) fn place(&mut self) {
        if !self.is_able() {
            return;
        }
        while let Some((class, task)) =
            self.guardian.queue.next(self.now.mono, &self.guardian.runs, self.guardian.world)
        {
            let open: Vec<_> = self
                .candidates(task)
                .into_iter()
                .filter(|(candidate, _)| candidate.reachable)
                .map(|(candidate, avoid)| (self.room(candidate.record.device), avoid, candidate))
                .collect();
            let choose = |avoiding: bool| {
                let spec = &self.tasks.get(&task)?.spec;
                let fit = open.iter().filter(|(room, avoid, _)| *room != Room::No && !(avoiding && *avoid));
                pick(task, spec, fit.map(|(_, _, candidate)| *candidate))
            };
            // The devices that have failed this task are avoided while another fits, even a busy one.
            let other_fits = self.tasks.get(&task).is_some_and(|entry| {
                open.iter().any(|(_, avoid, candidate)| !avoid && crate::placement::fits(&entry.spec, candidate))
            });
            let best = choose(other_fits);
            let Some(best) = best else {
                self.guardian.queue.stick(class, self.guardian.world);
                self.timers.set_earlier(Timer::Place, self.now.mono + ASK_AGAIN);
                continue;
            };
            if self.room(best.device) == Room::Yes {
                self.lease(task, best.device, best.terms.total());
                self.settle_dirty();
                continue;
            }
            let Some(entry) = self.tasks.get(&task) else { continue };
            let mut ask: Vec<_> = open
                .iter()
                .filter(|(room, _, candidate)| *room == Room::Unknown && crate::placement::fits(&entry.spec, candidate))
                .map(|(.., candidate)| (candidate.record.device, score(&entry.spec, candidate).total()))
                .collect();
            ask.sort_unstable_by_key(|(device, total)| (*device != best.device, Reverse(*total), *device));
            ask.truncate(ASK_MAX);
            let count = self.guardian.queue.line_len(class) as u32;
            for (device, _) in ask {
                self.want(device, count, class.priority());
            }
            self.guardian.queue.stick(class, self.guardian.world);
            self.timers.set_earlier(Timer::Place, self.now.mono + ASK_PATIENCE);
        }
    }

    fn want(&mut self, device: DeviceId, count: u32, priority: Priority) {
        self.peer_mut(device).credit.asked = Some(self.now.mono);
        self.send(device, Message::Want(Want { count, priority }));
    }

    fn room(&self, device: DeviceId) -> Room {
        let now = self.now.mono;
        if device == self.me {
            return if self.local_room() > 0 { Room::Yes } else { Room::No };
        }
        let Some(peer) = self.peers.get(&device) else { return Room::No };
        match peer.credit.asked {
            _ if !peer.is_up() || !peer.take => Room::No,
            _ if peer.lease_limit(now) > self.counted_at(device).0 => Room::Yes,
            _ if now < peer.credit.denied_until => Room::No,
            Some(asked) if now < asked + ASK_PATIENCE => Room::Asked,
            Some(asked) if now < asked + ASK_AGAIN => Room::No,
            _ => Room::Unknown,
        }
    }

    /// A device answered how much room it has for this guardian.
    pub(crate) fn handle_grant(&mut self, from: DeviceId, grant: Grant) {
        let (now, ttl) = (self.now.mono, self.config.credit_ttl);
        let full = grant.limit <= self.counted_at(from).0;
        let peer = self.peer_mut(from);
        peer.credit.asked = None;
        peer.credit.limit = grant.limit;
        peer.credit.until = now + ttl;
        peer.credit.denied_until = if full { now + ASK_AGAIN } else { now };
        self.guardian.world += 1;
    }

    /// Every known device as a candidate for a task, and whether it is one to avoid: it has failed the task before.
    pub(crate) fn candidates(&self, task: TaskId) -> Vec<(Candidate<'_>, bool)> {
        let Some(entry) = self.tasks.get(&task) else { return Vec::new() };
        let mut failed = Vec::new();
        let mut refused = Vec::new();
        for fact in entry.record.facts() {
            if let Fact::Closed(closed) = fact {
                match &closed.close {
                    Close::Finished(outcome) if !outcome.is_ok() => failed.push(closed.by),
                    Close::Released(Released::Refused { record_sequence }) => {
                        refused.push((closed.by, closed.by_inc, *record_sequence));
                    }
                    _ => {}
                }
            }
        }
        let mine = core::iter::once((&self.me, &self.own));
        mine.chain(self.devices.iter().filter(|(device, _)| **device != self.me))
            .map(|(device, record)| {
                let counted = self.counted_at(*device).0;
                let shown = record.active_tasks.saturating_add(record.queued_tasks);
                let candidate = Candidate {
                    record,
                    leased_unseen: counted.saturating_sub(shown),
                    reachable: *device == self.me || self.peers.get(device).is_some_and(|peer| peer.is_up()),
                    refused: refused.iter().any(|(by, inc, sequence)| {
                        by == device && *inc == record.incarnation && record.sequence <= *sequence
                    }),
                };
                (candidate, failed.contains(device))
            })
            .collect()
    }

    /// Why a task that waits for a device does, as this device sees it, with a sentence for people.
    pub(crate) fn waiting_reason(&self, task: TaskId) -> Option<(Reason, alloc::string::String)> {
        use alloc::string::ToString;
        let entry = self.tasks.get(&task)?;
        let candidates = self.candidates(task);
        if candidates.iter().any(|(candidate, _)| crate::placement::fits(&entry.spec, candidate)) {
            return Some((Reason::Resources, "every device that fits is busy".to_string()));
        }
        // The device that fails the fewest requirements tells best what is missing.
        let nearest = candidates
            .iter()
            .filter(|(candidate, _)| candidate.reachable)
            .map(|(candidate, _)| (crate::placement::unmet(&entry.spec, candidate), candidate.record))
            .min_by_key(|(unmet, record)| (unmet.len(), record.device))?;
        let (unmet, record) = nearest;
        let first = unmet.first()?;
        let name = if record.capacity.name.is_empty() { "a device" } else { &record.capacity.name };
        let text: Vec<_> = unmet.iter().map(ToString::to_string).collect();
        Some((first.reason(), alloc::format!("nearest is {name}: {}", text.join("; "))))
    }
}
