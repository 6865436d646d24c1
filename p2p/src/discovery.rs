//! Finding members: who announces itself on this network, who knows whom, and which of their addresses are worth keeping.
//!
//! Connection is truth: nothing here ever says that a connected peer is gone.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use libp2p::{PeerId, kad::QueryId};

pub(crate) mod addresses;
pub(crate) mod identify;
pub(crate) mod kademlia;
pub(crate) mod mdns;

/// After a new link, members have this long to tell each other their addresses before they are asked for others.
const SETTLE: Duration = Duration::from_millis(300);
/// And once more, for those who came meanwhile.
const SECOND_LOOK: Duration = Duration::from_secs(3);
/// Lookups under way at one time.
const QUERIES_MAX: usize = 4;

/// When the next Kademlia lookup is due. No I/O and no clock.
pub(crate) struct Lookups {
    interval: Duration,
    due: Option<Instant>,
    look_again: bool,
    running: HashSet<QueryId>,
}

impl Lookups {
    pub(crate) fn new(interval: Duration) -> Self {
        Self { interval, due: None, look_again: false, running: HashSet::new() }
    }

    /// A new member is connected; it may know others.
    pub(crate) fn linked(&mut self, now: Instant) {
        let soon = now + SETTLE;
        self.due = Some(self.due.map_or(soon, |due| due.min(soon)));
        self.look_again = true;
    }

    /// Whether a lookup is due now; the next one is planned.
    pub(crate) fn poll(&mut self, now: Instant) -> bool {
        if self.due.is_none_or(|due| due > now) {
            return false;
        }
        let pause = if std::mem::take(&mut self.look_again) { SECOND_LOOK } else { self.interval };
        self.due = Some(now + pause);
        self.running.len() < QUERIES_MAX
    }

    pub(crate) fn started(&mut self, query: QueryId) {
        self.running.insert(query);
    }

    pub(crate) fn finished(&mut self, query: &QueryId) {
        self.running.remove(query);
    }

    /// Nobody is left to ask.
    pub(crate) fn alone(&mut self) {
        self.due = None;
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.due
    }
}

/// A random point to look around: members that are far from us are found this way.
pub(crate) fn somewhere() -> PeerId {
    PeerId::random()
}
