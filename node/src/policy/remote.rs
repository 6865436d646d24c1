//! Pausing or emptying another device of the cluster, on an exchange of its own. Authority is membership: whoever may give a device
//! work may tell it to rest. The device's own rules stay its owner's: nobody else can lift them.
//!
//! A request: its kind ([`KIND`], one byte), a length (two bytes, big-endian), a [`DeviceOrder`] in JSON. The answer: a length and JSON.

use super::keeper::{Ask, PolicyError, PolicyHandle, PolicyReport};
use crate::blobs::{Network, Stream};
use rc_scheduler::{DeviceId, Span};
use serde::{Deserialize, Serialize};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

/// The first byte of such an exchange.
pub(crate) const KIND: u8 = 3;
/// For the whole of one.
const TIME_MAX: Duration = Duration::from_secs(10);
/// The longest pause that one device may ask of another.
const PAUSE_MAX: Span = Span::from_secs(365 * 24 * 3_600);

/// What a device can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case", deny_unknown_fields)]
pub enum DeviceOrder {
    /// Give up what runs, and take nothing for so long; without a time until it is resumed.
    Pause {
        /// Milliseconds.
        ms: Option<u64>,
    },
    /// End a pause.
    Resume,
    /// Let what runs finish, and take nothing new.
    Drain,
    /// End that.
    Undrain,
}

impl DeviceOrder {
    const fn ask(self) -> Ask {
        match self {
            Self::Pause { ms: None } => Ask::Pause(None),
            Self::Pause { ms: Some(ms) } => {
                let ms = if ms < PAUSE_MAX.as_ms() { ms } else { PAUSE_MAX.as_ms() };
                Ask::Pause(Some(Span::from_ms(ms)))
            }
            Self::Resume => Ask::Resume,
            Self::Drain => Ask::Drain(true),
            Self::Undrain => Ask::Drain(false),
        }
    }
}

/// What the device answers: why it takes no work now, or why it did not do it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Blocked(Vec<(String, String)>),
    Refused(String),
}

/// An order was not carried out, or nobody knows.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OrderError {
    /// It was not sent.
    #[error("it is not connected to this device")]
    Unreachable,
    /// The conversation broke off: it may have been carried out.
    #[error("it gave no answer that makes sense ({0}); it may be of an older version")]
    Broken(String),
    /// It says no.
    #[error("{0}")]
    Refused(String),
}

/// The way to the policies of other devices.
#[derive(Clone)]
pub struct Orders(Arc<dyn Network>);

impl std::fmt::Debug for Orders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Orders")
    }
}

impl Orders {
    /// Over this network.
    #[must_use]
    pub fn new(network: Arc<dyn Network>) -> Self {
        Self(network)
    }

    /// Gives an order to a device; what keeps it from working afterwards, each as kind and words.
    ///
    /// # Errors
    /// See [`OrderError`].
    pub async fn give(&self, device: DeviceId, order: DeviceOrder) -> Result<Vec<(String, String)>, OrderError> {
        let ask = async {
            let mut stream = self.0.open(device).await.map_err(|_| OrderError::Unreachable)?;
            let broken = |error: io::Error| OrderError::Broken(error.to_string());
            stream.write_u8(KIND).await.map_err(broken)?;
            send(&mut *stream, &order).await.map_err(broken)?;
            receive(&mut *stream).await.map_err(broken)
        };
        match timeout(TIME_MAX, ask).await {
            Ok(Ok(Answer::Blocked(blocked))) => Ok(blocked),
            Ok(Ok(Answer::Refused(why))) => Err(OrderError::Refused(why)),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(OrderError::Broken("no answer in time".to_owned())),
        }
    }
}

/// Carries out an order on this device itself.
pub(crate) async fn obey(policy: &PolicyHandle, order: DeviceOrder) -> Result<PolicyReport, PolicyError> {
    policy.ask(order.ask()).await
}

/// Answers one request of a member, whose kind was read.
pub(crate) async fn serve(policy: PolicyHandle, peer: DeviceId, mut stream: Box<dyn Stream>) {
    let answered = timeout(TIME_MAX, async {
        let order: DeviceOrder = receive(&mut *stream).await?;
        tracing::info!(%peer, ?order, "ordered by another device");
        let answer = match obey(&policy, order).await {
            Ok(report) => {
                let blocked = report.reasons.iter().map(|reason| (reason.by.word().to_owned(), reason.text.clone()));
                Answer::Blocked(blocked.collect())
            }
            Err(error) => Answer::Refused(error.to_string()),
        };
        send(&mut *stream, &answer).await
    });
    if let Ok(Err(error)) = answered.await {
        tracing::debug!(%peer, %error, "an order broke off");
    }
}

async fn send(stream: &mut dyn Stream, what: &impl Serialize) -> io::Result<()> {
    let bytes = serde_json::to_vec(what)?;
    let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
    stream.write_u16(length).await?;
    stream.write_all(&bytes).await?;
    stream.flush().await
}

/// Hears an order, and an answer to one. Only for those who throw bytes at it.
pub(crate) async fn hear<R: AsyncRead + Unpin>(stream: &mut R) -> io::Result<()> {
    let order: DeviceOrder = receive(stream).await?;
    if let Ask::Pause(Some(span)) = order.ask() {
        assert!(span <= PAUSE_MAX, "a pause that never ends");
    }
    let again: DeviceOrder = serde_json::from_slice(&serde_json::to_vec(&order)?)?;
    assert_eq!(again, order, "an order is what it was");
    receive::<Answer, _>(stream).await.map(drop)
}

/// At most what two bytes can say.
async fn receive<T: for<'de> Deserialize<'de>, R: AsyncRead + Unpin + ?Sized>(stream: &mut R) -> io::Result<T> {
    let mut bytes = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut bytes).await?;
    Ok(serde_json::from_slice(&bytes)?)
}
