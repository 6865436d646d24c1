//! The network as its caller sees it: real libp2p over loopback TCP.

mod cluster;
mod links;
mod loss;
mod membership;
mod support;
