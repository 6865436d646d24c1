//! The addresses the user gave (`--peer`): tried until they lead to somebody, and slowly for ever after, so that two halves of
//! a cluster that lost each other meet again. No I/O and no clock.

use std::time::{Duration, Instant};

use libp2p::{Multiaddr, PeerId, multiaddr::Protocol};

const FIRST: Duration = Duration::from_millis(500);
/// Longest pause while nobody is connected.
const ALONE_MAX: Duration = Duration::from_secs(10);
/// Pause while others are connected.
const IN_COMPANY: Duration = Duration::from_secs(60);
/// More addresses than this are not looked at.
const ADDRESSES_MAX: usize = 64;

enum State {
    Waiting {
        until: Instant,
    },
    Dialing,
    /// Leads to this member: nothing to do while it is connected.
    Leads(PeerId),
    /// It is our own.
    Ours,
}

struct Entry {
    address: Multiaddr,
    state: State,
    failures: u32,
}

/// The user's addresses and how far each has come.
#[derive(Default)]
pub(crate) struct Bootstrap {
    entries: Vec<Entry>,
}

/// The address alone: who answers there is found out on the connection.
pub(crate) fn without_peer(address: &Multiaddr) -> Multiaddr {
    address.iter().filter(|part| !matches!(part, Protocol::P2p(_))).collect()
}

impl Bootstrap {
    /// Adds an address to try now. False if there are too many.
    pub(crate) fn add(&mut self, address: &Multiaddr, now: Instant) -> bool {
        let address = without_peer(address);
        let state = State::Waiting { until: now };
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.address == address) {
            if matches!(entry.state, State::Waiting { .. }) {
                entry.state = state;
            }
            return true;
        }
        let room = self.entries.len() < ADDRESSES_MAX;
        if room {
            self.entries.push(Entry { address, state, failures: 0 });
        }
        room
    }

    /// The next address to dial.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Multiaddr> {
        let due = |entry: &&mut Entry| matches!(entry.state, State::Waiting { until } if until <= now);
        let entry = self.entries.iter_mut().find(due)?;
        entry.state = State::Dialing;
        Some(entry.address.clone())
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let waiting = self.entries.iter().filter_map(|entry| match entry.state {
            State::Waiting { until } => Some(until),
            State::Dialing | State::Leads(_) | State::Ours => None,
        });
        waiting.min()
    }

    /// The address is a way to this connected member.
    pub(crate) fn leads_to(&mut self, address: &Multiaddr, peer: PeerId) {
        let address = without_peer(address);
        for entry in self.entries.iter_mut().filter(|entry| entry.address == address) {
            entry.state = State::Leads(peer);
            entry.failures = 0;
        }
    }

    pub(crate) fn is_ours(&mut self, address: &Multiaddr) {
        let address = without_peer(address);
        self.entries.iter_mut().filter(|entry| entry.address == address).for_each(|entry| entry.state = State::Ours);
    }

    /// The attempt failed.
    pub(crate) fn failed(&mut self, address: &Multiaddr, alone: bool, now: Instant) {
        let address = without_peer(address);
        for entry in self.entries.iter_mut().filter(|entry| entry.address == address) {
            if !matches!(entry.state, State::Dialing) {
                continue;
            }
            entry.failures = entry.failures.saturating_add(1);
            let doubled = FIRST.saturating_mul(1 << (entry.failures - 1).min(16));
            let pause = if alone { doubled.min(ALONE_MAX) } else { IN_COMPANY };
            entry.state = State::Waiting { until: now + pause };
        }
    }

    /// The member is gone; another may be there now. With nobody left, all are worth a try soon.
    pub(crate) fn lost(&mut self, peer: PeerId, alone: bool, now: Instant) {
        for entry in &mut self.entries {
            match &mut entry.state {
                State::Leads(leads_to) if *leads_to == peer => {
                    entry.state = State::Waiting { until: now + if alone { FIRST } else { IN_COMPANY } };
                }
                State::Waiting { until } if alone => *until = (*until).min(now + FIRST),
                _ => {}
            }
        }
    }
}
