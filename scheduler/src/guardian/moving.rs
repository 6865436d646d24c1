//! Leases that wait on a busy device go to one that is free (rule 28a). A guardian that has room in hand where an attempt could begin
//! at once asks those back that wait for long elsewhere; the holder, who alone knows what waits, hands them back, and they are leased
//! like any other. And when tasks wait and no device is free, it says that the cluster could do with another one.

use super::offer::Room;
use super::place::ASK_MAX;
use crate::core::Scheduler;
use crate::device::Blocked;
use crate::effect::Event;
use crate::id::DeviceId;
use crate::message::{Message, Move};
use crate::placement::{Candidate, Unmet, unmet};
use crate::task::Priority;
use crate::time::{Mono, Span};
use crate::timers::Timer;
use alloc::vec::Vec;

/// How often it is looked at, while anything waits.
const EVERY: Span = Span::from_ms(500);
/// How often it is said that a device is missing.
const SAID_EVERY: Span = Span::from_secs(60);

impl Scheduler {
    /// Something waits, or may wait, that a guardian has leased or wants to lease.
    pub(crate) fn watch_waiting(&mut self) {
        self.timers.set_earlier(Timer::Moving, self.now.mono + EVERY);
    }

    /// Of the leases that this device granted to another one, at least so many wait there, as far as it can tell.
    pub(crate) fn waiting_at(&self, device: DeviceId) -> u32 {
        let counted = self.counted_at(device).0;
        let Some(record) = self.devices.get(&device).filter(|_| counted > 0) else { return 0 };
        counted.saturating_sub(record.capacity.max_concurrent_tasks).max(counted.min(record.queued_tasks))
    }

    /// It is time to look whether something that waits can begin elsewhere.
    pub(crate) fn move_waiting(&mut self) {
        let here = self.waiting_here(self.me);
        let peers = self.guardian.counted.keys().copied().filter(|device| *device != self.me);
        let mut crowded: Vec<_> = peers.map(|device| (self.waiting_at(device), device)).collect();
        crowded.push((here, self.me));
        crowded.retain(|(waiting, _)| *waiting > 0);
        let queued = self.guardian.queue.len() > 0;
        if !self.is_able() || (crowded.is_empty() && !queued) {
            return;
        }
        self.watch_waiting();
        let mut idle = self.idle_in_hand();
        if idle.is_empty() {
            self.ask_idle(crowded.iter().map(|(waiting, _)| waiting).sum());
            if queued {
                self.say_device_is_missing();
            }
            return;
        }
        // What waits may not fit the first of them: each time another one comes first.
        self.guardian.moves += 1;
        let first = self.guardian.moves % idle.len();
        idle.rotate_left(first);
        crowded.sort_unstable_by(|a, b| b.cmp(a));
        let mut moved = false;
        for (to, mut free) in idle {
            for (waiting, from) in crowded.iter_mut().filter(|(_, from)| *from != to) {
                let count = free.min(*waiting);
                if count == 0 {
                    continue;
                }
                (free, *waiting, moved) = (free - count, *waiting - count, true);
                let back = Move { count, to };
                if *from == self.me {
                    self.handle_move(self.me, back);
                } else {
                    self.send(*from, Message::Move(back));
                }
            }
        }
        if !moved {
            // What waits for a device of its own, beside slots with nothing to do.
            self.ask_idle(crowded.iter().map(|(waiting, _)| waiting).sum());
        }
    }

    /// Where an attempt of this guardian's could begin at once, and how many.
    fn idle_in_hand(&self) -> Vec<(DeviceId, u32)> {
        let mine = (self.me, self.idle_slots(self.me).min(self.local_room()));
        let peers = self.peers.iter().filter(|(_, peer)| peer.is_up() && peer.take).map(|(device, peer)| {
            let room = peer.lease_limit(self.now.mono).saturating_sub(self.counted_at(*device).0);
            (*device, room.min(self.idle_slots(*device)))
        });
        core::iter::once(mine).chain(peers).filter(|(_, free)| *free > 0).collect()
    }

    /// Slots of a device with nothing to do, as far as this one can tell.
    pub(super) fn idle_slots(&self, device: DeviceId) -> u32 {
        let counted = self.counted_at(device).0;
        if device == self.me {
            let slots = if self.is_blocked() { 0 } else { self.own.capacity.max_concurrent_tasks };
            return slots.saturating_sub((self.holder.runs.len() as u32).max(counted));
        }
        self.devices.get(&device).map_or(0, |record| {
            let shown = record.active_tasks.saturating_add(record.queued_tasks);
            record.capacity.max_concurrent_tasks.saturating_sub(shown.max(counted))
        })
    }

    /// Asks some of those for room that seem to have nothing to do.
    fn ask_idle(&mut self, waiting: u32) {
        let asked = self.peers.iter().filter(|(device, peer)| {
            self.room_at(peer, self.counted_at(**device).0) == Room::Unknown && self.idle_slots(**device) > 0
        });
        let asked: Vec<_> = asked.map(|(device, _)| *device).take(ASK_MAX).collect();
        for device in asked.into_iter().filter(|_| waiting > 0) {
            // Whatever waits for a first lease goes before what has one.
            self.want(device, waiting.min(self.idle_slots(device)), Priority::Background);
        }
    }

    /// Tasks wait for a device although some fit: those have too much to do.
    fn say_device_is_missing(&mut self) {
        let (now, after) = (self.now.mono, self.config.move_after);
        if self.guardian.missed.is_some_and(|said: Mono| now < said + SAID_EVERY) {
            return;
        }
        let is_busy = |unmet: &_| matches!(unmet, Unmet::Blocked { by: Blocked::Busy, .. });
        let fits_somewhere = |spec: &_| {
            let mut records = core::iter::once(&self.own).chain(self.devices.values());
            records.any(|record| unmet(spec, &Candidate::new(record)).iter().all(is_busy))
        };
        let waits = self.guardian.queue.heads().filter_map(|task| {
            let entry = self.tasks.get(&task)?;
            let wait = now.since(entry.since.max(entry.closed_seen.1));
            (wait > after && fits_somewhere(&entry.spec)).then_some(wait)
        });
        if let Some(wait) = waits.max() {
            self.guardian.missed = Some(now);
            let waiting = self.guardian.queue.len();
            self.notify(Event::AddDevice { waiting, wait });
        }
    }
}
