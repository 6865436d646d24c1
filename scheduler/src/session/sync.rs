//! Ask before acting: after a start, a wake or a loss, a device acts on other people's tasks only when every reachable keeper has
//! told it what it missed, and nobody hears the device it lost (rules 20, 21).

use super::Life;
use crate::core::Scheduler;
use crate::id::{DeviceId, Incarnation, Term};
use crate::message::{Answer, Ask, Message};
use crate::time::{Mono, Span};
use crate::timers::Timer;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// How long after a veto the question is asked again.
const VETO_AGAIN: Span = Span::from_secs(1);

/// One round of questions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sync {
    /// Every answer is there: this device may act.
    pub(crate) done: bool,
    round: u64,
    waiting: BTreeSet<DeviceId>,
    /// Peers of whom nothing is known yet, waited for until `until`.
    unknown: BTreeSet<DeviceId>,
    vetoed: BTreeMap<DeviceId, DeviceId>,
    until: Mono,
}

/// An answer that waits: for the disk, for the facts that go before it, for certainty about the lost.
#[derive(Clone, Debug)]
pub(crate) struct PendingAnswer {
    to: DeviceId,
    ask: Ask,
    /// The highest term known before the question, and whose it is.
    term: (Term, DeviceId),
    /// Everything learned before the question is safe with this write.
    horizon: u64,
}

impl Scheduler {
    /// The first round of a life.
    pub(crate) fn start_sync(&mut self) {
        self.sync.until = self.now.mono + self.config.patience;
        self.begin_sync();
    }

    /// Starts a round of questions, in place of one that is under way.
    pub(crate) fn begin_sync(&mut self) {
        self.term = self.seen_term.0.saturating_add(1);
        self.seen_term = (self.term, self.me);
        let sync = &mut self.sync;
        if sync.done {
            sync.until = self.now.mono + self.config.patience;
        }
        sync.done = false;
        sync.round += 1;
        sync.vetoed.clear();
        sync.waiting = self.peers.iter().filter(|(_, peer)| peer.life == Life::Up).map(|(id, _)| *id).collect();
        sync.unknown = self.peers.iter().filter(|(_, peer)| peer.life == Life::Unknown).map(|(id, _)| *id).collect();
        for device in sync.waiting.clone() {
            self.ask(device);
        }
        self.timers.set(Timer::Sync, self.sync.until);
        self.check_sync();
    }

    fn ask(&mut self, to: DeviceId) {
        let lost = self.lost().filter(|(device, _)| *device != to).collect();
        self.send(to, Message::Ask(Ask { round: self.sync.round, lost, term: self.term }));
    }

    /// Those whose loss is not certain, with the incarnation they had.
    fn lost(&self) -> impl Iterator<Item = (DeviceId, Incarnation)> + '_ {
        self.peers
            .iter()
            .filter(|(_, peer)| matches!(peer.life, Life::Lost { confirmed: false, .. } | Life::Vetoed { .. }))
            .map(|(id, peer)| (*id, peer.inc.unwrap_or_default()))
    }

    /// A peer has said hello while answers are awaited, or after.
    pub(crate) fn sync_found(&mut self, device: DeviceId) {
        if !self.sync.done {
            self.sync.unknown.remove(&device);
            self.sync.waiting.insert(device);
            self.ask(device);
        }
    }

    /// A fact that `from` sent shows a device in a later life than the one that was given up: it lives, and `from` or somebody behind
    /// it hears it. Until that is asked, nothing of its is taken over.
    pub(crate) fn hear_of(&mut self, from: Option<DeviceId>, device: DeviceId, inc: Incarnation) {
        let Some(from) = from.filter(|from| *from != device && device != self.me) else { return };
        let at = self.now.mono + VETO_AGAIN;
        let peer = self.peer_mut(device);
        if matches!(peer.life, Life::Lost { .. }) && Some(inc) > peer.inc.max(peer.given_up) {
            peer.inc = Some(inc);
            peer.life = Life::Vetoed { by: from };
            self.timers.set_earlier(Timer::Sync, at);
        }
    }

    /// Somebody asks before it acts.
    pub(crate) fn handle_ask(&mut self, from: DeviceId, ask: Ask) {
        let term = self.seen_term;
        self.see_term(ask.term, from);
        let horizon = self.disk.horizon();
        self.answers.retain(|pending| pending.to != from);
        self.answers.push(PendingAnswer { to: from, ask, term, horizon });
    }

    /// Sends the answers that need not wait any longer.
    pub(crate) fn flush_answers(&mut self) {
        let mut kept = Vec::new();
        for pending in core::mem::take(&mut self.answers) {
            let Some(asker) = self.peers.get(&pending.to) else { continue };
            if !asker.session {
                continue;
            }
            let undecided = pending.ask.lost.iter().any(|(device, _)| {
                *device != self.me && self.peers.get(device).is_some_and(|peer| peer.life == Life::Up && !peer.session)
            });
            if undecided || !self.disk.is_safe(pending.horizon) || !asker.outbox.is_empty() || asker.comparing.is_some()
            {
                kept.push(pending);
                continue;
            }
            let mut heard = Vec::new();
            for (device, inc) in &pending.ask.lost {
                let me = *device == self.me;
                if me || self.peers.get(device).is_some_and(|peer| peer.is_up()) {
                    heard.push(*device);
                } else {
                    self.fence(*device, *inc);
                }
            }
            let answer = Answer { round: pending.ask.round, heard, term: pending.term };
            self.send(pending.to, Message::Answer(answer));
        }
        self.answers = kept;
    }

    fn fence(&mut self, device: DeviceId, inc: Incarnation) {
        let peer = self.peer_mut(device);
        peer.give_up(Some(inc));
        peer.session = false;
    }

    /// An answer to this device's question.
    pub(crate) fn handle_answer(&mut self, from: DeviceId, answer: Answer) {
        let outbid = answer.term > (self.term, self.me);
        self.see_term(answer.term.0, answer.term.1);
        if self.sync.done || answer.round != self.sync.round || !self.sync.waiting.contains(&from) {
            return;
        }
        if outbid {
            self.begin_sync();
            return;
        }
        self.sync.waiting.remove(&from);
        for device in answer.heard {
            self.sync.vetoed.insert(device, from);
        }
        self.check_sync();
    }

    /// The deadline of the round has come, or the time to ask again after a veto.
    pub(crate) fn sync_due(&mut self) {
        if self.sync.done {
            self.begin_sync();
            return;
        }
        let unknown = core::mem::take(&mut self.sync.unknown);
        if unknown.is_empty() {
            self.sync.waiting.clear();
            self.check_sync();
            return;
        }
        // Those who never came may still be heard by others: that is asked now.
        for device in unknown {
            self.peer_mut(device).life = Life::Lost { proven: false, confirmed: false };
        }
        self.start_sync();
    }

    fn check_sync(&mut self) {
        self.sync.waiting.retain(|device| self.peers.get(device).is_some_and(|peer| peer.life == Life::Up));
        if self.sync.done || !self.sync.waiting.is_empty() || !self.sync.unknown.is_empty() {
            return;
        }
        self.sync.done = true;
        self.timers.clear(Timer::Sync);
        let vetoed = core::mem::take(&mut self.sync.vetoed);
        for device in self.lost().map(|(device, _)| device).collect::<Vec<_>>() {
            let peer = self.peer_mut(device);
            match (vetoed.get(&device), peer.life) {
                (Some(by), _) => peer.life = Life::Vetoed { by: *by },
                (None, Life::Lost { proven, .. }) => peer.life = Life::Lost { proven, confirmed: true },
                (None, _) => peer.life = Life::Lost { proven: false, confirmed: true },
            }
            if peer.is_confirmed_lost() {
                peer.give_up(None);
            }
        }
        if !vetoed.is_empty() {
            self.timers.set(Timer::Sync, self.now.mono + VETO_AGAIN);
        }
        self.view_changed();
        self.dirty_open();
        let up: Vec<_> = self.peers.iter().filter(|(_, peer)| peer.is_up()).map(|(id, _)| *id).collect();
        for device in up {
            self.beat(device, false);
        }
    }
}
