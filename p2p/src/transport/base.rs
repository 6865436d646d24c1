//! TCP with two corrections: dials never reuse the listening port, and a failed connect stays recognisable.
//!
//! Two nodes that dial each other from their listening ports at the same moment would meet in a TCP simultaneous open, where
//! both sides believe to be the dialler and the negotiation fails; a fresh port per dial cannot do that. And the generic error
//! wrappers above hide the innermost error from `source()`, unless it is one layer deeper: hence [`ConnectError`].

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use futures::{FutureExt, TryFutureExt, future::BoxFuture};
use libp2p::{
    Multiaddr, Transport,
    core::transport::{DialOpts, ListenerId, PortUse, TransportError, TransportEvent},
};

/// What the system said to a connect or accept.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ConnectError(#[source] io::Error);

pub(super) struct Base<T> {
    inner: T,
}

impl<T> Base<T> {
    pub(super) fn new(inner: T) -> Self {
        Self { inner }
    }
}

impl<T> Transport for Base<T>
where
    T: Transport<Error = io::Error> + Unpin,
    T::Output: Send + 'static,
    T::Dial: Send + 'static,
    T::ListenerUpgrade: Send + 'static,
{
    type Output = T::Output;
    type Error = ConnectError;
    type ListenerUpgrade = BoxFuture<'static, Result<T::Output, ConnectError>>;
    type Dial = BoxFuture<'static, Result<T::Output, ConnectError>>;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<ConnectError>> {
        self.inner.listen_on(id, address).map_err(|error| error.map(ConnectError))
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.inner.remove_listener(id)
    }

    fn dial(&mut self, address: Multiaddr, opts: DialOpts) -> Result<Self::Dial, TransportError<ConnectError>> {
        let opts = DialOpts { port_use: PortUse::New, ..opts };
        let dial = self.inner.dial(address, opts).map_err(|error| error.map(ConnectError))?;
        Ok(dial.map_err(ConnectError).boxed())
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, ConnectError>> {
        Pin::new(&mut self.inner)
            .poll(cx)
            .map(|event| event.map_upgrade(|upgrade| upgrade.map_err(ConnectError).boxed()).map_err(ConnectError))
    }
}
