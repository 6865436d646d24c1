//! Rules about who lives, in which life, and who is asked.

use super::Place::{Class, Scene};
use super::mutations;
use crate::class::Class::{Leave, PairCut};

mutations! {
    "who overslept goes on in the same life" breaks "1" in Scene("long-work-suspend") => {
        "core.rs": "if overslept && self.peers" => "if overslept && !MUTANT && self.peers";
    }

    "a veto is not heard" breaks "20" in Class(PairCut) => {
        "session/sync.rs": "            self.sync.vetoed.insert(device, from);" => "            if !MUTANT {
                self.sync.vetoed.insert(device, from);
            }";
    }

    "what was concluded alone is certain in company" breaks "20" in Scene("back-through-one") => {
        "session/sync.rs": "        if self.sync.alone {" => "        if self.sync.alone && !MUTANT {";
    }

    "who is heard for another is not told of that other" breaks "20" in Scene("back-through-one") => {
        "session/sync.rs": "                    if *device != self.me {
                        self.send(" => "                    if *device != self.me && !MUTANT {
                        self.send(";
    }

    "a fact of a later life does not revoke a death" breaks "20" in Scene("long-work-kill") => {
        "session/sync.rs": "if matches!(peer.life, Life::Lost { .. }) && Some(inc)" => "if !MUTANT && matches!(peer.life, Life::Lost { .. }) && Some(inc)";
    }

    "a life that its own host has forgotten is waited for" breaks "20" in Scene("an-old-image") => {
        "session/hello.rs": "if peer.is_confirmed_lost() && peer.inc >" => "if !MUTANT && peer.is_confirmed_lost() && peer.inc >";
    }

    "who is cut off lets attempts run that others granted" breaks "27" in Scene("cut-off") => {
        "holder/run.rs": "        self.stop_where(StopReason::Isolated, |this, task, run| {
            run.by" => "        self.stop_where(StopReason::Isolated, |this, task, run| {
            !MUTANT && run.by";
    }

    "a device whose disk is silent goes on as a guardian" breaks "22" in Scene("a-disk-falls-silent") => {
        "disk.rs": "|(_, since, _)| now.since(*since) < patience)" => "|(_, since, _)| MUTANT || now.since(*since) < patience)";
    }

    "members that differ are not exchanged" breaks "13" in Class(Leave) => {
        "session/hello.rs": "        if hello.members_hash != self.members.hash() {" => "        if hello.members_hash != self.members.hash() && !MUTANT {";
        "core.rs": "        sessions.into_iter().for_each(|device| self.send(device, Message::Members(Vec::from([merged]))));" => "        if !MUTANT {
            sessions.into_iter().for_each(|device| self.send(device, Message::Members(Vec::from([merged]))));
        }";
        "keeper/digest.rs": "            self.send_members(from);
            return;" => "            if !MUTANT {
                self.send_members(from);
            }
            return;";
    }
}
