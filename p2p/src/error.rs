//! What can go wrong at each call of the public interface; one enum per operation, each saying what happened to the state.

use std::io;

use libp2p::Multiaddr;

/// [`crate::start`] did not start anything.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another program (or another node) listens there.
    #[error("{0} is already in use by another program")]
    AddressInUse(Multiaddr),
    /// Not one of the listen addresses works.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The first address that was tried.
        address: Multiaddr,
        /// What the system said.
        reason: io::Error,
    },
    /// `Config::listen` is empty.
    #[error("no address to listen on")]
    NoListenAddress,
    /// The identity cannot be used for the encrypted transport.
    #[error("the identity key is unusable: {0}")]
    Identity(#[from] libp2p::noise::Error),
    /// The values in `Config::limits` contradict each other.
    #[error("impossible limits: {0}")]
    Limits(String),
}

/// [`crate::Client::send`] did not queue the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// There is no link to that peer now.
    #[error("not connected")]
    NotConnected,
    /// The peer reads too slowly; what is already queued is still sent.
    #[error("the queue to this peer is full")]
    Full,
    /// The frame is above `Limits::frame_bytes_max`.
    #[error("the frame is too large")]
    TooLarge,
}

/// [`crate::Client::open`] has no stream to give.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// There is no link to that peer now, or it went down meanwhile.
    #[error("not connected")]
    NotConnected,
    /// The peer does not take it: it is of an older version, or has too many open.
    #[error("refused: {0}")]
    Refused(String),
    /// Too many commands are waiting.
    #[error("the network is busy")]
    Busy,
    /// The network task has ended.
    #[error("the network is closed")]
    Closed,
}

/// [`crate::Client::gossip`] did not queue the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GossipError {
    /// More is being published than goes out.
    #[error("too many messages are waiting")]
    Full,
    /// The message is above `Limits::gossip_bytes_max`.
    #[error("the message is too large")]
    TooLarge,
    /// The network task has ended.
    #[error("the network is closed")]
    Closed,
}

/// A command was not accepted; nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// Too many commands are waiting.
    #[error("too many commands are waiting")]
    Full,
    /// The network task has ended.
    #[error("the network is closed")]
    Closed,
}
