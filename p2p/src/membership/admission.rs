//! The authentication step of the transport: Noise, and inside it the membership proof, before multiplexing begins.
//!
//! As one step, because only here the peer id that Noise has proven and the stream it protects are both at hand.

use std::{io, pin::Pin, sync::Arc};

use futures::{AsyncRead, AsyncWrite};
use libp2p::{
    PeerId,
    core::{
        UpgradeInfo,
        upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade},
    },
    noise,
};

use super::{Membership, proof};

/// A connection was not admitted; it is closed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdmissionError {
    #[error("encryption failed: {0}")]
    Noise(#[from] noise::Error),
    #[error("connection lost: {0}")]
    Io(#[from] io::Error),
    #[error("unknown membership proof version {0}")]
    Version(u8),
    #[error("{0} is not a member of this cluster")]
    NotAMember(PeerId),
}

/// Noise and the membership proof as one upgrade.
#[derive(Clone)]
pub(crate) struct Admission {
    noise: noise::Config,
    membership: Arc<Membership>,
}

impl Admission {
    pub(crate) fn new(noise: noise::Config, membership: Arc<Membership>) -> Self {
        Self { noise, membership }
    }
}

impl UpgradeInfo for Admission {
    type Info = &'static str;
    type InfoIter = std::iter::Once<Self::Info>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.noise.protocol_info()
    }
}

type Admitted<T> = Result<(PeerId, noise::Output<T>), AdmissionError>;
type AdmittedFuture<T> = Pin<Box<dyn Future<Output = Admitted<T>> + Send>>;

impl<T> InboundConnectionUpgrade<T> for Admission
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Output = (PeerId, noise::Output<T>);
    type Error = AdmissionError;
    type Future = AdmittedFuture<T>;

    fn upgrade_inbound(self, socket: T, info: Self::Info) -> Self::Future {
        Box::pin(async move {
            let (peer, mut stream) = InboundConnectionUpgrade::upgrade_inbound(self.noise, socket, info).await?;
            proof::respond(&mut stream, &self.membership, &peer).await?;
            Ok((peer, stream))
        })
    }
}

impl<T> OutboundConnectionUpgrade<T> for Admission
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Output = (PeerId, noise::Output<T>);
    type Error = AdmissionError;
    type Future = AdmittedFuture<T>;

    fn upgrade_outbound(self, socket: T, info: Self::Info) -> Self::Future {
        Box::pin(async move {
            let (peer, mut stream) = OutboundConnectionUpgrade::upgrade_outbound(self.noise, socket, info).await?;
            proof::initiate(&mut stream, &self.membership, &peer).await?;
            Ok((peer, stream))
        })
    }
}
