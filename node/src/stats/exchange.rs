//! Counting this device's share, for itself and for others, on an exchange of its own.
//!
//! A request: its kind ([`KIND`], one byte), a length (four bytes, big-endian), a [`ShareAsk`] in JSON. The answer: a length and a
//! [`Share`] in JSON; the stream ends without one if the device has no time for it.

use super::tally::{By, Counts};
use crate::blobs::{Network, Stream};
use crate::driver::{DriverError, WeakHandle};
use rc_scheduler::{DeviceId, EndedAsk, Span};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

/// The first byte of such an exchange.
pub(crate) const KIND: u8 = 5;
/// For counting a share; then what is counted is told.
const COUNT_TIME_MAX: Duration = Duration::from_secs(20);
/// For the whole of an exchange.
const TIME_MAX: Duration = Duration::from_secs(30);
/// Shares counted at once: the disk has other things to do.
const AT_ONCE_MAX: usize = 2;
/// Records read at a time.
const PART: usize = 128;
/// After the disk was too busy.
const BUSY_PAUSE: Duration = Duration::from_millis(20);
/// Clocks on walls differ by so much, as a rule.
const CLOCKS_DIFFER: Span = Span::from_secs(600);
/// Of an answer, bytes: two hundred types with broad histograms.
const ANSWER_BYTES_MAX: u32 = 16 << 20;
/// Of a request: a thousand devices.
const ASK_BYTES_MAX: u32 = 64 << 10;

/// A share that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ShareAsk {
    pub(super) from_wall_ms: u64,
    pub(super) to_wall_ms: u64,
    pub(super) by: By,
    /// Who is asked.
    pub(super) present: BTreeSet<DeviceId>,
}

/// What a device counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Share {
    pub(super) counts: Counts,
    /// Its time was over before it had counted all.
    pub(super) partial: bool,
}

/// Counts ended tasks. A cheap clone.
#[derive(Clone)]
pub(crate) struct Counter(Arc<Inner>);

struct Inner {
    me: DeviceId,
    network: Arc<dyn Network>,
    driver: OnceLock<WeakHandle>,
    turns: Semaphore,
}

impl std::fmt::Debug for Counter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Counter")
    }
}

impl Counter {
    pub(crate) fn new(me: DeviceId, network: Arc<dyn Network>) -> Self {
        Self(Arc::new(Inner { me, network, driver: OnceLock::new(), turns: Semaphore::new(AT_ONCE_MAX) }))
    }

    /// Whom to ask for records; until then nothing is counted.
    pub(crate) fn ask(&self, driver: WeakHandle) {
        // Once, by whoever starts the node.
        let _ = self.0.driver.set(driver);
    }

    pub(super) fn me(&self) -> DeviceId {
        self.0.me
    }

    pub(super) async fn share_of(&self, device: DeviceId, ask: &ShareAsk) -> Result<Share, DriverError> {
        if device == self.0.me {
            return self.share(ask).await;
        }
        let exchange = async {
            let mut stream = self.0.network.open(device).await?;
            stream.write_u8(KIND).await?;
            send(&mut *stream, ask).await?;
            receive(&mut *stream, ANSWER_BYTES_MAX).await
        };
        let answer: io::Result<Share> = timeout(TIME_MAX, exchange).await.unwrap_or_else(|late| Err(late.into()));
        answer.map_err(|_| DriverError::Unknown(vec![device]))
    }

    /// This device's share.
    async fn share(&self, ask: &ShareAsk) -> Result<Share, DriverError> {
        let driver = self.0.driver.get().ok_or(DriverError::Stopping)?;
        let _turn = self.0.turns.acquire().await.map_err(|_| DriverError::Stopping)?;
        let period = Span::from_ms(ask.to_wall_ms.saturating_sub(ask.from_wall_ms));
        let within = Span(period.0.saturating_add(CLOCKS_DIFFER.0));
        let mut next = EndedAsk { before: None, within, present: ask.present.clone(), limit: PART };
        let mut share = Share::default();
        let until = Instant::now() + COUNT_TIME_MAX;
        loop {
            match driver.ended(next.clone()).await {
                Ok(part) => {
                    for row in &part.rows {
                        share.counts.add(row, ask.by, ask.from_wall_ms, ask.to_wall_ms);
                    }
                    if part.next.is_none() {
                        return Ok(share);
                    }
                    next.before = part.next;
                }
                Err(DriverError::Busy) => sleep(BUSY_PAUSE).await,
                Err(error) => return Err(error),
            }
            if Instant::now() >= until {
                share.partial = true;
                return Ok(share);
            }
        }
    }

    /// Answers one request of a member, whose kind was read.
    pub(crate) async fn serve(self, peer: DeviceId, mut stream: Box<dyn Stream>) {
        let answered = timeout(TIME_MAX, async {
            let ask: ShareAsk = receive(&mut *stream, ASK_BYTES_MAX).await?;
            let share = self.share(&ask).await.map_err(io::Error::other)?;
            send(&mut *stream, &share).await
        });
        if let Ok(Err(error)) = answered.await {
            tracing::debug!(%peer, %error, "counting for another device broke off");
        }
    }
}

async fn send(stream: &mut dyn Stream, what: &impl Serialize) -> io::Result<()> {
    let bytes = serde_json::to_vec(what)?;
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    stream.write_u32(length).await?;
    stream.write_all(&bytes).await?;
    stream.flush().await
}

/// Hears a request for a share, and a share, which is added to another as in a sum. Only for those who throw bytes at it.
pub(crate) async fn hear<R: AsyncRead + Unpin>(stream: &mut R) -> io::Result<()> {
    let ask: ShareAsk = receive(stream, ASK_BYTES_MAX).await?;
    let again: ShareAsk = serde_json::from_slice(&serde_json::to_vec(&ask)?)?;
    assert_eq!(again, ask, "a request is what it was");
    let share: Share = receive(stream, ANSWER_BYTES_MAX).await?;
    let mut sum = share.counts.clone();
    sum.merge(&share.counts);
    Ok(())
}

async fn receive<T: for<'de> Deserialize<'de>, R: AsyncRead + Unpin + ?Sized>(
    stream: &mut R,
    bytes_max: u32,
) -> io::Result<T> {
    let length = stream.read_u32().await?;
    if length > bytes_max {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "too long"));
    }
    // Room is made as the bytes come: a length is easily said.
    let mut bytes = Vec::new();
    stream.take(u64::from(length)).read_to_end(&mut bytes).await?;
    Ok(serde_json::from_slice(&bytes)?)
}
