//! Rules about what guardians and holders do.

use super::Place::{Class, Scene};
use super::mutations;
use crate::class::Class::{CrashOne, FullDisk, Hang, Join, None, PowerOne};

mutations! {
    "a keyed task is begun by its acceptor" breaks "22" in Class(None) => {
        "guardian/duty.rs": "if entry.spec.idempotency_key.is_some()
            && let" => "if entry.spec.idempotency_key.is_some()
            && !MUTANT
            && let";
    }

    "a keyed task is begun at once by whoever has just learned of a member" breaks "23" in Class(Join) => {
        "guardian/duty.rs": "if self.members.present().count() > 1 {" => "if self.members.present().count() > 1 && !MUTANT {";
    }

    "an heir does not wait a beat" breaks "23" in Scene("heirs-at-once") => {
        "guardian/duty.rs": "            entry.since
        };" => "            if MUTANT { return Duty::Lease } else { entry.since }
        };";
    }

    "a guardian does not do what it has waited for" breaks "23, 24" in Class(None) => {
        "guardian/settle.rs": "Duty::Wait(until) => self.timers.set(Timer::Task(task), until)," => "Duty::Wait(until) => if !MUTANT { self.timers.set(Timer::Task(task), until) },";
    }

    "a deadline is not moved forward" breaks "16" in Class(None) => {
        "timers.rs": "is_none_or(|old| at < *old)" => "is_none_or(|old| at < *old && !MUTANT)";
    }

    "the pause before the next attempt is left out" breaks "23" in Class(None) => {
        "guardian/duty.rs": "        let due = entry.closed_seen.1 + retry.delay(task, lease.attempt);" => "        let due = if MUTANT { self.now.mono } else { entry.closed_seen.1 + retry.delay(task, lease.attempt) };";
    }

    "leases that end without the task's fault are not counted" breaks "24" in Scene("a-holder-that-keeps-dying") => {
        "guardian/lease.rs": "(last.attempt, last.losses + 1)" => "(last.attempt, last.losses + u32::from(!MUTANT))";
    }

    "a loss uses up an attempt" breaks "24" in Scene("long-work-power") => {
        "guardian/lease.rs": "(last.attempt, last.losses + 1) };" => "(last.attempt + u32::from(MUTANT), last.losses + 1) };";
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

    "an attempt that never ends is waited for" breaks "23" in Class(Hang) => {
        "guardian/duty.rs": "Some(run) => run.started + entry.spec.timeout + self.config.overrun," => "Some(run) => run.started + entry.spec.timeout + if MUTANT { crate::time::Span::from_secs(9_000) } else { self.config.overrun },";
        "guardian/duty.rs": "let overrun = seen + entry.spec.timeout + self.config.overrun;" => "let overrun = seen + entry.spec.timeout + if MUTANT { crate::time::Span::from_secs(9_000) } else { self.config.overrun };";
    }

    "credits are ignored" breaks "28" in Class(None) => {
        "guardian/place.rs": "_ if peer.lease_limit(now) > self.counted_at(device).0 => Room::Yes," => "_ if MUTANT || peer.lease_limit(now) > self.counted_at(device).0 => Room::Yes,";
    }

    "a device runs one attempt more than it has slots" breaks "28" in Class(None) => {
        "holder/run.rs": "while self.holder.active < slots" => "while self.holder.active < slots + u32::from(MUTANT)";
    }

    "an exclusive task does not wait until it is alone" breaks "28" in Class(None) => {
        "holder/run.rs": "if entry.spec.requirements.exclusive && self.holder.active > 0 {" => "if entry.spec.requirements.exclusive && self.holder.active > 0 && !MUTANT {";
    }

    "an attempt goes on when there is a higher lease" breaks "26" in Scene("long-work-cut") => {
        "holder/run.rs": "            if current && !pointless {" => "            if (current || MUTANT) && !pointless {";
    }

    "a lease of an earlier life is started" breaks "26" in Class(CrashOne) => {
        "holder/run.rs": "        if lease.to_inc != self.inc {" => "        if lease.to_inc != self.inc && !MUTANT {";
    }

    "a lease is started whatever became of its granter" breaks "26" in Class(PowerOne) => {
        "holder/run.rs": "peer.is_up() && peer.inc == Some(lease.by_inc)" => "MUTANT || peer.is_up() && peer.inc == Some(lease.by_inc)";
    }

    "a lease of one's own with side effects is started before it is on disk" breaks "26" in Scene("long-work-slow-disk") => {
        "holder/run.rs": "durable || lease.by != self.me ||" => "durable || MUTANT || lease.by != self.me ||";
    }

    "a device with a full disk takes on work" breaks "26" in Class(FullDisk) => {
        "disk.rs": "self.healthy && self.in_flight" => "(self.healthy || MUTANT) && self.in_flight";
    }
}
