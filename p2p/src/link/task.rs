//! One link's life: `Up`, frames both ways, `Down`.
//!
//! The task itself puts `Up`, the frames and `Down` into the inbox, and the next link to the same peer starts only after this
//! task has said that it ended. So their order is the order of one program, and a replaced stream cannot deliver anything late.
//! Does not know why it was opened or what follows.

use std::{
    io,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use bytes::Bytes;
use futures::{AsyncReadExt, AsyncWriteExt, future::join, io::BufReader};
use libp2p::{Multiaddr, PeerId, Stream, swarm::ConnectionId};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{frame, queue::LinkCounters};
use crate::{
    event::{Event, RejectReason},
    inbox::Inbox,
    stats::count,
};

/// Small frames that wait are written together, up to about this many bytes.
const BATCH_BYTES: usize = 64 << 10;
/// A frame from this size on is written by itself: copying it would cost more than a second write.
const COPY_BYTES_MAX: usize = 16 << 10;
const READ_BUFFER_BYTES: usize = 16 << 10;
/// How long a shutdown waits for the last frames to go out.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);

/// Everything one link works with.
pub(crate) struct Link {
    pub(crate) peer: PeerId,
    pub(crate) address: Multiaddr,
    pub(crate) connection: ConnectionId,
    pub(crate) stream: Stream,
    pub(crate) frames: mpsc::Receiver<Bytes>,
    pub(crate) counters: Arc<LinkCounters>,
    pub(crate) inbox: Inbox,
    pub(crate) frame_bytes_max: usize,
    pub(crate) stop: oneshot::Receiver<Stop>,
    pub(crate) ended: mpsc::Sender<Ended>,
}

/// How a link is told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// At once; what is queued is lost.
    Now,
    /// After what is queued has been written.
    Drain,
}

/// The last word of a link, after its `Down`.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) peer: PeerId,
    pub(crate) connection: ConnectionId,
}

enum End {
    Closed,
    TooLarge,
    Gone,
}

impl Link {
    pub(crate) async fn run(self) {
        let Self { peer, address, connection, stream, mut frames, counters, inbox, frame_bytes_max, mut stop, ended } =
            self;
        let up = Event::Up { peer, address: address.clone() };
        if inbox.event(up).await.is_ok() {
            let (reader, mut writer) = stream.split();
            let reader = BufReader::with_capacity(READ_BUFFER_BYTES, reader);
            let end = {
                let read = read(reader, peer, frame_bytes_max, &counters, &inbox);
                let write = write(&mut writer, &mut frames, &counters);
                tokio::pin!(read, write);
                tokio::select! {
                    // An order comes before the end of the queue, which it may also have caused.
                    biased;
                    order = &mut stop => {
                        if order == Ok(Stop::Drain) {
                            // The senders are gone by now, so the writer ends with the last frame; and the peer ends its side
                            // when it has read that. To close earlier could make TCP throw away what is still under way.
                            let _ = timeout(DRAIN_TIMEOUT, join(write, read)).await;
                        }
                        End::Closed
                    }
                    end = &mut read => end,
                    result = &mut write => {
                        // The queue ended a moment after the order was looked for: it is there by now.
                        if result.is_ok() && (&mut stop).await == Ok(Stop::Drain) {
                            let _ = timeout(DRAIN_TIMEOUT, read).await;
                        }
                        End::Closed
                    }
                }
            };
            // Senders notice at once instead of filling a queue that nobody reads.
            frames.close();
            drop(writer);
            if matches!(end, End::TooLarge) {
                let _ = inbox.event(Event::Rejected { address, reason: RejectReason::FrameTooLarge }).await;
            }
            if !matches!(end, End::Gone) {
                let _ = inbox.event(Event::Down { peer }).await;
            }
        }
        let _ = ended.send(Ended { peer, connection }).await;
    }
}

async fn read<R>(mut reader: R, peer: PeerId, frame_bytes_max: usize, counters: &LinkCounters, inbox: &Inbox) -> End
where
    R: futures::AsyncRead + Unpin,
{
    loop {
        let length = match frame::read_length(&mut reader).await {
            Ok(Some(length)) => length,
            Ok(None) => return End::Closed,
            Err(error) => {
                tracing::debug!(%peer, %error, "link broke");
                return End::Closed;
            }
        };
        if length > frame_bytes_max {
            tracing::warn!(%peer, length, frame_bytes_max, "frame too large, link closed");
            return End::TooLarge;
        }
        let Ok(room) = inbox.room(length).await else {
            return End::Gone;
        };
        let body = match frame::read_body(&mut reader, length).await {
            Ok(body) => body,
            Err(error) => {
                tracing::debug!(%peer, %error, "link broke inside a frame");
                return End::Closed;
            }
        };
        count(&counters.frames_in);
        counters.bytes_in.fetch_add(length as u64, Relaxed);
        if inbox.frame(peer, body, room).await.is_err() {
            return End::Gone;
        }
    }
}

/// Writes until the senders are gone or the stream breaks. While one write is in flight the queue grows; the next takes it all.
async fn write<W>(writer: &mut W, frames: &mut mpsc::Receiver<Bytes>, counters: &LinkCounters) -> io::Result<()>
where
    W: futures::AsyncWrite + Unpin,
{
    let mut batch = Vec::with_capacity(1024);
    while let Some(first) = frames.recv().await {
        let mut next = Some(first);
        let mut written = 0;
        while let Some(frame) = next.take() {
            written += frame.len();
            frame::put_header(&mut batch, frame.len());
            if frame.len() >= COPY_BYTES_MAX {
                writer.write_all(&batch).await?;
                batch.clear();
                writer.write_all(&frame).await?;
            } else {
                batch.extend_from_slice(&frame);
            }
            if batch.len() < BATCH_BYTES {
                next = frames.try_recv().ok();
            }
        }
        writer.write_all(&batch).await?;
        batch.clear();
        counters.queued.fetch_sub(written, Relaxed);
        if frames.is_empty() {
            writer.flush().await?;
        }
    }
    writer.flush().await?;
    writer.close().await
}
