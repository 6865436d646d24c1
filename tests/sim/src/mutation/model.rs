//! The rules whose loss broke something in the model that the protocol was drawn up with.

use super::Place::{Class, Scene};
use super::mutations;
use crate::class::Class::{CrashOne, None, PowerOne, Suspend};

mutations! {
    "the result of the lowest lease wins, whatever was settled" breaks "7, 11" in Scene("dies-at-its-end") => {
        "record/resolve.rs": "        for fact in self.facts() {
            match fact {
                Fact::Closed(f) => {" => "        let lowest = |f: &Settled| matches!(f.verdict, Verdict::Result(e) if self.facts().all(|fact| !matches!(fact,
            Fact::Closed(Closed { epoch, close: Close::Finished(o), .. }) if o.is_ok() && *epoch < e)));
        for fact in self.facts() {
            match fact {
                Fact::Settled(f) if MUTANT && state.settled.is_some_and(|best| lowest(best) && !lowest(f)) => {}
                Fact::Settled(f) if MUTANT && lowest(f) => (state.settled, state.stable) = (Some(f), self.stable(f)),
                Fact::Closed(f) => {";
        "guardian/duty.rs": "        if state.stable.is_some() {" => "        let good = state.good.map(|(epoch, _)| epoch);
        let changed = MUTANT && state.settled.is_some_and(|s| good.is_some_and(|epoch| s.verdict != Verdict::Result(epoch)));
        if changed && self.guardian_of(task, entry, &state) == Some(self.me) && self.sync.done {
            return Duty::Settle(Verdict::Result(good.unwrap_or_default()));
        }
        if state.stable.is_some() {";
    }

    "nobody is asked before acting" breaks "20, 21" in Class(PowerOne) => {
        "session/sync.rs": "        sync.to_ask.clone_from(&sync.waiting);
" => "        sync.to_ask.clone_from(&sync.waiting);
        if MUTANT {
            sync.waiting.clear();
            sync.unknown.clear();
        }
";
    }

    "a holder's later life voids its leases before it is synced" breaks "23" in Scene("long-work-kill") => {
        "guardian/duty.rs": "peer.is_up() && peer.synced &&" => "peer.is_up() && (peer.synced || MUTANT) &&";
    }

    "one disk is enough for a decision to be told" breaks "25" in Class(None) => {
        "guardian/duty.rs": "if copies == 0 && !self.is_alone" => "if copies == 0 && !MUTANT && !self.is_alone";
    }

    "an ask is answered before what was learned is on disk" breaks "20" in Scene("failing-link") => {
        "session/sync.rs": "!self.disk.is_safe(pending.horizon)" => "!(MUTANT || self.disk.is_safe(pending.horizon))";
    }

    "members that were not heard since the start are not waited for" breaks "21" in Class(CrashOne) => {
        "session/sync.rs": "        sync.to_ask.clone_from(&sync.waiting);
" => "        sync.to_ask.clone_from(&sync.waiting);
        if MUTANT {
            sync.unknown.clear();
        }
";
    }

    "a new life keeps its incarnation" breaks "1" in Class(Suspend) => {
        "session/hello.rs": "wakes: self.inc.wakes + 1" => "wakes: self.inc.wakes + u32::from(!MUTANT)";
    }

    "no stable mark counts, and no term is announced" breaks "11, 20, 25" in Scene("dies-at-its-end") => {
        "record/resolve.rs": "(mine, theirs) if mine != theirs" => "(mine, theirs) if mine != theirs && !MUTANT";
        "session/sync.rs": "        self.seen_term = (self.term, self.me);
" => "        self.seen_term = (self.term, self.me);
        if MUTANT {
            (self.term, self.seen_term) = (1, (1, self.me));
        }
";
        "session/sync.rs": "if outbid && !self.sync.recheck {" => "if outbid && !self.sync.recheck && !MUTANT {";
    }

    "what this device decided and could not write leaves when its disk works again" breaks "1" in Scene("heirs-at-once") => {
        "keeper/merge.rs": "        if !was_able {
            self.take_back_decisions();" => "        if !was_able && !MUTANT {
            self.take_back_decisions();";
        "session/hello.rs": "        self.take_back_decisions();
        self.inc" => "        if !MUTANT {
            self.take_back_decisions();
        }
        self.inc";
    }
}
