//! Identify: members tell each other where they listen, and again when that changes.

use std::time::Duration;

use libp2p::{identify, identity::Keypair};

/// Addresses are pushed when they change; this is only for what a push missed.
const INTERVAL: Duration = Duration::from_secs(900);

pub(crate) fn build(keypair: &Keypair, prefix: &str) -> identify::Behaviour {
    let config = identify::Config::new(format!("{prefix}/1"), keypair.public())
        .with_agent_version(concat!("rcnode/", env!("CARGO_PKG_VERSION")).to_owned())
        .with_interval(INTERVAL)
        .with_push_listen_addr_updates(true)
        // Addresses are kept in one place, and that is not here.
        .with_cache_size(0);
    identify::Behaviour::new(config)
}
