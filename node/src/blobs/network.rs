//! What a store needs of the network: who is there, and streams to them. The capability to ask is membership, which is proven before a
//! stream exists.

use crate::identity::device_id;
use async_trait::async_trait;
use rc_p2p::{Client, Incoming};
use rc_scheduler::DeviceId;
use std::io;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::compat::FuturesAsyncReadCompatExt;

/// A stream to or from another device.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The way to the other devices.
#[async_trait]
pub trait Network: Send + Sync {
    /// Those that are linked now.
    fn linked(&self) -> Vec<DeviceId>;
    /// Opens a stream to one of them.
    async fn open(&self, device: DeviceId) -> io::Result<Box<dyn Stream>>;
}

#[async_trait]
impl Network for Client {
    fn linked(&self) -> Vec<DeviceId> {
        Self::linked(self).iter().map(device_id).collect()
    }

    async fn open(&self, device: DeviceId) -> io::Result<Box<dyn Stream>> {
        let peer = Self::linked(self).into_iter().find(|peer| device_id(peer) == device);
        let peer = peer.ok_or_else(|| io::Error::new(io::ErrorKind::NotConnected, "not connected"))?;
        let stream = Self::open(self, peer).await.map_err(io::Error::other)?;
        Ok(Box::new(stream.compat()))
    }
}

/// The next stream that a peer opens.
pub(crate) async fn accept(incoming: &mut Incoming) -> Option<(DeviceId, Box<dyn Stream>)> {
    let (peer, stream) = incoming.next().await?;
    Some((device_id(&peer), Box::new(stream.compat())))
}
