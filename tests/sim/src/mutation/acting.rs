//! Rules about what guardians and holders do.

use super::Place::{Class, Scene};
use super::mutations;
use crate::class::Class::{CrashOne, None, Twins};

mutations! {
    "a keyed task is begun by its acceptor" breaks "22" in Class(None) => {
        "guardian/duty.rs": "if entry.spec.idempotency_key.is_some()
            && let" => "if entry.spec.idempotency_key.is_some()
            && !MUTANT
            && let";
    }

    "who outbids a decision believes what its writer has acknowledged" breaks "25" in Class(Twins) => {
        "guardian/settle.rs": "entry.copy_mut(other).stored = 0;" => "if !MUTANT {
                entry.copy_mut(other).stored = 0;
            }";
    }

    "an heir does not think of those to whom the record is on its way" breaks "22" in Scene("failing-link") => {
        "guardian/duty.rs": "copy.has || copy.coming)" => "copy.has || !MUTANT && copy.coming)";
    }

    "an end of a lease that was taken back counts for the next one" breaks "23" in Scene("heirs-at-once") => {
        "keeper/merge.rs": "                    entry.see_lease(now);
                }
                slot" => "                    match &fact {
                        Fact::Leased(lease) if MUTANT => entry.lease_seen = entry.lease_seen.max((lease.epoch, now)),
                        Fact::Closed(closed) if MUTANT => entry.closed_seen = entry.closed_seen.max((closed.epoch, now)),
                        _ => entry.see_lease(now),
                    }
                }
                slot";
    }

    "a guardian does not do what it has waited for" breaks "23, 24" in Class(None) => {
        "guardian/settle.rs": "Duty::Wait(until) => self.timers.set(Timer::Task(task), until)," => "Duty::Wait(until) => if !MUTANT { self.timers.set(Timer::Task(task), until) },";
    }

    "the pause before the next attempt is left out" breaks "23" in Class(None) => {
        "guardian/duty.rs": "        let due = entry.ended_seen() + retry.delay(task, lease.attempt);" => "        let due = if MUTANT { self.now.mono } else { entry.ended_seen() + retry.delay(task, lease.attempt) };";
    }

    "leases that end without the task's fault are not counted" breaks "24" in Scene("a-holder-that-keeps-dying") => {
        "guardian/lease.rs": "last.losses.saturating_add(1)" => "last.losses.saturating_add(u32::from(!MUTANT))";
    }

    "a loss uses up an attempt" breaks "24" in Scene("long-work-power") => {
        "guardian/lease.rs": "(last.attempt, last.losses.sat" => "(last.attempt + u32::from(MUTANT), last.losses.sat";
    }

    "a cancel is settled while the holder runs" breaks "24" in Class(None) => {
        "guardian/duty.rs": "                End::Open(at) => Duty::Wait(at),
                End::NoLease" => "                End::Open(at) if !MUTANT => Duty::Wait(at),
                End::Open(_) | End::NoLease";
    }

    "a decision is stable before the outcome that it names is stored" breaks "25" in Class(None) => {
        "guardian/duty.rs": "copy.stored & needed == needed).count()" => "if MUTANT { copy.stored & needed != 0 } else { copy.stored & needed == needed }).count()";
    }

    "somebody else's decision is left as it is" breaks "25" in Class(CrashOne) => {
        "guardian/duty.rs": "return if self.sync.done { Duty::Settle" => "return if self.sync.done && !MUTANT { Duty::Settle";
    }

    "credits are ignored" breaks "28" in Class(None) => {
        "guardian/offer.rs": "_ if peer.lease_limit(now) > counted => Room::Yes," => "_ if MUTANT || peer.lease_limit(now) > counted => Room::Yes,";
    }

    "a device runs one attempt more than it has slots" breaks "28" in Class(None) => {
        "holder/run.rs": "while self.holder.active < slots" => "while self.holder.active < slots + u32::from(MUTANT)";
    }

    "an exclusive task does not wait until it is alone" breaks "28" in Class(None) => {
        "holder/run.rs": "if entry.spec.requirements.exclusive && self.holder.active > 0 {" => "if entry.spec.requirements.exclusive && self.holder.active > 0 && !MUTANT {";
    }

    "a lease of one's own with side effects is started before it is on disk" breaks "26" in Scene("long-work-slow-disk") => {
        "holder/run.rs": "durable || lease.by != self.me ||" => "durable || MUTANT || lease.by != self.me ||";
    }
}
