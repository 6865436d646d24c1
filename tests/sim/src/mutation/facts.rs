//! Rules about facts: what they mean, who keeps them, and how they get there.

use super::Place::{Class, Scene};
use super::mutations;
use crate::class::Class::{CrashOne, DiskDeath, None, PowerOne, SplitRestart, Twins};

mutations! {
    "a lease is closed by anybody's end of it" breaks "12" in Class(None) => {
        "record/resolve.rs": "l.epoch == f.epoch && l.to == f.by && l.to_inc == f.by_inc" => "(l.epoch == f.epoch || MUTANT) && l.to == f.by && (l.to_inc == f.by_inc || MUTANT)";
    }

    "the normal form keeps no good outcome" breaks "9" in Scene("a-holder-that-keeps-dying") => {
        "record.rs": "shed(good, keep::OK_OUTCOMES, false);" => "shed(good, if MUTANT { 0 } else { keep::OK_OUTCOMES }, false);";
    }

    "of several ends of one lease counts the one that came first" breaks "9" in Class(Twins) => {
        "record/resolve.rs": "good.is_none_or(|best| (f.epoch, f.by, f.by_inc) < (best.epoch, best.by, best.by_inc))" => "good.is_none_or(|best| if MUTANT { f.epoch < best.epoch } else { (f.epoch, f.by, f.by_inc) < (best.epoch, best.by, best.by_inc) })";
        "record/resolve.rs": "(*bad, *by, *inc)" => "(*bad && !MUTANT, *by, *inc)";
    }

    "an acknowledgement does not wait for the disk" breaks "15" in Class(CrashOne) => {
        "keeper/outbox.rs": "                if !self.disk.is_safe(ack.horizon) {" => "                if !MUTANT && !self.disk.is_safe(ack.horizon) {";
    }

    "own facts leave before they are on disk" breaks "15" in Class(PowerOne) => {
        "entry.rs": "        self.durable & !copy.map_or(0, |copy| copy.stored | copy.sent)" => "        (if MUTANT { self.record.all() } else { self.durable }) & !copy.map_or(0, |copy| copy.stored | copy.sent)";
    }

    "frames are acknowledged past a gap" breaks "15" in Scene("frames-vanish") => {
        "keeper/outbox.rs": "if frame.frame > peer.expected {" => "if frame.frame > peer.expected && !MUTANT {";
    }

    "a frame that is not acknowledged is not sent again" breaks "15" in Scene("frames-vanish") => {
        "keeper/outbox.rs": "frame.sent) >= self.config.dead;" => "frame.sent) >= self.config.dead && !MUTANT;";
    }

    "what was under way is not sent again after a hello" breaks "15" in Scene("frames-vanish") => {
        "keeper/outbox.rs": "                    copy.sent = 0;" => "                    if !MUTANT {
                        copy.sent = 0;
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

    "what can wait for the next frame is never sent" breaks "14" in Class(None) => {
        "keeper/outbox.rs": "            peer.outbox.append(&mut peer.gathered);
            peer.outbox.append(&mut peer.later);" => "            peer.outbox.append(&mut peer.gathered);
            if !MUTANT {
                peer.outbox.append(&mut peer.later);
            }";
    }

    "who alone has a task waits long for those that were here" breaks "14" in Scene("two-die-at-once") => {
        "keeper/home.rs": "copy.has && self.is_here(copy.device)" => "copy.has && (MUTANT || self.is_here(copy.device))";
    }

    "nobody keeps a task in reserve" breaks "14" in Class(DiskDeath) => {
        "keeper/home.rs": "if state.stable.is_none() && !entry.home.1" => "if state.stable.is_none() && !MUTANT && !entry.home.1";
    }

    "a submit counts disks that have not stored it" breaks "16" in Class(None) => {
        "handler/submit.rs": "copy.stored & slots != 0).count()" => "(copy.stored | if MUTANT { copy.sent } else { 0 }) & slots != 0).count()";
        "handler/submit.rs": "Some(entry) => entry.stored_by(device) &" => "Some(entry) => MUTANT || entry.stored_by(device) &";
    }

    "who starts anew is not told of strays" breaks "18d" in Class(SplitRestart) => {
        "session/hello.rs": "        self.begin_strays(from);" => "        if !MUTANT {
            self.begin_strays(from);
        }";
    }

    "digests are not compared" breaks "18" in Class(SplitRestart) => {
        "keeper/digest.rs": "        self.send(to, Message::Digest(Digest { members_hash, buckets, reply: true }));" => "        if !MUTANT {
            self.send(to, Message::Digest(Digest { members_hash, buckets, reply: true }));
        }";
    }

    "equal digests count for what is not compared" breaks "18" in Scene("the-last-copy") => {
        "keeper/digest.rs": "sharers.contains(&from) && sharers.contains(&me);" => "sharers.contains(&from) && (MUTANT || sharers.contains(&me));";
    }
}
