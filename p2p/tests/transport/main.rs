//! The network as its caller sees it: real libp2p over loopback TCP.
#![cfg(test)]

#[cfg(test)]
mod cluster;
#[cfg(test)]
mod exchanges;
#[cfg(test)]
mod links;
#[cfg(test)]
mod loss;
#[cfg(test)]
mod membership;
#[cfg(test)]
mod support;
