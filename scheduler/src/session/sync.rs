//! Ask before acting: after a start, a wake or a loss, a device acts on other people's tasks only when every reachable keeper has
//! told it what it missed, and nobody hears the device it lost (rules 20, 21).

use super::{Life, Peer};
use crate::core::Scheduler;
use crate::id::{DeviceId, Incarnation, Term};
use crate::message::{Answer, Ask, Message};
use crate::time::{Mono, Span};
use crate::timers::Timer;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// How long after a veto the question is asked again.
const VETO_AGAIN: Span = Span::from_secs(1);
/// The same when there was proof: who vetoes that is most likely a moment behind. Doubles up to the other.
const PROVEN_VETO_AGAIN: Span = Span::from_ms(100);

/// One round of questions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sync {
    /// Every answer is there: this device may act.
    pub(crate) done: bool,
    /// The last round ended without a single answer: this device was alone, and asks before it acts beside others again.
    pub(crate) alone: bool,
    round: u64,
    waiting: BTreeSet<DeviceId>,
    /// Those of the waiting to be asked as soon as what this device has for them has left: they answer with what it lacks of that.
    to_ask: BTreeSet<DeviceId>,
    answered: u32,
    /// Peers of whom nothing is known yet, waited for until `until`.
    unknown: BTreeSet<DeviceId>,
    vetoed: BTreeMap<DeviceId, DeviceId>,
    /// Those that were lost and not certainly so when the round began.
    lost: Vec<DeviceId>,
    /// When a round last ended with vetoes.
    pub(crate) heard_of: Mono,
    /// A round that only asks whether the vetoes still hold.
    recheck: bool,
    /// How long after the next veto the question is asked again.
    again: Span,
    until: Mono,
}

/// An answer that waits: for the disk, for the facts that go before it, for certainty about the lost.
#[derive(Clone, Debug)]
pub(crate) struct PendingAnswer {
    to: DeviceId,
    ask: Ask,
    /// The highest term known before the question, and whose it is.
    term: (Term, DeviceId),
    /// The highest term of the asker itself that was known before.
    earlier: Term,
    /// Everything learned before the question is safe with this write,
    horizon: u64,
    /// and, unless it is zero, what came up to this ticket has been merged into the records that it belongs to.
    ticket: u64,
}

/// Its loss is not certain yet.
const fn is_uncertain(peer: &Peer) -> bool {
    matches!(peer.life, Life::Lost { confirmed: false, .. } | Life::Vetoed { .. })
}

impl Scheduler {
    /// The first round of a life.
    pub(crate) fn start_sync(&mut self) {
        self.sync.round = u64::from(self.inc.boots) << 32;
        self.begin_sync();
    }

    /// Starts a round of questions, in place of one that is under way.
    pub(crate) fn begin_sync(&mut self) {
        if self.sync.alone {
            // Nobody was there to say otherwise.
            for peer in self.peers.values_mut() {
                if let Life::Lost { confirmed, .. } = &mut peer.life {
                    *confirmed = false;
                }
            }
        }
        let proven = |peer: &Peer| {
            matches!(peer.life, Life::Lost { proven: true, confirmed: false } | Life::Vetoed { proven: true, .. })
        };
        self.sync.again = if self.peers.values().any(proven) { PROVEN_VETO_AGAIN } else { VETO_AGAIN };
        self.sync.until = self.now.mono + self.config.patience;
        self.restart_sync();
    }

    /// Asks again within the same patience.
    fn restart_sync(&mut self) {
        self.term = self.seen_term.0.saturating_add(1);
        self.seen_term = (self.term, self.me);
        let sync = &mut self.sync;
        sync.done = false;
        sync.recheck = false;
        sync.answered = 0;
        sync.round += 1;
        sync.vetoed.clear();
        sync.waiting = self.peers.iter().filter(|(_, peer)| peer.life == Life::Up).map(|(id, _)| *id).collect();
        sync.unknown = self.peers.iter().filter(|(_, peer)| peer.life == Life::Unknown).map(|(id, _)| *id).collect();
        sync.to_ask.clone_from(&sync.waiting);
        self.sync.lost = self.lost().collect();
        self.timers.set(Timer::Sync, self.sync.until);
        self.check_sync();
    }

    /// Asks those to whom everything has been sent that they lack.
    pub(crate) fn flush_asks(&mut self) {
        if self.sync.to_ask.is_empty() {
            return;
        }
        let may_be_asked = |device: &DeviceId| {
            let peer = self.peers.get(device);
            peer.is_some_and(|peer| peer.session && peer.outbox.is_empty() && peer.comparing.is_none())
        };
        let ready: Vec<_> = self.sync.to_ask.iter().copied().filter(may_be_asked).collect();
        if ready.is_empty() {
            return;
        }
        // Those that it does not hear any more began the round anew; some may be heard again.
        let still = |device: &DeviceId| {
            self.peers.get(device).filter(|peer| is_uncertain(peer)).map(|peer| (*device, peer.inc))
        };
        let lost: Vec<_> = self.sync.lost.iter().filter_map(still).collect();
        for device in ready {
            self.sync.to_ask.remove(&device);
            let others = lost.iter().filter(|(lost, _)| *lost != device);
            let lost = others.map(|(lost, inc)| (*lost, inc.unwrap_or_default())).collect();
            self.send(device, Message::Ask(Ask { round: self.sync.round, lost, term: self.term }));
        }
    }

    /// Somebody waits for all that is known here, or this device for what the others know.
    pub(crate) fn is_awaited(&self) -> bool {
        !(self.sync.done && self.sync.to_ask.is_empty() && self.answers.is_empty())
    }

    /// Those whose loss is not certain.
    fn lost(&self) -> impl Iterator<Item = DeviceId> + '_ {
        self.peers.iter().filter(|(_, peer)| is_uncertain(peer)).map(|(device, _)| *device)
    }

    /// A peer has said hello while answers are awaited, or after.
    pub(crate) fn sync_found(&mut self, device: DeviceId) {
        if !self.sync.done {
            self.sync.unknown.remove(&device);
            self.sync.waiting.insert(device);
            self.sync.to_ask.insert(device);
        }
    }

    /// A fact or a record that `from` sent shows a device in a later life than the one that was given up: it lives, and `from` or
    /// somebody behind it hears it. Until that is asked, nothing of its is taken over.
    pub(crate) fn hear_of(&mut self, from: Option<DeviceId>, device: DeviceId, inc: Incarnation) {
        let Some(from) = from.filter(|from| *from != device && device != self.me) else { return };
        let now = self.now.mono;
        let peer = self.peer_mut(device);
        if let Life::Vetoed { proven, .. } = &mut peer.life
            && Some(inc) > peer.inc
        {
            // The proof was about an earlier life.
            *proven = false;
        }
        if matches!(peer.life, Life::Lost { .. }) && Some(inc) > peer.inc.max(peer.given_up) {
            peer.inc = Some(inc);
            peer.synced = false;
            peer.heard = now;
            peer.life = Life::Vetoed { by: from, proven: false };
            if self.sync.done {
                self.timers.set_earlier(Timer::Sync, now + VETO_AGAIN);
            } else {
                self.restart_sync();
            }
        }
    }

    /// Somebody asks before it acts.
    pub(crate) fn handle_ask(&mut self, from: DeviceId, ask: Ask) {
        let (term, earlier) = (self.seen_term, self.peers.get(&from).map_or(0, |peer| peer.term));
        self.see_term(ask.term, from);
        let (horizon, ticket) = (self.disk.horizon(), self.open_ticket());
        self.answers.retain(|pending| pending.to != from);
        self.answers.push(PendingAnswer { to: from, ask, term, earlier, horizon, ticket });
    }

    /// Sends the answers that need not wait any longer.
    pub(crate) fn flush_answers(&mut self) {
        let mut kept = Vec::new();
        for mut pending in core::mem::take(&mut self.answers) {
            let Some(asker) = self.peers.get(&pending.to) else { continue };
            if !asker.session {
                continue;
            }
            // Down but not dead, or silent for so long that it may be: whoever is a moment behind must not veto for that.
            let late = |peer: &Peer| !peer.session || self.now.mono.since(peer.heard) >= self.config.isolated;
            let undecided = pending.ask.lost.iter().any(|(device, _)| {
                *device != self.me && self.peers.get(device).is_some_and(|peer| peer.life == Life::Up && late(peer))
            });
            let behind = !asker.outbox.is_empty() || asker.comparing.is_some();
            let merged = self.loads.is_done(pending.ticket);
            if merged && core::mem::take(&mut pending.ticket) != 0 {
                pending.horizon = self.disk.horizon();
            }
            if undecided || behind || !merged || !self.disk.is_safe(pending.horizon) {
                kept.push(pending);
                continue;
            }
            let mut heard = Vec::new();
            for (device, inc) in &pending.ask.lost {
                let me = *device == self.me;
                if me || self.peers.get(device).is_some_and(|peer| peer.is_up()) {
                    heard.push(*device);
                } else {
                    let peer = self.peer_mut(*device);
                    peer.give_up(Some(*inc));
                    peer.session = false;
                }
            }
            // Those two do not hear each other: the one who does not ask learns from here that the other lives.
            if let Some(asker) = self.devices.get(&pending.to).cloned() {
                for device in &heard {
                    if *device != self.me {
                        self.send(*device, Message::Record(Box::new(asker.clone())));
                    }
                }
            }
            let term = self.term_for(pending.to, pending.ask.term, pending.earlier).unwrap_or(pending.term);
            self.send(pending.to, Message::Answer(Answer { round: pending.ask.round, heard, term }));
        }
        self.answers = kept;
    }

    /// An answer to this device's question.
    pub(crate) fn handle_answer(&mut self, from: DeviceId, answer: Answer) {
        let outbid = self.is_outbid(answer.term);
        self.see_term(answer.term.0, answer.term.1);
        if answer.round != self.sync.round || !self.sync.waiting.contains(&from) {
            return;
        }
        if outbid && !self.sync.recheck {
            self.restart_sync();
            return;
        }
        self.sync.waiting.remove(&from);
        self.sync.answered += 1;
        for device in answer.heard {
            self.sync.vetoed.insert(device, from);
        }
        self.check_sync();
    }

    /// The deadline of the round has come, or the time to ask again after a veto.
    pub(crate) fn sync_due(&mut self) {
        if self.sync.done && !self.sync.recheck {
            self.recheck_vetoes();
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
        self.begin_sync();
    }

    pub(crate) fn check_sync(&mut self) {
        // Stops at the first one: with every answer of many, all of them would be looked at.
        if self.sync.waiting.iter().any(|device| self.peers.get(device).is_some_and(|peer| peer.life == Life::Up)) {
            return;
        }
        self.sync.waiting.clear();
        if self.sync.recheck {
            self.end_recheck();
        } else if !self.sync.done && self.sync.unknown.is_empty() {
            self.end_sync();
        }
    }

    fn end_sync(&mut self) {
        self.sync.done = true;
        self.sync.to_ask.clear();
        self.timers.clear(Timer::Sync);
        let (now, vetoed) = (self.now.mono, core::mem::take(&mut self.sync.vetoed));
        // Who was alone asks before it acts beside others again; it does not make the others begin anew.
        self.sync.alone = self.sync.answered == 0 && self.members.present().any(|device| device != self.me);
        let alone = self.sync.alone;
        for device in self.lost().collect::<Vec<_>>() {
            let peer = self.peer_mut(device);
            peer.life = match (vetoed.get(&device), peer.life) {
                (Some(by), Life::Lost { proven, .. } | Life::Vetoed { proven, .. }) => Life::Vetoed { by: *by, proven },
                (Some(by), _) => Life::Vetoed { by: *by, proven: false },
                (None, Life::Lost { proven, .. } | Life::Vetoed { proven, .. }) => {
                    Life::Lost { proven, confirmed: true }
                }
                (None, _) => Life::Lost { proven: false, confirmed: true },
            };
            if !peer.is_confirmed_lost() {
                peer.heard = now;
                continue;
            }
            if !alone {
                peer.give_up(None);
            }
            // Only now is it certain when it was heard last: a veto counts, too.
            let gone = peer.heard + self.config.reserve_after;
            self.timers.set(Timer::Reserve(device), gone.max(now));
        }
        if !vetoed.is_empty() {
            self.sync.heard_of = now;
            self.ask_again_later();
        }
        self.view_changed();
        self.dirty_open();
        let up: Vec<_> = self.peers.iter().filter(|(_, peer)| peer.is_up()).map(|(id, _)| *id).collect();
        for device in up {
            self.beat(device, false);
        }
    }

    /// Asks whether the vetoes still hold, without giving up what this device may do meanwhile.
    fn recheck_vetoes(&mut self) {
        let up: BTreeSet<_> = self.peers.iter().filter(|(_, peer)| peer.is_up()).map(|(id, _)| *id).collect();
        self.sync.recheck = true;
        self.sync.round += 1;
        self.sync.vetoed.clear();
        self.sync.to_ask.clone_from(&up);
        self.sync.waiting = up;
        self.sync.lost = self.lost().collect();
        self.timers.set(Timer::Sync, self.now.mono + self.config.patience);
        self.check_sync();
    }

    /// Whoever nobody hears any more is lost, and that takes a whole round.
    fn end_recheck(&mut self) {
        self.sync.recheck = false;
        self.sync.to_ask.clear();
        self.timers.clear(Timer::Sync);
        let (now, vetoed) = (self.now.mono, core::mem::take(&mut self.sync.vetoed));
        let mut silent = false;
        for (device, peer) in &mut self.peers {
            let Life::Vetoed { by, proven } = &mut peer.life else { continue };
            if let Some(hears) = vetoed.get(device) {
                *by = *hears;
                peer.heard = now;
            } else {
                peer.life = Life::Lost { proven: *proven, confirmed: false };
                silent = true;
            }
        }
        if silent {
            self.begin_sync();
        } else if !vetoed.is_empty() {
            self.ask_again_later();
        }
    }

    /// Sets the time of the next recheck.
    fn ask_again_later(&mut self) {
        let again = self.sync.again;
        self.timers.set(Timer::Sync, self.now.mono + again);
        self.sync.again = Span(again.0 * 2).min(VETO_AGAIN);
    }
}
