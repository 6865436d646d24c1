//! Rules about the order in which work begins, and where it waits.

use super::Place::Scene;
use super::mutations;

mutations! {
    "whoever came first is served first, whoever he is" breaks "22a" in Scene("two-who-submit") => {
        "queue.rs": "turns.map_or(0, |turns| turns.of(share))" => "turns.filter(|_| !MUTANT).map_or(0, |turns| turns.of(share))";
    }

    "who has had nothing for a while makes up for all of it" breaks "22a" in Scene("two-who-submit") => {
        "queue/fair.rs": "self.ahead.get(&share).map_or(self.present, |at| self.present.max(*at))" => "self.ahead.get(&share).map_or(if MUTANT { 0 } else { self.present }, |at| if MUTANT { *at } else { self.present.max(*at) })";
    }

    "what runs shortest of a batch goes first" breaks "22b" in Scene("a-batch-of-long-and-short") => {
        "queue/rank.rs": "Self { length: Reverse(known.unwrap_or(Span(u64::MAX))), rank }" => "Self { length: Reverse(if MUTANT { Span(u64::MAX - known.unwrap_or_default().0) } else { known.unwrap_or(Span(u64::MAX)) }), rank }";
    }

    "a batch has no lines of its own" breaks "22b" in Scene("a-batch-of-long-and-short") => {
        "queue.rs": "let class = class.in_lot(self.admit(class));" => "let class = class.in_lot(self.admit(class).filter(|_| !MUTANT));";
    }

    "room in hand is given to whoever does not have to ask" breaks "22a" in Scene("urgent-among-others") => {
        "guardian/place.rs": "        if asking.is_empty() {" => "        if asking.is_empty() || MUTANT {";
    }

    "who has too much to do goes on taking work" breaks "28b" in Scene("too-much-to-do") => {
        "handler/capacity.rs": "        let is = self.holder.overloaded >= OVERLOAD_LOOKS;" => "        let is = self.holder.overloaded >= OVERLOAD_LOOKS && !MUTANT;";
    }

    "who is kept busy by others takes nothing" breaks "28b" in Scene("too-much-to-do") => {
        "handler/capacity.rs": "usage > OVERLOAD_PPM && self.holder.active > 0 =>" => "usage > OVERLOAD_PPM && (MUTANT || self.holder.active > 0) =>";
    }

    "leases that wait are not asked back for a device that is free" breaks "28a" in Scene("long-work-behind-short") => {
        "guardian/moving.rs": "let count = free.min(*waiting);" => "let count = free.min(*waiting) * u32::from(!MUTANT);";
    }

    "who is asked for leases that wait hands none back" breaks "28a" in Scene("long-work-behind-short") => {
        "holder/moving.rs": "if going.len() >= back.count as usize {" => "if MUTANT || going.len() >= back.count as usize {";
    }
}
