//! Outgoing connections: starts what is due, and turns failures into verdicts.

use std::time::Instant;

use libp2p::{
    Multiaddr, PeerId,
    swarm::{
        ConnectionId, DialError,
        dial_opts::{DialOpts, PeerCondition},
    },
};

use super::{Dial, EventLoop};
use crate::{
    event::{Event, RejectReason},
    reachability::{Attempt, Outcome, Verdict},
    stats::count,
};

impl EventLoop {
    /// Whether there is room for one more member.
    pub(super) fn may_dial(&self) -> bool {
        self.links.len() < self.limits.connections_max
    }

    pub(super) fn dial(&mut self, now: Instant) {
        while self.may_dial()
            && let Some(Attempt { peer, addresses }) = self.reachability.poll(now)
        {
            // Our own table knows better than the swarm whether a connection is needed: a dying one still counts there.
            let opts = DialOpts::peer_id(peer).addresses(addresses).condition(PeerCondition::Always).build();
            self.start(Dial::Peer(peer), opts, now);
        }
        while self.may_dial()
            && let Some(address) = self.bootstrap.poll(now)
        {
            let opts = DialOpts::unknown_peer_id().address(address.clone()).build();
            self.start(Dial::Address(address), opts, now);
        }
    }

    fn start(&mut self, dial: Dial, opts: DialOpts, now: Instant) {
        let (id, peer) = (opts.connection_id(), opts.get_peer_id());
        self.dials.insert(id, dial);
        if let Err(error) = self.swarm.dial(opts) {
            self.on_dial_failed(id, peer, &error, now);
        }
    }

    pub(super) fn on_dial_failed(&mut self, id: ConnectionId, peer: Option<PeerId>, error: &DialError, now: Instant) {
        let outcome = Outcome::from(error);
        tracing::debug!(?peer, ?outcome, %error, "could not connect");
        if outcome == Outcome::NotAMember {
            count(&self.shared.counters.not_members);
        }
        match self.dials.remove(&id) {
            Some(Dial::Peer(peer)) => {
                if let Some(verdict) = self.reachability.failed(peer, &outcome, now) {
                    self.announce([match verdict {
                        Verdict::Refused => Event::Refused { peer },
                        Verdict::Unreachable => Event::Unreachable { peer },
                    }]);
                }
            }
            Some(Dial::Address(address)) => self.on_address_failed(address, &outcome, error, now),
            // A lookup tried a peer on its own account.
            None => {
                if let (Outcome::NotAMember, Some(peer)) = (outcome, peer) {
                    self.reachability.keep_apart(peer, now);
                }
            }
        }
    }

    fn on_address_failed(&mut self, address: Multiaddr, outcome: &Outcome, error: &DialError, now: Instant) {
        let alone = self.links.len() == 0;
        if matches!(error, DialError::LocalPeerId { .. }) {
            self.bootstrap.is_ours(&address);
            return;
        }
        self.bootstrap.failed(&address, alone, now);
        if *outcome == Outcome::NotAMember {
            self.announce([Event::Rejected { address, reason: RejectReason::NotAMember }]);
        }
    }
}
