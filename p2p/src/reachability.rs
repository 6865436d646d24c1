//! Where peers can be reached, when to try again, and what a failed try proves. No I/O and no clock: time comes in as a value.
//!
//! An address is *proven* when the peer was connected through it, or called from its host, in this run. After a loss the proven
//! ones are tried first and alone: if the host at each of them refuses the connection, the process there is gone, and that is
//! known within milliseconds; a stale address that merely times out can neither delay the verdict nor fake one.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use libp2p::{Multiaddr, PeerId};

use crate::config::Limits;

pub(crate) mod bootstrap;
pub(crate) mod outcome;
mod peer;
#[cfg(test)]
mod tests;

pub(crate) use outcome::Outcome;
use peer::{Peer, Round, State};

/// The side that is not the first to dial waits this long when both have just discovered each other.
const STAGGER: Duration = Duration::from_millis(250);
/// Attempts under way at one time.
const DIALS_MAX: usize = 16;
/// Failures in a row after which a peer that was never connected is forgotten.
const STRANGER_FAILURES_MAX: u32 = 8;
/// A host that hangs up may be in the middle of a crash: so many quick tries until it either refuses or answers.
const HANG_UPS_MAX: u32 = 4;
/// Pause before the first of these tries; doubles.
const HANG_UP_PAUSE: Duration = Duration::from_millis(4);
/// Failures in a row after which the pause grows once more.
const PATIENCE: u32 = 24;
const SLOW_FACTOR: u32 = 6;

/// Where an address was learnt; decides how much it is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// From the caller's memory of an earlier run.
    Saved,
    /// Someone on this network announced it just now.
    Sighting,
    /// Another member said so; perhaps long out of date.
    Hearsay,
    /// The peer itself said so on a connection from the same host.
    Proven,
}

/// What the attempts to reach a peer again have shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Refused,
    Unreachable,
}

/// One attempt to be made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) peer: PeerId,
    pub(crate) addresses: Vec<Multiaddr>,
}

/// All peers ever heard of, bounded.
pub(crate) struct Reachability {
    me: PeerId,
    limits: Limits,
    peers: BTreeMap<PeerId, Peer>,
}

impl Reachability {
    pub(crate) fn new(me: PeerId, limits: Limits) -> Self {
        Self { me, limits, peers: BTreeMap::new() }
    }

    /// The caller expects this peer: outcomes of attempts are reported, and it is never forgotten while there is room.
    pub(crate) fn expect(&mut self, peer: PeerId, now: Instant) {
        if let Some(peer) = self.entry(peer, now) {
            peer.expected = true;
        }
    }

    /// Notes an address. True if it is new.
    pub(crate) fn learn(&mut self, peer: PeerId, address: Multiaddr, source: Source, now: Instant) -> bool {
        let addresses_max = self.limits.addresses_per_peer_max;
        let stagger = if self.me > peer && source != Source::Saved { STAGGER } else { Duration::ZERO };
        let Some(entry) = self.entry(peer, now + stagger) else {
            return false;
        };
        let new = entry.add(address, source == Source::Proven, addresses_max);
        if (new && source != Source::Saved) || source == Source::Sighting {
            entry.hurry(now + stagger);
        }
        new
    }

    /// The peer's addresses, most useful first.
    pub(crate) fn addresses(&self, peer: &PeerId) -> Vec<Multiaddr> {
        self.peers.get(peer).map(Peer::addresses).unwrap_or_default()
    }

    /// The peer's addresses, if they have changed since the last call.
    pub(crate) fn news(&mut self, peer: &PeerId) -> Option<Vec<Multiaddr>> {
        self.peers.get_mut(peer)?.news()
    }

    /// There is a connection; `dialled` is the address that led to it, if we made it.
    pub(crate) fn connected(&mut self, peer: PeerId, dialled: Option<Multiaddr>, now: Instant) {
        let addresses_max = self.limits.addresses_per_peer_max;
        if let Some(entry) = self.entry(peer, now) {
            entry.state = State::Connected;
            if let Some(address) = dialled {
                entry.add(address, true, addresses_max);
            }
        }
    }

    /// There is a usable link: the peer counts as expected from now on, and its failures are forgiven.
    pub(crate) fn linked(&mut self, peer: PeerId) {
        if let Some(entry) = self.peers.get_mut(&peer) {
            entry.expected = true;
            entry.failures = 0;
            entry.hang_ups = 0;
            entry.told = None;
        }
    }

    /// The last connection is gone. After a working link the next attempt is due at once.
    pub(crate) fn lost(&mut self, peer: PeerId, had_link: bool, now: Instant) {
        let Some(entry) = self.peers.get_mut(&peer) else {
            return;
        };
        if had_link {
            entry.failures = 0;
            entry.state = State::Waiting { until: now, round: Round::First };
        } else {
            self.back_off(peer, now);
        }
    }

    /// A connection with the peer, made without an attempt from here, failed the membership proof.
    pub(crate) fn keep_apart(&mut self, peer: PeerId, now: Instant) {
        let until = now + self.limits.foreign_pause;
        if let Some(entry) = self.entry(peer, now).filter(|entry| entry.state != State::Connected) {
            entry.state = State::Apart { until };
        }
    }

    /// Tries the peer now, whatever the pause.
    pub(crate) fn retry(&mut self, peer: &PeerId, now: Instant) {
        if let Some(entry) = self.peers.get_mut(peer) {
            if matches!(entry.state, State::Apart { .. }) {
                entry.state = State::Waiting { until: now, round: Round::First };
            }
            entry.hurry(now);
        }
    }

    /// The network has changed: everybody is worth a try.
    pub(crate) fn retry_all(&mut self, now: Instant) {
        self.peers.values_mut().for_each(|peer| peer.hurry(now));
    }

    /// The next attempt that is due; it is under way from now on and must be answered by [`Self::failed`] or a connection.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Attempt> {
        if self.dialing() >= DIALS_MAX {
            return None;
        }
        for (id, peer) in &mut self.peers {
            let (until, round) = match peer.state {
                State::Waiting { until, round } => (until, round),
                State::Apart { until } => (until, Round::First),
                State::Connected | State::Dialing(_) => continue,
            };
            if until > now {
                continue;
            }
            // May be none, if the peer called and went before it said where it lives: that attempt fails, as it should.
            let addresses = peer.choose(round);
            peer.state = State::Dialing(round);
            return Some(Attempt { peer: *id, addresses });
        }
        None
    }

    /// When [`Self::poll`] is worth calling again.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        if self.dialing() >= DIALS_MAX {
            return None;
        }
        let waiting = self.peers.values().filter_map(|peer| match peer.state {
            State::Waiting { until, .. } | State::Apart { until } => Some(until),
            State::Connected | State::Dialing(_) => None,
        });
        waiting.min()
    }

    fn dialing(&self) -> usize {
        self.peers.values().filter(|peer| matches!(peer.state, State::Dialing(_))).count()
    }

    /// The attempt from [`Self::poll`] did not lead to a connection. The verdict, if there is a new one the caller waits for.
    pub(crate) fn failed(&mut self, id: PeerId, outcome: &Outcome, now: Instant) -> Option<Verdict> {
        let peer = self.peers.get_mut(&id)?;
        let State::Dialing(round) = peer.state else {
            return None;
        };
        let verdict = match outcome {
            Outcome::NotAMember => {
                peer.state = State::Apart { until: now + self.limits.foreign_pause };
                peer.proven_by_none();
                Some(Verdict::Unreachable)
            }
            Outcome::SomebodyElse(address) => {
                peer.remove(address);
                peer.state = State::Waiting { until: now, round };
                return None;
            }
            Outcome::HungUp if peer.hang_ups < HANG_UPS_MAX => {
                let pause = HANG_UP_PAUSE * (1 << peer.hang_ups);
                peer.hang_ups += 1;
                peer.state = State::Waiting { until: now + pause, round };
                return None;
            }
            Outcome::Refused | Outcome::HungUp | Outcome::Unreachable => {
                let refused = *outcome == Outcome::Refused;
                match round {
                    Round::First if peer.has_rest() => {
                        peer.state = State::Waiting { until: now, round: Round::Rest { refused } };
                        refused.then_some(Verdict::Refused)
                    }
                    Round::First => {
                        self.back_off(id, now);
                        Some(if refused { Verdict::Refused } else { Verdict::Unreachable })
                    }
                    Round::Rest { refused } => {
                        self.back_off(id, now);
                        (!refused).then_some(Verdict::Unreachable)
                    }
                }
            }
        };
        self.peers.get_mut(&id)?.tell(verdict?)
    }

    fn back_off(&mut self, id: PeerId, now: Instant) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.failures = peer.failures.saturating_add(1);
        peer.hang_ups = 0;
        if !peer.expected && peer.failures > STRANGER_FAILURES_MAX {
            self.peers.remove(&id);
            return;
        }
        let doubled = self.limits.redial_first.saturating_mul(1 << (peer.failures - 1).min(16));
        let mut pause = doubled.min(self.limits.redial_max);
        if peer.failures > PATIENCE {
            pause *= SLOW_FACTOR;
        }
        peer.state = State::Waiting { until: now + pause, round: Round::First };
    }

    /// The peer's entry, made if need be and if there is room; `None` for ourselves.
    fn entry(&mut self, id: PeerId, first_try: Instant) -> Option<&mut Peer> {
        if id == self.me {
            return None;
        }
        if !self.peers.contains_key(&id) && self.peers.len() >= self.limits.peers_max {
            let worth = |peer: &Peer| (peer.expected, std::cmp::Reverse(peer.failures));
            let idle =
                self.peers.iter().filter(|(_, peer)| !matches!(peer.state, State::Connected | State::Dialing(_)));
            let (&least, _) = idle.min_by_key(|(_, peer)| worth(peer))?;
            self.peers.remove(&least);
        }
        Some(self.peers.entry(id).or_insert_with(|| Peer::new(first_try)))
    }
}
