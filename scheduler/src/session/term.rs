//! Terms: which are known, whose they are, and when one has to be outbid (rule 20). What is taken over must be gone on with in a higher
//! term than that of whoever began it; between two that live, terms need no order.

use super::{Life, Peer};
use crate::core::Scheduler;
use crate::id::{DeviceId, Term};
use crate::keeper::TERM_LEAP_MAX;

impl Scheduler {
    /// Notes a term that a peer speaks of, unless it is absurd.
    pub(crate) fn see_term(&mut self, term: Term, by: DeviceId) {
        if term <= self.seen_term.0.saturating_add(TERM_LEAP_MAX) {
            self.note_term(term, by);
        }
    }

    /// Notes a term that somebody has taken.
    pub(crate) fn note_term(&mut self, term: Term, by: DeviceId) {
        self.seen_term = self.seen_term.max((term, by));
        match self.peers.get_mut(&by) {
            Some(peer) => peer.term = peer.term.max(term),
            None if by == self.me => {}
            None => self.stranger_term = self.stranger_term.max((term, by)),
        }
    }

    /// A higher term than `asked`, of which whoever asks in it must know: its owner does not live as far as this device knows, or
    /// lives on as the asker, which had told this device of it `earlier`. The highest of all that are known might hide it: that of one
    /// who lives.
    pub(super) fn term_for(&self, asker: DeviceId, asked: Term, earlier: Term) -> Option<(Term, DeviceId)> {
        let is_gone = |peer: &Peer| matches!(peer.life, Life::Lost { .. } | Life::Unknown);
        let gone = self.peers.iter().filter(|(_, peer)| is_gone(peer)).map(|(device, peer)| (peer.term, *device));
        let highest = gone.chain([self.stranger_term, (earlier, asker)]).max();
        highest.filter(|highest| *highest > (asked, asker))
    }

    /// Whether this device needs a higher term. Not because of one who lives: all who lose the same device ask at the same moment, and
    /// would outbid each other one after the other; and what that one does is taken over only when it is lost in turn, in a term
    /// above its own.
    pub(super) fn is_outbid(&self, by: (Term, DeviceId)) -> bool {
        by > (self.term, self.me) && !self.peers.get(&by.1).is_some_and(Peer::is_up)
    }
}
