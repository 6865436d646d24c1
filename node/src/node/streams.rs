//! Streams that peers open: the first byte says what for. Knows nothing of what is said after that.

use crate::blobs::Blobs;
use crate::identity::device_id;
use crate::live::{self, Live};
use crate::policy::{EXCHANGE_KIND, PolicyHandle, serve_order};
use crate::stats::{self, Counter};
use rc_p2p::{Incoming, PeerId, Stream};
use std::io::Cursor;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio_util::compat::FuturesAsyncReadCompatExt;

/// For the first byte to arrive.
const FIRST_BYTE_TIME_MAX: Duration = Duration::from_secs(60);

/// Gives each stream to whom it is for, until the network ends.
pub(super) async fn serve(mut incoming: Incoming, services: Services) {
    while let Some((peer, stream)) = incoming.next().await {
        tokio::spawn(hand_over(peer, stream, services.clone()));
    }
}

/// Those whom a stream may be for.
type Services = (Blobs, Live, PolicyHandle, Counter);

async fn hand_over(peer: PeerId, stream: Stream, (blobs, live, policy, counter): Services) {
    let mut stream = stream.compat();
    let device = device_id(&peer);
    match tokio::time::timeout(FIRST_BYTE_TIME_MAX, stream.read_u8()).await {
        Ok(Ok(live::SERVICE)) => live.serve_stream(device, Box::new(stream)),
        Ok(Ok(EXCHANGE_KIND)) => serve_order(policy, device, Box::new(stream)).await,
        Ok(Ok(stats::KIND)) => counter.serve(device, Box::new(stream)).await,
        // To these the first byte is the version of what they say.
        Ok(Ok(first)) => {
            let (reader, writer) = tokio::io::split(stream);
            let reader = Cursor::new([first]).chain(reader);
            blobs.serve_stream(device, Box::new(tokio::io::join(reader, writer)));
        }
        Ok(Err(error)) => tracing::debug!(%peer, %error, "a stream broke before it said what for"),
        Err(_) => tracing::debug!(%peer, "a stream did not say what for"),
    }
}
