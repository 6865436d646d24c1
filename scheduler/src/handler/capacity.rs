//! What this device is and has, and what it hears of the others by gossip.

use crate::core::Scheduler;
use crate::device::{Capacity, DeviceRecord};
use crate::effect::Effect;
use crate::time::Span;
use crate::timers::Timer;
use alloc::boxed::Box;

/// Changes of load are gossiped no more often than this.
const GOSSIP_MIN: Span = Span::from_secs(1);
/// A record is gossiped again after this long even if nothing changed, for those who missed it.
const GOSSIP_MAX: Span = Span::from_secs(30);

impl Scheduler {
    /// This device measured itself.
    pub(crate) fn handle_capacity(&mut self, capacity: Capacity) {
        if self.own.capacity != capacity {
            let blocked = self.own.capacity.blocked != capacity.blocked;
            let was_blocked = self.is_blocked();
            self.own.capacity = capacity;
            self.own.sequence += 1;
            self.view_changed();
            if blocked {
                self.dirty_open();
            }
            if was_blocked != self.is_blocked() {
                self.blocked_changed();
            }
        }
    }

    /// A device's record, from gossip or from itself.
    pub(crate) fn handle_device(&mut self, record: DeviceRecord) {
        if record.device == self.me || !record.is_bounded() || self.members.get(record.device).is_none() {
            self.counters.dropped += 1;
            return;
        }
        if self.devices.get(&record.device).is_none_or(|old| record.supersedes(old)) {
            self.devices.insert(record.device, record);
            self.view_changed();
        }
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
        if self.own.affinity.len() != self.holder.affinity.len()
            || !self.holder.affinity.iter().all(|task_type| self.own.affinity.contains(task_type))
        {
            self.own.affinity = self.holder.affinity.iter().cloned().collect();
            self.own.sequence += 1;
        }
        let (last, told) = &self.gossiped;
        let now = self.now.mono;
        let soonest = *last + GOSSIP_MIN;
        if now < soonest && self.timers.at(Timer::Gossip).is_some_and(|at| at <= soonest) {
            return;
        }
        let changed = (told.active_tasks, told.queued_tasks) != (active, queued)
            || told.sequence != self.own.sequence
            || told.incarnation != self.own.incarnation;
        let due = *last + if changed { GOSSIP_MIN } else { GOSSIP_MAX };
        if now >= due || last.0 == 0 {
            self.own.sequence += 1;
            // Not with every input: there may be many peers.
            self.own.latency_us = Some(self.median_round_trip_us());
            self.gossiped = (now, self.own.clone());
            self.timers.set(Timer::Gossip, now + GOSSIP_MAX);
            if self.peers.values().any(|peer| peer.link) {
                self.effects.push_back(Effect::Gossip(Box::new(self.own.clone())));
            }
        } else {
            self.timers.set_earlier(Timer::Gossip, due);
        }
    }
}
