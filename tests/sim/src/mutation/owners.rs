//! Rules about devices that their owners want back.

use super::Place::{Class, Scene};
use super::mutations;
use crate::class::Class::Owners;

mutations! {
    "who is wanted back keeps what waits" breaks "27a" in Scene("a-stream-is-wanted-back") => {
        "holder/give_up.rs": "waiting.into_iter().for_each(|task|" => "waiting.into_iter().filter(|_| !MUTANT).for_each(|task|";
        "invariant.rs": "check(!self.is_blocked() || " => "check(MUTANT || !self.is_blocked() || ";
    }

    "who is wanted back goes on with what runs" breaks "27a" in Scene("a-device-is-wanted-back") => {
        "holder/give_up.rs": "self.stop_where(StopReason::Drained, |_, _, _| true)" => "self.stop_where(StopReason::Drained, |_, _, _| !MUTANT)";
    }

    "who is wanted back takes what is leased to it" breaks "26, 27a" in Class(Owners) => {
        "holder/run.rs": "None => (!self.is_able() || self.is_blocked())" => "None => (!self.is_able() || !MUTANT && self.is_blocked())";
        "holder/run.rs": "&& self.is_able() && !self.is_blocked() {" => "&& self.is_able() && (MUTANT || !self.is_blocked()) {";
    }

    "what an owner takes back counts as a loss" breaks "24, 27a" in Scene("an-owner-who-cannot-decide") => {
        "guardian/lease.rs": "Some(Close::Released(why)) if why.is_free() => (" => "Some(Close::Released(why)) if !MUTANT && why.is_free() => (";
        "guardian/duty.rs": "Close::Released(why) if why.is_free() => Duty" => "Close::Released(why) if !MUTANT && why.is_free() => Duty";
    }
}
