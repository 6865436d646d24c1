//! The way a connection is made: TCP, Noise, membership proof, yamux, all within a deadline. The one place to add a transport.
//!
//! Knows nothing about peers' addresses or about what runs on the connection.

use std::sync::Arc;

use libp2p::{
    PeerId, Transport as _,
    core::{muxing::StreamMuxerBox, transport::Boxed, upgrade::Version},
    identity::Keypair,
    noise, tcp, yamux,
};

use crate::{
    config::Limits,
    membership::{Admission, Membership},
};

mod base;
mod closing;

/// Substreams of one connection: the link, gossip both ways, and a few short-lived questions.
const STREAMS_MAX: usize = 64;

pub(crate) fn build(
    keypair: &Keypair,
    membership: Arc<Membership>,
    limits: &Limits,
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, noise::Error> {
    let mut yamux = yamux::Config::default();
    yamux.set_max_num_streams(STREAMS_MAX);
    Ok(base::Base::new(tcp::tokio::Transport::new(tcp::Config::new().nodelay(true)))
        .upgrade(Version::V1)
        .authenticate(Admission::new(noise::Config::new(keypair)?, membership))
        .multiplex(yamux)
        .inbound_timeout(limits.handshake_timeout)
        .outbound_timeout(limits.dial_timeout)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(closing::Closing::new(muxer))))
        .boxed())
}
