//! Where the node listens, and when to try again what does not work (an interface that went away, no IPv6). No I/O and no clock.

use std::time::{Duration, Instant};

use libp2p::{Multiaddr, core::transport::ListenerId};

const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);

enum State {
    Open(ListenerId),
    Waiting { until: Instant },
}

struct Listener {
    address: Multiaddr,
    state: State,
    failures: u32,
}

/// The addresses that were asked for, each with its listener.
#[derive(Default)]
pub(crate) struct Listeners {
    listeners: Vec<Listener>,
}

impl Listeners {
    pub(crate) fn opened(&mut self, address: Multiaddr, id: ListenerId) {
        self.set(address, State::Open(id));
    }

    /// The address does not work now; it will be due again after a pause.
    pub(crate) fn failed(&mut self, address: Multiaddr, now: Instant) {
        let failures = self.listeners.iter().find(|l| l.address == address).map_or(0, |l| l.failures);
        let pause = RETRY_FIRST.saturating_mul(1 << failures.min(16)).min(RETRY_MAX);
        self.set(address, State::Waiting { until: now + pause });
    }

    fn set(&mut self, address: Multiaddr, state: State) {
        let failed = matches!(state, State::Waiting { .. });
        match self.listeners.iter_mut().find(|l| l.address == address) {
            Some(listener) => {
                listener.failures = if failed { listener.failures.saturating_add(1) } else { 0 };
                listener.state = state;
            }
            None => self.listeners.push(Listener { address, state, failures: u32::from(failed) }),
        }
    }

    /// A listener ended; its address is tried again after a pause.
    pub(crate) fn closed(&mut self, id: ListenerId, now: Instant) {
        let open = |l: &&Listener| matches!(l.state, State::Open(open) if open == id);
        if let Some(address) = self.listeners.iter().find(open).map(|l| l.address.clone()) {
            self.failed(address, now);
        }
    }

    /// The next address to listen on.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Multiaddr> {
        let due = |l: &&Listener| matches!(l.state, State::Waiting { until } if until <= now);
        self.listeners.iter().find(due).map(|l| l.address.clone())
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let waiting = self.listeners.iter().filter_map(|l| match l.state {
            State::Waiting { until } => Some(until),
            State::Open(_) => None,
        });
        waiting.min()
    }
}
