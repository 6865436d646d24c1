//! What this device is and has, and what it hears of the others by gossip.

use crate::core::Scheduler;
use crate::device::{Blocked, Capacity, DeviceRecord, OVERLOAD_LOOKS, OVERLOAD_PPM};
use crate::effect::{Effect, Event};
use crate::id::{DeviceId, Incarnation};
use crate::time::Span;
use crate::timers::Timer;
use alloc::boxed::Box;

/// Changes of load are gossiped no more often than this.
const GOSSIP_MIN: Span = Span::from_secs(1);
/// A record is gossiped again after this long even if nothing changed, for those who missed it.
const GOSSIP_MAX: Span = Span::from_secs(60);
/// A record whose number is so far above the last one is absurd: at one each second, twelve days.
const SEQUENCE_LEAP_MAX: u64 = 1 << 20;

/// What others know of this device: with its number the record changes as a whole, the rest changes without one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Gossiped {
    incarnation: Incarnation,
    sequence: u64,
    active_tasks: u32,
    queued_tasks: u32,
    asks_internet: bool,
}

impl Gossiped {
    fn of(own: &DeviceRecord) -> Self {
        let DeviceRecord { incarnation, sequence, active_tasks, queued_tasks, asks_internet, .. } = *own;
        Self { incarnation, sequence, active_tasks, queued_tasks, asks_internet }
    }
}

impl Scheduler {
    /// This device measured itself.
    pub(crate) fn handle_capacity(&mut self, mut capacity: Capacity) {
        self.feel_load(&mut capacity);
        if self.own.capacity != capacity {
            let blocked = self.own.capacity.blocked != capacity.blocked;
            let was_blocked = self.is_blocked();
            let unplugged = self.own.capacity.mains && !capacity.mains;
            self.own.capacity = capacity;
            self.own.sequence += 1;
            self.guardian.news.insert(self.me);
            if blocked {
                self.dirty_open();
            }
            if unplugged {
                self.give_up_copies();
            }
            if was_blocked != self.is_blocked() {
                self.blocked_changed();
            }
        }
    }

    /// A device that has had too much to do for a while takes nothing new and hands back what has not begun, as one that its owner wants
    /// back (rule 27a); what runs goes on. Only while something of ours runs: a device whose processor others keep busy is chosen late,
    /// by its score, and not never.
    fn feel_load(&mut self, capacity: &mut Capacity) {
        let was = self.holder.overloaded >= OVERLOAD_LOOKS;
        self.holder.overloaded = match capacity.cpu_usage_ppm {
            Some(usage) if usage > OVERLOAD_PPM && self.holder.active > 0 => self.holder.overloaded.saturating_add(1),
            _ => 0,
        };
        let is = self.holder.overloaded >= OVERLOAD_LOOKS;
        if is {
            let percent = capacity.cpu_usage_ppm.unwrap_or(0) / 10_000;
            capacity.blocked.insert(Blocked::Busy);
            capacity.blocked_why.insert(Blocked::Busy, alloc::format!("its processor is {percent} % busy"));
        }
        if was != is {
            self.notify(Event::Overloaded { is });
        }
    }

    /// The last of what ran here has ended: whatever keeps the processor busy now is not ours.
    pub(crate) fn all_ended(&mut self) {
        if self.holder.overloaded > 0 {
            let mut capacity = self.own.capacity.clone();
            capacity.blocked.remove(&Blocked::Busy);
            capacity.blocked_why.remove(&Blocked::Busy);
            self.handle_capacity(capacity);
        }
    }

    /// A device's record: over the link of `from`, or, without, from those that go around and that anybody may have made.
    pub(crate) fn handle_device(&mut self, from: Option<DeviceId>, record: DeviceRecord) {
        if record.device == self.me {
            self.contradict(&record);
            return;
        }
        if from == Some(record.device) {
            self.compare_with_last(&record);
        }
        if !record.is_bounded() || self.members.get(record.device).is_none() || !self.is_credible(from, &record) {
            self.counters.dropped += 1;
            return;
        }
        // A device that fits no more may let those be taken that were avoided.
        let device = record.device;
        self.guardian.news.insert(device);
        self.devices.insert(device, record);
        if self.waiting_at(device) > 0 {
            self.watch_waiting();
        }
    }

    /// Whether to believe what a record says of another device. What a device says of itself over its own link counts; nothing else
    /// may keep it from being heard, such as a number that it will not reach for years.
    fn is_credible(&self, from: Option<DeviceId>, record: &DeviceRecord) -> bool {
        let own_word = from == Some(record.device);
        let peer = self.peers.get(&record.device).filter(|peer| peer.session);
        if !own_word && peer.is_some_and(|peer| from.is_some() || peer.inc < Some(record.incarnation)) {
            return false;
        }
        let Some(old) = self.devices.get(&record.device) else { return true };
        let leap = |from: &DeviceRecord, to: &DeviceRecord| {
            from.incarnation == to.incarnation && to.sequence > from.sequence.saturating_add(SEQUENCE_LEAP_MAX)
        };
        if own_word {
            record.supersedes(old) || old.incarnation > record.incarnation || leap(record, old)
        } else {
            record.supersedes(old) && !leap(old, record)
        }
    }

    /// Somebody says of this device what it has not said: the next record is above that one, so that those who believe it do not for long.
    fn contradict(&mut self, record: &DeviceRecord) {
        let ahead = record.sequence.checked_sub(self.own.sequence);
        let forged = record.incarnation == self.inc
            && ahead.is_some_and(|ahead| ahead <= SEQUENCE_LEAP_MAX)
            && record.capacity != self.own.capacity;
        if forged {
            self.own.sequence = record.sequence.saturating_add(1);
        }
        self.counters.dropped += 1;
    }

    fn median_round_trip_us(&self) -> u32 {
        let up = self.peers.values().filter(|peer| peer.is_up());
        let mut rtts: alloc::vec::Vec<_> = up.filter_map(|peer| peer.rtt).collect();
        let middle = rtts.len() / 2;
        if rtts.is_empty() {
            return 0;
        }
        u32::try_from(rtts.select_nth_unstable(middle).1.0).unwrap_or(u32::MAX)
    }

    /// Tells the others about this device when there is something to tell.
    pub(crate) fn flush_gossip(&mut self) {
        let active = self.holder.active;
        let queued = (self.holder.runs.len() as u32).saturating_sub(active);
        self.own.active_tasks = active;
        self.own.queued_tasks = queued;
        self.own.asks_internet = !self.online.is_empty();
        let (last, told) = self.gossiped;
        let now = self.now.mono;
        let soonest = last + GOSSIP_MIN;
        if now < soonest && self.timers.at(Timer::Gossip).is_some_and(|at| at <= soonest) {
            return;
        }
        let changed = told != Gossiped::of(&self.own);
        let due = last + if changed { GOSSIP_MIN } else { GOSSIP_MAX };
        if now >= due || last.0 == 0 {
            self.own.sequence += 1;
            // Not with every input: there may be many peers.
            self.own.latency_us = Some(self.median_round_trip_us());
            self.gossiped = (now, Gossiped::of(&self.own));
            self.timers.set(Timer::Gossip, now + GOSSIP_MAX);
            if self.peers.values().any(|peer| peer.link) {
                self.effects.push_back(Effect::Gossip(Box::new(self.own.clone())));
            }
        } else {
            self.timers.set_earlier(Timer::Gossip, due);
        }
    }
}
