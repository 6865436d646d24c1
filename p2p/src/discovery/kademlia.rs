//! Kademlia, used as a directory of connected members only: no records, no automatic traffic.

use std::{num::NonZeroUsize, time::Duration};

use libp2p::{
    PeerId, StreamProtocol,
    kad::{self, store::MemoryStore},
};

const QUERY_TIMEOUT: Duration = Duration::from_secs(10);
/// An answer with all members of a small cluster and their addresses fits.
const PACKET_BYTES_MAX: usize = 64 << 10;

pub(crate) type Behaviour = kad::Behaviour<MemoryStore>;

pub(crate) fn build(me: PeerId, protocol: StreamProtocol, members: NonZeroUsize) -> Behaviour {
    let mut config = kad::Config::new(protocol);
    config
        .set_query_timeout(QUERY_TIMEOUT)
        .set_max_packet_size(PACKET_BYTES_MAX)
        // One answer names the whole of a small cluster.
        .set_kbucket_size(members)
        // Who is in the directory is decided by connections, not by whoever asks.
        .set_kbucket_inserts(kad::BucketInserts::Manual)
        // Nothing is stored: records that arrive wait for an approval that never comes.
        .set_record_filtering(kad::StoreInserts::FilterBoth)
        .set_periodic_bootstrap_interval(None)
        .set_replication_interval(None)
        .set_publication_interval(None)
        .set_provider_publication_interval(None);
    let mut behaviour = kad::Behaviour::with_config(me, MemoryStore::new(me), config);
    // Without a public address it would stay a client that nobody asks.
    behaviour.set_mode(Some(kad::Mode::Server));
    behaviour
}
