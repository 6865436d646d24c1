//! Streams for exchanges: opened where the link is, and handed in when a peer opens one.

use libp2p::PeerId;

use super::EventLoop;
use crate::{
    error::OpenError,
    exchange::Answer,
    link::streams::{StreamEvent, What},
};

impl EventLoop {
    pub(super) fn open(&mut self, peer: PeerId, answer: Answer) {
        match self.links.connection(&peer) {
            Some(connection) => {
                self.openings.wait(peer, connection, answer);
                self.swarm.behaviour_mut().exchanges.open(peer, connection);
            }
            // An error means that nobody waits any more.
            None => drop(answer.send(Err(OpenError::NotConnected))),
        }
    }

    pub(super) fn on_exchange(&mut self, event: StreamEvent) {
        let StreamEvent { peer, connection, what } = event;
        match what {
            What::Opened(stream) => self.openings.done(peer, connection, Ok(stream)),
            What::Failed(reason) => self.openings.done(peer, connection, Err(OpenError::Refused(reason))),
            What::Accepted(stream) => {
                if self.incoming.try_send((peer, stream)).is_err() {
                    tracing::debug!(%peer, "an exchange was refused: too many wait, or nobody takes them");
                }
            }
        }
    }
}
