//! Rules about tasks that wait for others, about those that begin again, and about those that are counted together.

use super::Place::{Class, Scene};
use super::mutations;
use crate::class::Class::None;

mutations! {
    "a task does not wait for what it comes after" breaks "23, 29" in Class(None) => {
        "guardian/depend.rs": "        if entry.spec.after.is_empty() {
            return None;" => "        if MUTANT || entry.spec.after.is_empty() {
            return None;";
    }

    "what a task waits for has failed, and it goes on" breaks "24, 29" in Class(None) => {
        "guardian/depend.rs": "Some(End::Completed(_)) => {}" => "Some(End::Completed(_)) => {}
                    Some(End::Other(_)) if MUTANT => {}";
    }

    "a guardian asks nobody for what it does not keep" breaks "29" in Scene("a-chain") => {
        "guardian/depend.rs": "        } else {
            self.awaits.fresh.insert(dep);
        }" => "        } else if !MUTANT {
            self.awaits.fresh.insert(dep);
        }";
    }

    "who asked is not told of an end that comes later" breaks "29" in Scene("a-chain") => {
        "guardian/depend.rs": "            if self.now.mono < until {" => "            if !MUTANT && self.now.mono < until {";
    }

    "a guardian does not ask again" breaks "29" in Scene("a-flow") => {
        "guardian/depend.rs": "        open.into_iter().for_each(|task| self.look_for(task));" => "        if MUTANT {
            return;
        }
        open.into_iter().for_each(|task| self.look_for(task));";
    }

    "a cancel counts for ever" breaks "10" in Class(None) => {
        "record/resolve.rs": "Fact::CancelAsked(f) if f.round == state.round =>" => "Fact::CancelAsked(f) if MUTANT || f.round == state.round =>";
    }

    "a new round goes on with the attempts of the one before" breaks "10" in Class(None) => {
        "record/resolve.rs": "leases().filter(|lease| lease.epoch > state.floor &&" => "leases().filter(|lease| (MUTANT || lease.epoch > state.floor) &&";
    }

    "who answers last about a batch is believed" breaks "17a" in Scene("a-batch-is-asked-about") => {
        "handler/batch.rs": "*mark = (*mark).max(*theirs);" => "*mark = if MUTANT { *theirs } else { (*mark).max(*theirs) };";
    }
}
