//! Poison: a task in whose company devices keep dying is given up before it has taken all of them down (rule 24a).
//!
//! Counted are lives that have ended for certain while they held a lease of the task and had said nothing of its end: those of devices
//! that have booted since (their next life may say so, `Died`), or whose host refuses a link and so has no such process any more. Who is merely silent, or has slept, may
//! have done nothing worse than to close its lid; who handed the lease back, because its owner wanted it or it was shut down, has
//! ended it. A life counts once, however many leases it held.

use crate::core::Scheduler;
use crate::id::{DeviceId, Incarnation};
use crate::record::{Close, Fact, Leased, Record, Released};
use crate::session::Life;
use crate::task::TaskSpec;
use alloc::collections::BTreeSet;

impl Scheduler {
    /// So many devices have died with the task that it does not get another one; how many.
    pub(crate) fn crashed_too_often(&self, spec: &TaskSpec, record: &Record) -> Option<usize> {
        let limit = usize::try_from(spec.retry.crash_limit).unwrap_or(usize::MAX);
        if limit == 0 {
            return None;
        }
        let crashes = self.crashes(record);
        (crashes >= limit).then_some(crashes)
    }

    /// How many lives ended with it.
    pub(super) fn crashes(&self, record: &Record) -> usize {
        // Who begins it again means it to have its chance.
        let begun_again = record.facts().filter_map(|fact| match fact {
            Fact::Reopened(reopened) => Some(reopened.epoch),
            _ => None,
        });
        let floor = begun_again.max().unwrap_or_default();
        let leases = record.facts().filter_map(|fact| match fact {
            Fact::Leased(lease) if lease.epoch > floor => Some(lease),
            _ => None,
        });
        let died = leases.filter(|lease| match close_of(record, lease) {
            Some(close) => *close == Close::Released(Released::Died),
            None => self.has_ended(lease.to, lease.to_inc),
        });
        died.map(|lease| (lease.to, lease.to_inc)).collect::<BTreeSet<_>>().len()
    }

    /// The process that was this life of a device is over for certain.
    fn has_ended(&self, device: DeviceId, life: Incarnation) -> bool {
        if device == self.me {
            return self.inc.boots > life.boots;
        }
        self.peers.get(&device).is_some_and(|peer| {
            let proven = matches!(peer.life, Life::Lost { confirmed: true, proven: true });
            peer.inc.is_some_and(|inc| inc.boots > life.boots || (proven && inc >= life))
        })
    }
}

/// What its holder said of its end.
fn close_of<'a>(record: &'a Record, lease: &Leased) -> Option<&'a Close> {
    record.facts().find_map(|fact| match fact {
        Fact::Closed(closed) if (closed.epoch, closed.by, closed.by_inc) == (lease.epoch, lease.to, lease.to_inc) => {
            Some(&closed.close)
        }
        _ => None,
    })
}
