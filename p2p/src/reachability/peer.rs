//! One peer: its addresses, and how far the attempts to reach it have come.

use std::time::Instant;

use libp2p::Multiaddr;

use super::Verdict;

/// Which addresses an attempt tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Round {
    /// The proven ones if there are any, else all.
    First,
    /// The others, after the proven ones failed.
    Rest {
        /// The proven ones refused; that verdict is out and stands.
        refused: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Connected,
    Dialing(Round),
    Waiting {
        until: Instant,
        round: Round,
    },
    /// Not in our cluster: left alone until then, whoever announces it.
    Apart {
        until: Instant,
    },
}

struct Address {
    address: Multiaddr,
    proven: bool,
}

pub(super) struct Peer {
    /// Proven ones first, the latest of them foremost.
    addresses: Vec<Address>,
    pub(super) expected: bool,
    pub(super) state: State,
    /// Failed rounds in a row.
    pub(super) failures: u32,
    /// Attempts in a row that were hung up on.
    pub(super) hang_ups: u32,
    /// What the caller heard last.
    pub(super) told: Option<Verdict>,
    /// The addresses the caller heard last.
    told_addresses: Vec<Multiaddr>,
}

impl Peer {
    pub(super) fn new(first_try: Instant) -> Self {
        let state = State::Waiting { until: first_try, round: Round::First };
        Self {
            addresses: Vec::new(),
            expected: false,
            state,
            failures: 0,
            hang_ups: 0,
            told: None,
            told_addresses: Vec::new(),
        }
    }

    /// True if the address is new.
    pub(super) fn add(&mut self, address: Multiaddr, proven: bool, max: usize) -> bool {
        let known = self.addresses.iter().position(|a| a.address == address);
        match known {
            Some(at) if !proven || self.addresses[at].proven => return false,
            Some(at) => {
                self.addresses.remove(at);
            }
            None if self.addresses.len() >= max => {
                // The last is the least useful; a full list of proven ones gives way to a proven one only.
                if !proven && self.addresses.last().is_none_or(|last| last.proven) {
                    return false;
                }
                self.addresses.pop();
            }
            None => {}
        }
        let at = if proven { 0 } else { self.addresses.iter().take_while(|a| a.proven).count() };
        self.addresses.insert(at, Address { address, proven });
        known.is_none()
    }

    pub(super) fn remove(&mut self, address: &Multiaddr) {
        self.addresses.retain(|a| a.address != *address);
    }

    pub(super) fn proven_by_none(&mut self) {
        self.addresses.iter_mut().for_each(|a| a.proven = false);
    }

    pub(super) fn addresses(&self) -> Vec<Multiaddr> {
        self.addresses.iter().map(|a| a.address.clone()).collect()
    }

    /// The addresses, if they are not what the caller heard last.
    pub(super) fn news(&mut self) -> Option<Vec<Multiaddr>> {
        let addresses = self.addresses();
        if addresses == self.told_addresses {
            return None;
        }
        self.told_addresses.clone_from(&addresses);
        Some(addresses)
    }

    pub(super) fn choose(&self, round: Round) -> Vec<Multiaddr> {
        let any_proven = self.addresses.iter().any(|a| a.proven);
        let wanted = |a: &&Address| match round {
            Round::First => a.proven || !any_proven,
            Round::Rest { .. } => !a.proven,
        };
        self.addresses.iter().filter(wanted).map(|a| a.address.clone()).collect()
    }

    /// Whether the first round left something to try.
    pub(super) fn has_rest(&self) -> bool {
        let proven = self.addresses.iter().filter(|a| a.proven).count();
        proven > 0 && proven < self.addresses.len()
    }

    /// Brings the next attempt forward.
    pub(super) fn hurry(&mut self, to: Instant) {
        if let State::Waiting { until, .. } = &mut self.state {
            *until = to.min(*until);
            // A fresh reason to believe in the peer also shortens the pauses after this try.
            self.failures = self.failures.min(1);
        }
    }

    /// Passes on what the caller has not heard yet.
    pub(super) fn tell(&mut self, verdict: Verdict) -> Option<Verdict> {
        let new = self.expected && self.told != Some(verdict);
        self.told = Some(verdict);
        new.then_some(verdict)
    }
}
