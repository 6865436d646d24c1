//! Rules about who lives, in which life, and who is asked.

use super::Place::{Class, Scene};
use super::mutations;
use crate::class::Class::{Leave, PairCut, PowerOne, Suspend};

mutations! {
    "who overslept goes on in the same life" breaks "1" in Class(Suspend) => {
        "core.rs": "if overslept && self.peers" => "if overslept && !MUTANT && self.peers";
    }

    "a veto is not heard" breaks "20" in Class(PairCut) => {
        "session/sync.rs": "            self.sync.vetoed.insert(device, from);" => "            if !MUTANT {
                self.sync.vetoed.insert(device, from);
            }";
    }

    "who was given up goes on talking" breaks "20" in Scene("long-work-suspend") => {
        "session/sync.rs": "                    let peer = self.peer_mut(*device);
                    peer.give_up(Some(*inc));
                    peer.session = false;" => "                    let peer = self.peer_mut(*device);
                    if !MUTANT {
                        peer.give_up(Some(*inc));
                        peer.session = false;
                    }";
        "session/sync.rs": "                peer.give_up(None);" => "                if !MUTANT {
                    peer.give_up(None);
                }";
    }

    "a lost peer needs no confirmation" breaks "20, 23" in Scene("long-work-cut") => {
        "guardian/duty.rs": "                    _ => overrun,
                }," => "                    Life::Lost { .. } | Life::Vetoed { .. } if MUTANT => now,
                    _ => overrun,
                },";
    }

    "an answer goes before the facts that the asker lacks" breaks "20" in Scene("failing-link") => {
        "session/sync.rs": "let behind = !asker.outbox.is_empty()" => "let behind = !MUTANT && !asker.outbox.is_empty()";
    }

    "a device says that it is synced before its facts have left" breaks "19, 23" in Scene("long-work-kill") => {
        "session/beat.rs": "let synced = synced && peer.outbox.is_empty() && peer.comparing.is_none();" => "let synced = synced && (MUTANT || peer.outbox.is_empty() && peer.comparing.is_none());";
    }

    "a fact of a later life does not revoke a death" breaks "20" in Scene("long-work-kill") => {
        "session/sync.rs": "if matches!(peer.life, Life::Lost { .. }) && Some(inc)" => "if !MUTANT && matches!(peer.life, Life::Lost { .. }) && Some(inc)";
    }

    "who was alone does not ask when it is not any more" breaks "1" in Scene("long-work-suspend") => {
        "session/hello.rs": "if core::mem::take(&mut self.sync.alone) {" => "if core::mem::take(&mut self.sync.alone) && !MUTANT {";
    }

    "what was accepted here is acted on without asking when somebody given up returns" breaks "22" in Class(PowerOne) => {
        "session/hello.rs": "self.tasks.values_mut().for_each(|entry| entry.accepted_here = false);" => "self.tasks.values_mut().for_each(|entry| entry.accepted_here &= MUTANT);";
    }

    "who is cut off lets attempts run that others granted" breaks "27" in Scene("cut-off") => {
        "holder/run.rs": "        self.stop_where(StopReason::Isolated, |this, task, run| {
            run.by" => "        self.stop_where(StopReason::Isolated, |this, task, run| {
            !MUTANT && run.by";
    }

    "a device whose disk is silent goes on as a guardian" breaks "22" in Scene("a-disk-falls-silent") => {
        "disk.rs": "|(_, since, _)| now.since(*since) < patience)" => "|(_, since, _)| MUTANT || now.since(*since) < patience)";
    }

    "a disk that was silent begins no new life" breaks "1" in Scene("heirs-at-once") => {
        "core.rs": "        if self.is_able() && self.peers.values()" => "        if self.is_able() && !MUTANT && self.peers.values()";
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
