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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::id::Incarnation;
    use crate::time::{Mono, Now};

    fn device(n: u8) -> DeviceId {
        DeviceId([n; 16])
    }

    fn hearing(others: &[(u8, Life)]) -> Scheduler {
        let now = Now { mono: Mono(1), wall_ms: 0 };
        let mut core = Scheduler::empty(device(1), Config::default(), [0; 32], Incarnation { boots: 1, wakes: 0 }, now);
        for (other, life) in others {
            let peer = core.peer_mut(device(*other));
            peer.life = *life;
            peer.session = *life == Life::Up;
        }
        core
    }

    #[test]
    fn a_term_of_the_lost_is_told_though_one_who_lives_has_a_higher_one() {
        let lost = Life::Lost { proven: false, confirmed: true };
        let mut core = hearing(&[(2, Life::Up), (3, lost), (4, Life::Up)]);
        core.see_term(7, device(3));
        core.see_term(9, device(4));
        assert_eq!(core.term_for(device(2), 6, 0), Some((7, device(3))));
        assert_eq!(
            core.term_for(device(2), 7, 0),
            Some((7, device(3))),
            "of two in one term the greater id is the later"
        );
        assert_eq!(core.term_for(device(2), 8, 0), None);
        assert_eq!(
            core.term_for(device(2), 8, 9),
            Some((9, device(2))),
            "what it did in an earlier life is taken over, too"
        );
        core.see_term(12, device(5));
        assert_eq!(
            core.term_for(device(2), 8, 0),
            Some((12, device(5))),
            "of a stranger nobody knows whether it lives"
        );
    }

    #[test]
    fn who_lives_does_not_outbid() {
        let lost = Life::Lost { proven: false, confirmed: false };
        let mut core = hearing(&[(2, Life::Up), (3, lost)]);
        core.term = 5;
        assert!(!core.is_outbid((8, device(2))));
        assert!(core.is_outbid((8, device(3))));
        assert!(core.is_outbid((6, device(1))), "a term of its own that it has forgotten");
        assert!(!core.is_outbid((4, device(3))));
    }
}
