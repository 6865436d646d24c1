//! What the caller asks for, and the end.

use std::time::{Duration, Instant};

use futures::StreamExt;
use libp2p::PeerId;
use tokio::time::timeout;

use super::EventLoop;
use crate::{command::Command, link::task::Stop, stats::count};

/// Waiting for the links to write what is queued; a little more than each of them waits.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(700);
/// Waiting for the connections to close politely.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(300);

impl EventLoop {
    pub(super) fn on_command(&mut self, command: Command, now: Instant) {
        match command {
            Command::Gossip(message) => {
                if self.gossip.push(message, now).is_err() {
                    count(&self.shared.counters.gossip_dropped);
                }
            }
            Command::Open(peer, answer) => self.open(peer, answer),
            Command::Dial(address) => {
                if !self.bootstrap.add(&address, now) {
                    tracing::warn!(%address, "too many peer addresses, ignored");
                }
            }
            Command::Reset(peer) => {
                self.reset(peer, now);
                self.reachability.retry(&peer, now);
            }
            Command::Revoke(peer) => {
                if !self.membership.revoke(peer) {
                    tracing::warn!(%peer, "too many revoked peers, ignored");
                    return;
                }
                self.reset(peer, now);
                self.reachability.keep_apart(peer, now);
            }
            Command::Allow(peer) => {
                self.membership.allow(&peer);
                self.reachability.retry(&peer, now);
            }
            // The loop itself ends on this one.
            Command::Shutdown(_) => {}
        }
    }

    fn reset(&mut self, peer: PeerId, now: Instant) {
        let actions = self.links.reset(peer);
        self.carry_out(actions, now);
    }

    /// Lets the links finish, closes the connections, and leaves nothing running.
    pub(super) async fn shut_down(mut self) {
        let mut left = self.running.len();
        let peers: Vec<PeerId> = self.running.keys().copied().collect();
        for peer in &peers {
            self.stop_link(peer, Stop::Drain);
        }
        let Self { swarm, ended, .. } = &mut self;
        let drained = async {
            while left > 0 {
                tokio::select! {
                    Some(_) = ended.recv() => left -= 1,
                    _ = swarm.select_next_some() => {}
                }
            }
        };
        if timeout(DRAIN_TIMEOUT, drained).await.is_err() {
            tracing::debug!("shut down before everything was sent");
        }
        let connected: Vec<PeerId> = swarm.connected_peers().copied().collect();
        for peer in connected {
            // An error means that it has gone already.
            let _ = swarm.disconnect_peer_id(peer);
        }
        let closed = async {
            while swarm.connected_peers().next().is_some() {
                swarm.select_next_some().await;
            }
        };
        // What has not closed by now is dropped with the swarm.
        let _ = timeout(CLOSE_TIMEOUT, closed).await;
    }
}
