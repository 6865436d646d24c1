//! How much more work this device takes, and from whom (rule 28). A device takes about a second of work ahead, never less than its
//! slots: tiny tasks stream, long ones spread. The more urgent want is served first.

use super::share::{Claim, share_out};
use crate::core::Scheduler;
use crate::id::DeviceId;
use crate::message::{Grant, Message, Want};
use crate::task::Priority;
use crate::time::{Mono, Span};
use crate::timers::Timer;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Length of a bucket of the completion rate.
const BUCKET: Span = Span::from_ms(100);
/// Buckets remembered.
const BUCKETS: usize = 10;
/// With so many ends a second, and more to begin, it does not matter to anybody when exactly each of them is on disk.
const STREAM: u32 = 200;
/// Most leases in hand, whatever the rate.
const WINDOW_MAX: u32 = 4_096;

/// Room that was promised and not used for so long is asked back when others have none: whoever has not leased by then has most likely
/// found another device. It is theirs until they give it back, or until the promise is over.
const IDLE: Span = Span::from_ms(100);

/// A guardian that would like to lease to this device.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    count: u32,
    priority: Priority,
    until: Mono,
    answered: bool,
}

/// What a guardian was granted: so many open leases, until then.
#[derive(Clone, Copy, Debug, Default)]
struct Given {
    limit: u32,
    until: Mono,
    /// When it was last added to or leased from.
    used: Mono,
    /// It was asked back, down to this limit.
    recalled: Option<u32>,
}

/// Wants, grants, and the rate of completion they are measured by.
#[derive(Clone, Debug, Default)]
pub(crate) struct Credits {
    wants: BTreeMap<DeviceId, Wanted>,
    given: BTreeMap<DeviceId, Given>,
    completed: [u32; BUCKETS],
    bucket: u64,
}

impl Credits {
    /// A session begins or ends: counts start again.
    pub(crate) fn forget(&mut self, device: DeviceId) {
        self.wants.remove(&device);
        self.given.remove(&device);
    }

    /// An attempt came to its end.
    pub(crate) fn completed(&mut self, now: Mono) {
        self.advance(now);
        self.completed[(self.bucket % BUCKETS as u64) as usize] += 1;
    }

    fn advance(&mut self, now: Mono) {
        let bucket = now.0 / BUCKET.0;
        let stale = bucket.saturating_sub(self.bucket).min(BUCKETS as u64);
        for passed in 0..stale {
            self.completed[((bucket - passed) % BUCKETS as u64) as usize] = 0;
        }
        self.bucket = self.bucket.max(bucket);
    }

    /// Attempts that ended in the last second.
    fn rate(&self, now: Mono) -> u32 {
        let bucket = now.0 / BUCKET.0;
        let stale = bucket.saturating_sub(self.bucket).min(BUCKETS as u64) as usize;
        let slot = |age: usize| ((bucket + (BUCKETS - age) as u64) % BUCKETS as u64) as usize;
        (stale..BUCKETS).map(|age| self.completed[slot(age)]).sum()
    }

    /// A lease of `from` arrived.
    pub(crate) fn leased(&mut self, now: Mono, from: DeviceId) {
        if let Some(given) = self.given.get_mut(&from) {
            (given.used, given.recalled) = (now, None);
        }
        if let Some(want) = self.wants.get_mut(&from) {
            want.count = want.count.saturating_sub(1);
        }
    }

    fn limit(&self, device: DeviceId, now: Mono) -> u32 {
        self.given.get(&device).filter(|given| now < given.until).map_or(0, |given| given.limit)
    }
}

impl Scheduler {
    /// Leases this device would have in hand at most.
    fn window(&self) -> u32 {
        if self.holder.exclusive || !self.is_able() || self.is_blocked() {
            return 0;
        }
        let slots = self.own.capacity.max_concurrent_tasks;
        let most = slots.max(self.credits.rate(self.now.mono)).min(WINDOW_MAX);
        // What is in hand may take longer than what was completed lately.
        if most > slots && self.backlog() > self.config.window { slots } else { most }
    }

    /// Short attempts end here in quick succession, and more of them wait for a slot.
    pub(crate) fn is_streaming(&self) -> bool {
        self.holder.queue.len() > 0 && self.credits.rate(self.now.mono) >= STREAM
    }

    /// What a guardian may still lease to this device.
    fn outstanding(&self, device: DeviceId) -> u32 {
        self.credits.limit(device, self.now.mono).saturating_sub(self.holder.runs.count_of(device))
    }

    fn free(&self) -> u32 {
        let promised: u32 =
            self.credits.given.keys().map(|device| self.outstanding(*device)).fold(0, u32::saturating_add);
        // My own leases that wait for the disk before they are taken into hand count, too.
        let coming = self.counted_at(self.me).0.saturating_sub(self.holder.runs.count_of(self.me));
        let held = self.holder.runs.len() as u32;
        self.window().saturating_sub(held).saturating_sub(coming).saturating_sub(promised)
    }

    /// Room for this device's own leases: a fair share while others want it too, and none of it if theirs are more urgent.
    pub(crate) fn local_room(&self) -> u32 {
        let free = self.free();
        if free == 0 || self.credits.wants.is_empty() {
            return free;
        }
        let shares = self.shares(free);
        shares.into_iter().find(|(device, _)| *device == self.me).map_or(0, |(_, share)| share)
    }

    /// How what is free is shared out among those who want some, this device included if it has something to lease.
    fn shares(&self, free: u32) -> Vec<(DeviceId, u32)> {
        share_out(free, self.claims())
    }

    /// What each of them should have in the end: so much of the whole window.
    fn targets(&self) -> BTreeMap<DeviceId, u32> {
        let whole = |claim: Claim<DeviceId>| Claim { has: 0, needs: claim.has.saturating_add(claim.needs), ..claim };
        share_out(self.window(), self.claims().into_iter().map(whole).collect()).into_iter().collect()
    }

    fn claims(&self) -> Vec<Claim<DeviceId>> {
        let now = self.now.mono;
        let mut claims = Vec::with_capacity(1 + self.credits.wants.len());
        for (device, want) in &self.credits.wants {
            // Who has not seen yet that its room is asked back gets none: what it is told now might cross that.
            let recalled = self.credits.given.get(device).is_some_and(|given| given.recalled.is_some());
            let outstanding = self.outstanding(*device);
            if now < want.until && want.count > outstanding && !recalled {
                let has = self.holder.runs.count_of(*device) + outstanding;
                claims.push(Claim { who: *device, priority: want.priority, has, needs: want.count - outstanding });
            }
        }
        // What this device could not run is no reason to keep room from others.
        if let Some(priority) = self.guardian.queue.top_here(now, &self.guardian.runs) {
            let has = self.holder.runs.count_of(self.me).max(self.counted_at(self.me).0);
            let needs = u32::try_from(self.guardian.queue.len_here()).unwrap_or(u32::MAX);
            claims.push(Claim { who: self.me, priority, has, needs });
        }
        claims
    }

    /// A guardian asks for credits; with a count of zero, it wants none any more, and gives back what it was asked for.
    pub(crate) fn handle_want(&mut self, from: DeviceId, want: Want) {
        let until = self.now.mono + self.config.credit_ttl;
        let Want { count, priority } = want;
        if count == 0 {
            self.credits.wants.remove(&from);
            if let Some(given) = self.credits.given.get_mut(&from)
                && let Some(limit) = given.recalled.take()
            {
                given.limit = limit;
            }
        } else {
            self.credits.wants.insert(from, Wanted { count, priority, until, answered: false });
        }
    }

    /// Shares out what is free.
    pub(crate) fn flush_grants(&mut self) {
        if self.credits.wants.is_empty() {
            return;
        }
        let now = self.now.mono;
        self.credits.wants.retain(|_, want| now < want.until && want.count > 0);
        self.credits.given.retain(|_, given| now < given.until);
        let mut wants: Vec<_> = self.credits.wants.iter().map(|(device, want)| (*device, *want)).collect();
        wants.sort_by_key(|(device, want)| (core::cmp::Reverse(want.priority), *device));
        let shares: BTreeMap<_, _> = self.shares(self.free()).into_iter().collect();
        let targets = self.targets();
        // What was taken on when the rate was higher ends, and is not replaced.
        let over = (self.holder.runs.len() as u32).saturating_sub(self.window());
        let step = (self.window() / 8).max(1);
        let mut hungry = 0;
        for (device, want) in wants {
            if self.credits.given.get(&device).is_some_and(|given| given.recalled.is_some()) {
                continue;
            }
            let outstanding = self.outstanding(device);
            let more = shares.get(&device).copied().unwrap_or(0);
            hungry += u32::from(outstanding + more == 0);
            if want.answered && (more == 0 || (outstanding > 0 && more < step)) {
                continue;
            }
            let limit = (self.holder.runs.count_of(device) + outstanding + more).saturating_sub(over);
            // What it has beyond its share is not replaced as it ends.
            let limit = targets.get(&device).map_or(limit, |target| limit.min(*target));
            let used = match self.credits.given.get(&device) {
                Some(given) if more == 0 => given.used,
                _ => now,
            };
            let until = now + self.config.credit_ttl;
            self.credits.given.insert(device, Given { limit, until, used, recalled: None });
            if let Some(want) = self.credits.wants.get_mut(&device) {
                want.answered = true;
            }
            self.send(device, Message::Grant(Grant { limit }));
        }
        if hungry > 0 {
            self.recall(hungry);
            self.level(&targets);
        }
    }

    /// Somebody has nothing: those who have more than their share are told now that they will not replace what ends.
    fn level(&mut self, targets: &BTreeMap<DeviceId, u32>) {
        let mut lower = Vec::new();
        for (device, given) in &mut self.credits.given {
            if given.recalled.is_none()
                && let Some(target) = targets.get(device)
                && *target < given.limit
            {
                given.limit = *target;
                lower.push((*device, *target));
            }
        }
        for (device, limit) in lower {
            self.send(device, Message::Grant(Grant { limit }));
        }
    }

    /// Asks for room back that is promised and not used, so much that each of the hungry can have some.
    fn recall(&mut self, hungry: u32) {
        let now = self.now.mono;
        let given = self.credits.given.iter().map(|(device, given)| (given.used, *device, given.recalled.is_some()));
        let mut idle: Vec<_> = given.filter(|(_, device, _)| self.outstanding(*device) > 0).collect();
        idle.sort_unstable();
        let coming = idle.iter().filter(|(.., recalled)| *recalled).map(|(_, device, _)| self.outstanding(*device));
        let room = self.window().saturating_sub(self.holder.runs.len() as u32);
        let mut missing = hungry.min(room).saturating_sub(coming.fold(0, u32::saturating_add));
        for (used, device, recalled) in idle {
            if missing == 0 || recalled {
                continue;
            }
            if now < used + IDLE {
                self.timers.set_earlier(Timer::Recall, used + IDLE);
                return;
            }
            missing = missing.saturating_sub(self.outstanding(device));
            let limit = self.holder.runs.count_of(device);
            if let Some(given) = self.credits.given.get_mut(&device) {
                (given.recalled, given.until) = (Some(limit), now + self.config.credit_ttl);
            }
            self.send(device, Message::Grant(Grant { limit }));
        }
    }
}
