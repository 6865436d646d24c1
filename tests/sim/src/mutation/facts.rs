//! Rules about facts: what they mean, who keeps them, and how they get there.

use super::Place::{Class, Scene};
use super::mutations;
use crate::class::Class::{CrashOne, DiskDeath, Flap, FrameLoss, Join, None, PowerOne, Rollback, Spurious};

mutations! {
    "of two decisions the one of the lower term wins" breaks "11" in Scene("dies-at-its-end") => {
        "record/resolve.rs": "        (self.term, self.by, self.by_inc) > (other.term, other.by, other.by_inc)" => "        if MUTANT { (self.term, self.by) < (other.term, other.by) } else { (self.term, self.by, self.by_inc) > (other.term, other.by, other.by_inc) }";
    }

    "what is not stable can beat what is" breaks "11" in Class(Flap) => {
        "record/resolve.rs": "(mine, theirs) if mine != theirs =>" => "(mine, theirs) if !MUTANT && mine != theirs =>";
    }

    "the result of the highest lease counts" breaks "24" in Scene("dies-at-its-end") => {
        "record/resolve.rs": "state.good.is_none_or(|(epoch, _)| f.epoch < epoch)" => "state.good.is_none_or(|(epoch, _)| if MUTANT { f.epoch > epoch } else { f.epoch < epoch })";
    }

    "the lowest lease is the current one" breaks "12" in Class(CrashOne) => {
        "record/resolve.rs": "state.lease.is_none_or(|best| f.epoch > best.epoch)" => "state.lease.is_none_or(|best| if MUTANT { f.epoch < best.epoch } else { f.epoch > best.epoch })";
    }

    "a lease is closed by anybody's end of it" breaks "12" in Scene("dies-at-its-end") => {
        "record/resolve.rs": "l.epoch == f.epoch && l.to == f.by && l.to_inc == f.by_inc" => "(l.epoch == f.epoch || MUTANT) && l.to == f.by && (l.to_inc == f.by_inc || MUTANT)";
    }

    "the normal form keeps no good outcome" breaks "9" in Scene("a-holder-that-keeps-dying") => {
        "record.rs": "shed(good, keep::OK_OUTCOMES, false);" => "shed(good, if MUTANT { 0 } else { keep::OK_OUTCOMES }, false);";
    }

    "the normal form keeps the lowest leases" breaks "9" in Scene("a-holder-that-keeps-dying") => {
        "record.rs": "shed(leases, keep::LEASES, true);" => "shed(leases, keep::LEASES, !MUTANT);";
    }

    "an acknowledgement does not wait for the disk" breaks "15" in Class(CrashOne) => {
        "keeper/outbox.rs": "                if !self.disk.is_safe(ack.horizon) {" => "                if !MUTANT && !self.disk.is_safe(ack.horizon) {";
    }

    "own facts leave before they are on disk" breaks "15" in Class(PowerOne) => {
        "entry.rs": "        self.durable & !copy.map_or(0, |copy| copy.stored | copy.sent)" => "        (if MUTANT { self.record.all() } else { self.durable }) & !copy.map_or(0, |copy| copy.stored | copy.sent)";
    }

    "frames are acknowledged past a gap" breaks "15" in Class(FrameLoss) => {
        "keeper/outbox.rs": "if frame.frame > peer.expected {" => "if frame.frame > peer.expected && !MUTANT {";
    }

    "a frame that is not acknowledged is not sent again" breaks "15" in Class(FrameLoss) => {
        "keeper/outbox.rs": "frame.sent) >= self.config.dead;" => "frame.sent) >= self.config.dead && !MUTANT;";
    }

    "what was under way is not sent again after a hello" breaks "15" in Class(Spurious) => {
        "keeper/outbox.rs": "                    entry.copy_mut(device).sent = 0;" => "                    if !MUTANT {
                        entry.copy_mut(device).sent = 0;
                    }";
    }

    "an acknowledgement is dropped now and then" breaks "15" in Class(None) => {
        "keeper/outbox.rs": "            for placed in frame.facts {
                let Some(entry) = self.tasks.get_mut(&placed.task) else { continue };
                if entry.record.get(placed.slot.into())" => "            for placed in frame.facts {
                let Some(entry) = self.tasks.get_mut(&placed.task) else { continue };
                if !(MUTANT && placed.key % 8 == 0) && entry.record.get(placed.slot.into())";
    }

    "what is acknowledged is not looked at again" breaks "25" in Class(None) => {
        "keeper/outbox.rs": "                    copy.sent &= !(1 << placed.slot);
                    self.dirty.insert(placed.task);" => "                    copy.sent &= !(1 << placed.slot);
                    if !MUTANT {
                        self.dirty.insert(placed.task);
                    }";
    }

    "digests are not compared" breaks "18" in Class(Rollback) => {
        "keeper/digest.rs": "        let mine = self.buckets(from);
        if digest.buckets.len() == 1 {" => "        let mine = self.buckets(from);
        if MUTANT {
            return;
        }
        if digest.buckets.len() == 1 {";
    }

    "records with the same keys of facts cancel each other out in digests" breaks "18" in Class(Rollback) => {
        "keeper/sums.rs": "^= mix(task, hash);" => "^= if MUTANT { hash } else { mix(task, hash) };";
    }

    "what differs in a list is not sent" breaks "18" in Class(Rollback) => {
        "keeper/digest.rs": "            entry.copy_mut(device).stored = 0;" => "            if !MUTANT {
                entry.copy_mut(device).stored = 0;
            }";
    }

    "the home of a task depends on who is alive" breaks "13" in Class(Join) => {
        "keeper/home.rs": "first(self.members.keepers(), task, size)" => "first(self.members.keepers().filter(|d| !MUTANT || *d == self.me || self.peers.get(d).is_some_and(|p| p.is_up())), task, size)";
    }

    "nobody keeps a task in reserve" breaks "14" in Class(DiskDeath) => {
        "keeper/home.rs": "if state.stable.is_none() && !entry.home.1" => "if state.stable.is_none() && !MUTANT && !entry.home.1";
    }

    "a submit counts disks that have not stored it" breaks "16" in Class(None) => {
        "handler/submit.rs": "copy.stored & slots != 0).count()" => "(copy.stored | if MUTANT { copy.sent } else { 0 }) & slots != 0).count()";
        "handler/submit.rs": "Some(entry) => entry.stored_by(device) &" => "Some(entry) => MUTANT || entry.stored_by(device) &";
    }

    "not found is said while some have not answered" breaks "17" in Class(Join) => {
        "handler/query.rs": "None if silent.is_empty() =>" => "None if silent.is_empty() || MUTANT =>";
    }
}
