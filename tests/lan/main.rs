//! Scenarios on a LAN: the real binary on hosts made of network namespaces. They need root, `ip` and `nft`; without, they say so and pass,
//! except in CI. They import nothing of ours: what they know is the command line.

mod acceptor;
mod api;
mod cancel;
mod clock;
#[path = "../rig/device.rs"]
mod device;
mod discovery;
mod failover;
mod failure;
mod flow;
mod lan;
mod logs;
mod net;
mod outage;
mod soak;
mod split;
#[path = "../rig/wait.rs"]
mod wait;
