//! Which device a waiting task goes to: the best by score of those that have room. Room is a credit that the device granted
//! (rule 28), so stale gossip cannot overload anyone; a device that would be best and has not been asked is asked first.

use super::offer::{Offer, Room};
use crate::core::Scheduler;
use crate::id::{DeviceId, TaskId};
use crate::keeper::rendezvous;
use crate::message::{Grant, Message, Want};
use crate::placement::{Candidate, Pick, Supply, fits, pick, score};
use crate::queue::{Asking, Head, Scale, Stuck};
use crate::record::{Close, Grounds, Released};
use crate::task::Priority;
use crate::time::Span;
use crate::timers::Timer;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cmp::Reverse;

/// How long an unanswered question for credits holds up a task that would best go there.
pub(super) const ASK_PATIENCE: Span = Span::from_ms(100);
/// Devices asked at once for credits, if more tasks wait than one: a task must not cost more messages the more devices there are.
pub(super) const ASK_MAX: usize = 8;
/// The same for a single task; the second may have room when the best has not.
const ASK_MIN: usize = 2;
/// When a full device is asked again, if it has not offered credits by itself.
pub(super) const ASK_AGAIN: Span = Span::from_secs(1);

/// What to do about a task that waits.
enum Next {
    /// Lease it there.
    Lease(Pick),
    /// Ask these for room, the first ones first; so many others are full.
    Ask {
        /// Some of those that have not been asked.
        devices: Vec<DeviceId>,
        /// Those that have said so.
        full: usize,
        /// What it waits for: nothing changes for it before that one answers, or does not for too long.
        why: Stuck,
    },
    /// No device fits that may have room.
    Wait(Stuck),
}

impl Scheduler {
    /// Places waiting tasks until none can be placed.
    pub(crate) fn place(&mut self) {
        if !self.is_able() {
            return;
        }
        self.look_again();
        let supply = if self.guardian.queue.is_demanding() { self.most_there_is() } else { Supply::default() };
        loop {
            let scale = Scale { now: self.now.mono, runs: &self.guardian.runs, supply };
            let Some(Head { class, task, priority }) = self.guardian.queue.next(&scale) else { break };
            // Where nobody has room, no task needs to be looked at.
            match self.any_room() {
                Room::Yes | Room::Unknown => {}
                room => {
                    let again = if room == Room::Asked { ASK_PATIENCE } else { ASK_AGAIN };
                    self.timers.set_earlier(Timer::Place, self.now.mono + again);
                    break;
                }
            }
            let next = self.choose(task, priority);
            match next {
                Next::Lease(chosen) => {
                    self.lease(task, chosen.device, chosen.terms.total());
                    self.settle_dirty();
                }
                Next::Ask { devices, full, why } => {
                    self.guardian.queue.stick(class, why);
                    self.timers.set_earlier(Timer::Place, self.now.mono + ASK_PATIENCE);
                    let line = self.guardian.queue.line_len(class);
                    let most = line.max(2 * full).clamp(ASK_MIN, ASK_MAX);
                    for device in devices.into_iter().take(most) {
                        self.want(device, line as u32, priority);
                    }
                }
                Next::Wait(why) => {
                    self.guardian.queue.stick(class, why);
                    self.timers.set_earlier(Timer::Place, self.now.mono + ASK_AGAIN);
                }
            }
        }
        self.place_copies();
        if self.guardian.queue.len() > 0 {
            self.watch_waiting();
        } else if self.guardian.copies.is_empty() && !self.guardian.full.is_empty() {
            // What they might offer now would be kept for nothing.
            for device in core::mem::take(&mut self.guardian.full) {
                if self.peers.get(&device).is_some_and(|peer| peer.is_up()) {
                    self.want_none(device);
                }
            }
        }
    }

    /// Lets those lines be looked at again for which something may have changed.
    fn look_again(&mut self) {
        if self.guardian.queue.len() == 0 {
            self.guardian.room_here = 0;
            self.guardian.anew = false;
            self.guardian.news.clear();
            return;
        }
        // Here there may be more room without anything having ended: what had waited for long has begun.
        let room = self.local_room();
        if room > core::mem::replace(&mut self.guardian.room_here, room) {
            self.guardian.news.insert(self.me);
        }
        let news = core::mem::take(&mut self.guardian.news);
        if core::mem::take(&mut self.guardian.anew) {
            self.guardian.queue.unstick_all();
            return;
        }
        let Self { guardian, devices, own, tasks, me, .. } = self;
        let record = |device| if device == *me { Some(&*own) } else { devices.get(&device) };
        let records: Vec<_> = news.iter().filter_map(|device| record(*device)).map(Candidate::new).collect();
        if !news.is_empty() {
            guardian.queue.unstick(
                |device| news.contains(&device),
                |task| tasks.get(&task).is_none_or(|entry| records.iter().any(|record| fits(&entry.spec, record))),
            );
        }
    }

    /// The most that any device has to spare of what tasks can ask for.
    fn most_there_is(&self) -> Supply {
        let records = core::iter::once(&self.own).chain(self.devices.values());
        let takes = records.filter(|record| record.capacity.blocked.is_empty());
        takes.map(|record| Supply::of(&record.capacity)).fold(Supply::default(), Supply::max)
    }

    fn choose(&self, task: TaskId, priority: Priority) -> Next {
        let Some(entry) = self.tasks.get(&task) else {
            return Next::Wait(Stuck { answer_of: None, fits_here: false });
        };
        let spec = &entry.spec;
        let mut offers = self.offers(task);
        offers.retain(|offer| offer.candidate.reachable);
        let held_for = self.leave_to_the_more_urgent(&mut offers, priority);
        // The devices that have failed this task are avoided while another fits, even a busy one.
        let other_fits = offers.iter().any(|offer| !offer.avoid && fits(spec, &offer.candidate));
        let best_of = |may: fn(Room) -> bool| {
            let fit = offers.iter().filter(|offer| may(offer.room) && !(other_fits && offer.avoid));
            pick(task, spec, fit.map(|offer| offer.candidate))
        };
        let here = offers.iter().find(|offer| offer.candidate.record.device == self.me);
        let fits_here = here.is_some_and(|offer| fits(spec, &offer.candidate) && !(other_fits && offer.avoid));
        let Some(best) = best_of(Room::may_be) else { return Next::Wait(Stuck { answer_of: None, fits_here }) };
        let is_best = |offer: &&Offer<'_>| offer.candidate.record.device == best.device;
        if offers.iter().find(is_best).is_some_and(|offer| offer.room == Room::Yes) {
            return Next::Lease(best);
        }
        // What has come back from where it waited goes where it need not.
        let has_waited = entry.record.resolve().closed.is_some_and(|closed| match closed.close {
            Close::Released(why) => matches!(why, Released::Refused { grounds: Grounds::Busy, .. }),
            Close::Finished(_) => false,
        });
        if has_waited {
            let idle = offers.iter().filter(|offer| offer.room == Room::Yes && !(other_fits && offer.avoid));
            let idle = idle.filter(|offer| self.idle_slots(offer.candidate.record.device) > 0);
            if let Some(idle) = pick(task, spec, idle.map(|offer| offer.candidate)) {
                return Next::Lease(idle);
            }
        }
        // Many guardians have the same view, and so the same best device. If it has told that it is full, what is known of the others
        // is as old: the best of those that have room is good enough.
        let full = offers.iter().filter(|offer| offer.room == Room::Full).count();
        if full > 0
            && let Some(in_hand) = best_of(|room| room == Room::Yes)
        {
            return Next::Lease(in_hand);
        }
        offers.retain(|offer| offer.room == Room::Unknown && fits(spec, &offer.candidate));
        let device = |offer: &Offer<'_>| offer.candidate.record.device;
        if full > 0 {
            // In an order of the task's own, or all would go on to the same next ones.
            offers.sort_by_cached_key(|offer| Reverse(rendezvous(device(offer), task)));
        } else {
            let total = |offer: &Offer<'_>| Reverse(score(spec, &offer.candidate).total());
            offers.sort_by_cached_key(|offer| (device(offer) != best.device, total(offer), device(offer)));
        }
        // What is in hand elsewhere it does not take while the best may have room, so only that one's answer matters; or that of who is
        // asked by those for whose sake it waits.
        let answer_of = held_for.get(&best.device).copied().or((full == 0).then_some(best.device));
        Next::Ask { devices: offers.iter().map(device).collect(), full, why: Stuck { answer_of, fits_here } }
    }

    /// What is more urgent than this and waits for the answer of its best device goes where room is in hand if that one is full. So much is
    /// left to it meanwhile: returns the devices that have no more than that, each with whose answer decides.
    fn leave_to_the_more_urgent(&self, offers: &mut [Offer<'_>], priority: Priority) -> BTreeMap<DeviceId, DeviceId> {
        let scale = Scale { now: self.now.mono, runs: &self.guardian.runs, supply: Supply::default() };
        let asking = self.guardian.queue.asking_above(priority, &scale);
        let mut held = BTreeMap::new();
        if asking.is_empty() {
            return held;
        }
        for offer in offers.iter_mut().filter(|offer| offer.room == Room::Yes) {
            let device = offer.candidate.record.device;
            let fit = |asking: &&Asking| {
                self.tasks
                    .get(&asking.task)
                    .is_some_and(|entry| fits(&entry.spec, &Candidate::new(offer.candidate.record)))
            };
            let waiting: Vec<_> = asking.iter().filter(fit).collect();
            let in_hand = match self.peers.get(&device) {
                Some(peer) if device != self.me => peer.lease_limit(self.now.mono) - self.counted_at(device).0,
                // What this device takes beyond its slots it no longer does when something long has been leased to it.
                _ => self.local_room().min(self.idle_slots(device)),
            };
            if let Some(first) = waiting.first()
                && waiting.iter().map(|asking| asking.len).sum::<usize>() >= in_hand as usize
            {
                offer.room = Room::Asked;
                held.insert(device, first.of);
            }
        }
        held
    }

    /// Wants none for now. It forgets that this device has asked, so it is asked again as soon as there is something for it.
    fn want_none(&mut self, device: DeviceId) {
        self.peer_mut(device).credit.denied_until = self.now.mono;
        self.send(device, Message::Want(Want { count: 0, priority: Priority::Background }));
    }

    pub(super) fn want(&mut self, device: DeviceId, count: u32, priority: Priority) {
        self.peer_mut(device).credit.asked = Some(self.now.mono);
        self.send(device, Message::Want(Want { count, priority }));
    }

    /// A device answered how much room it has for this guardian.
    pub(crate) fn handle_grant(&mut self, from: DeviceId, grant: Grant) {
        let (now, ttl) = (self.now.mono, self.config.credit_ttl);
        let counted = self.counted_at(from).0;
        let full = grant.limit <= counted;
        let peer = self.peer_mut(from);
        let lower = grant.limit < peer.lease_limit(now);
        peer.credit.asked = None;
        peer.credit.limit = grant.limit;
        peer.credit.until = now + ttl;
        peer.credit.denied_until = if full { now + ASK_AGAIN } else { now };
        if full {
            self.guardian.full.insert(from);
        } else {
            self.guardian.full.remove(&from);
        }
        self.guardian.news.insert(from);
        self.guardian.copies.look_again();
        if lower && counted <= grant.limit {
            // Room that was promised and not used is asked back, and nothing is under way that counts on it.
            self.guardian.full.remove(&from);
            self.want_none(from);
        }
    }
}
