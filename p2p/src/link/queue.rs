//! Where frames wait for one peer: bounded by number and by bytes, so that a slow peer costs its own queue and nothing else.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::{
    error::SendError,
    stats::{PeerStats, count},
};

/// The sender's end, and the counters of the link.
pub(crate) struct Queue {
    frames: mpsc::Sender<Bytes>,
    bytes_max: usize,
    pub(crate) counters: std::sync::Arc<LinkCounters>,
}

/// What went through one link.
#[derive(Debug, Default)]
pub(crate) struct LinkCounters {
    pub(crate) frames_in: AtomicU64,
    pub(crate) frames_out: AtomicU64,
    pub(crate) bytes_in: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
    pub(crate) full: AtomicU64,
    /// Bytes pushed and not yet written.
    pub(crate) queued: AtomicUsize,
}

impl Queue {
    pub(crate) fn new(frames_max: usize, bytes_max: usize) -> (Self, mpsc::Receiver<Bytes>) {
        let (frames, receiver) = mpsc::channel(frames_max.max(1));
        (Self { frames, bytes_max, counters: Default::default() }, receiver)
    }

    /// Queues the frame or leaves everything as it was.
    pub(crate) fn push(&self, frame: Bytes) -> Result<(), SendError> {
        let length = frame.len();
        let counters = &self.counters;
        // Reserved first and given back on failure: two senders cannot both take the last of the room.
        let before = counters.queued.fetch_add(length, Relaxed);
        let refused = if before.saturating_add(length) > self.bytes_max {
            Some(SendError::Full)
        } else {
            match self.frames.try_send(frame) {
                Ok(()) => None,
                Err(mpsc::error::TrySendError::Full(_)) => Some(SendError::Full),
                Err(mpsc::error::TrySendError::Closed(_)) => Some(SendError::NotConnected),
            }
        };
        if let Some(error) = refused {
            counters.queued.fetch_sub(length, Relaxed);
            if error == SendError::Full {
                count(&counters.full);
            }
            return Err(error);
        }
        count(&counters.frames_out);
        counters.bytes_out.fetch_add(length as u64, Relaxed);
        Ok(())
    }

    pub(crate) fn stats(&self) -> PeerStats {
        let counters = &self.counters;
        PeerStats {
            frames_in: counters.frames_in.load(Relaxed),
            frames_out: counters.frames_out.load(Relaxed),
            bytes_in: counters.bytes_in.load(Relaxed),
            bytes_out: counters.bytes_out.load(Relaxed),
            full: counters.full.load(Relaxed),
            queued_bytes: counters.queued.load(Relaxed) as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bounded_by_frames_and_by_bytes() {
        let (queue, mut receiver) = Queue::new(2, 10);
        assert_eq!(queue.push(Bytes::from_static(b"123456")), Ok(()));
        assert_eq!(queue.push(Bytes::from_static(b"12345")), Err(SendError::Full), "bytes");
        assert_eq!(queue.push(Bytes::from_static(b"1234")), Ok(()));
        assert_eq!(queue.push(Bytes::new()), Err(SendError::Full), "frames");
        assert_eq!(queue.stats().queued_bytes, 10, "a refused frame takes no room");
        receiver.close();
        while receiver.try_recv().is_ok() {}
        assert_eq!(queue.push(Bytes::new()), Err(SendError::NotConnected));
    }
}
