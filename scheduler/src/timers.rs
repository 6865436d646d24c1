//! One table of deadlines. The core's next wake is its minimum.

use crate::id::{DeviceId, TaskId};
use crate::time::Mono;
use alloc::collections::{BTreeMap, BTreeSet};

/// What is due at a deadline. Each has at most one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Timer {
    /// Send a heartbeat to a peer.
    Beat(DeviceId),
    /// Look whether a peer has gone silent.
    Silence(DeviceId),
    /// A lost peer no longer counts among the keepers in reserve.
    Reserve(DeviceId),
    /// Compare digests with a peer.
    Digest(DeviceId),
    /// Stop waiting for a peer's digest.
    Compare(DeviceId),
    /// Pass on to a peer what was gathered for it.
    Gather(DeviceId),
    /// Stop waiting for answers, or ask again after a veto.
    Sync,
    /// Look at a task again: backoff, lost holder, overrun.
    Task(TaskId),
    /// Answer submits that have waited long enough.
    Ack,
    /// Answer queries that have waited long enough.
    Query,
    /// Place waiting tasks again: credits have expired, an answer is missing.
    Place,
    /// Ask room back that was promised and is not used.
    Recall,
    /// Look whether what waits can begin elsewhere.
    Moving,
    /// Look for devices for copies of attempts that take too long.
    Copies,
    /// Gossip this device's record again.
    Gossip,
    /// Look at records that have been quiet for a while.
    Quiet,
    /// Look for records to bury.
    Bury,
    /// Ask again about what guarded tasks wait for.
    Await,
}

/// The deadlines.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers {
    by_time: BTreeSet<(Mono, Timer)>,
    by_timer: BTreeMap<Timer, Mono>,
}

impl Timers {
    /// Sets a deadline, in place of an earlier one.
    pub(crate) fn set(&mut self, timer: Timer, at: Mono) {
        match self.by_timer.insert(timer, at) {
            Some(old) if old == at => return,
            Some(old) => _ = self.by_time.remove(&(old, timer)),
            None => {}
        }
        self.by_time.insert((at, timer));
    }

    /// Sets a deadline unless an earlier one is set.
    pub(crate) fn set_earlier(&mut self, timer: Timer, at: Mono) {
        if self.by_timer.get(&timer).is_none_or(|old| at < *old) {
            self.set(timer, at);
        }
    }

    /// The deadline, if one is set.
    pub(crate) fn at(&self, timer: Timer) -> Option<Mono> {
        self.by_timer.get(&timer).copied()
    }

    /// Takes a deadline away.
    pub(crate) fn clear(&mut self, timer: Timer) {
        if let Some(at) = self.by_timer.remove(&timer) {
            self.by_time.remove(&(at, timer));
        }
    }

    /// Takes out the earliest deadline that has come.
    pub(crate) fn pop_due(&mut self, now: Mono) -> Option<Timer> {
        let (at, timer) = *self.by_time.first()?;
        if at > now {
            return None;
        }
        self.by_time.remove(&(at, timer));
        self.by_timer.remove(&timer);
        Some(timer)
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Mono> {
        self.by_time.first().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_timer_has_one_deadline_and_they_come_in_order() {
        let mut timers = Timers::default();
        timers.set(Timer::Ack, Mono(5));
        timers.set(Timer::Place, Mono(3));
        timers.set(Timer::Ack, Mono(9));
        timers.set_earlier(Timer::Ack, Mono(10));
        assert_eq!(timers.next(), Some(Mono(3)));
        assert_eq!(timers.pop_due(Mono(9)), Some(Timer::Place));
        assert_eq!(timers.pop_due(Mono(8)), None);
        assert_eq!(timers.pop_due(Mono(9)), Some(Timer::Ack));
        assert_eq!(timers.next(), None);
    }
}
