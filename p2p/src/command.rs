//! What the caller can ask of the network task; see the methods of [`crate::Client`].

use bytes::Bytes;
use libp2p::{Multiaddr, PeerId};
use tokio::sync::oneshot;

use crate::exchange;

/// A request on its way to the network task.
#[derive(Debug)]
pub(crate) enum Command {
    Gossip(Bytes),
    Open(PeerId, exchange::Answer),
    Dial(Multiaddr),
    Reset(PeerId),
    Revoke(PeerId),
    Allow(PeerId),
    Shutdown(oneshot::Sender<()>),
}
