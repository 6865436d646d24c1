//! What node and worker say to each other, both ways, one reply for each request, and before it as many parts as there are: a head, which is a message in JSON, and a tail,
//! which is bytes as they are (a module, what a program wrote). Their lengths stand in front, and a flag with which a worker says
//! that it should not be asked again.

use std::io::{self, Read};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Longest head, in bytes: a message with its texts, as JSON that may have to escape every byte of them.
const HEAD_BYTES_MAX: usize = 16 << 20;

/// Longest tail, in bytes.
const TAIL_BYTES_MAX: usize = 64 << 20;

/// The flags; none is 0.
const SPOILT: u8 = 1;
const PART: u8 = 2;

/// A flag, and two lengths.
const PREFIX_BYTES: usize = 9;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::handlers) struct Frame {
    head: Vec<u8>,
    pub(in crate::handlers) tail: Vec<u8>,
    /// Of a reply: the worker is not to be used again.
    pub(in crate::handlers) spoilt: bool,
    /// It is said while the worker still works on its reply; it has no head.
    pub(super) part: bool,
}

struct Prefix {
    flag: u8,
    head: usize,
    tail: usize,
}

impl Frame {
    /// # Errors
    /// Longer than the bounds.
    pub(in crate::handlers) fn new<T: Serialize>(head: &T, tail: Vec<u8>) -> io::Result<Self> {
        let head = serde_json::to_vec(head)?;
        check(head.len(), tail.len())?;
        Ok(Self { head, tail, spoilt: false, part: false })
    }

    /// Something that comes before a reply.
    ///
    /// # Errors
    /// Longer than the bounds.
    pub(super) fn part(tail: Vec<u8>) -> io::Result<Self> {
        check(0, tail.len())?;
        Ok(Self { head: Vec::new(), tail, spoilt: false, part: true })
    }

    /// # Errors
    /// The head is no such message.
    pub(in crate::handlers) fn message<T: DeserializeOwned>(&self) -> io::Result<T> {
        Ok(serde_json::from_slice(&self.head)?)
    }

    /// As it is written, in one piece: the other side wakes up once.
    pub(super) fn to_bytes(&self) -> io::Result<Vec<u8>> {
        check(self.head.len(), self.tail.len())?;
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).map(u32::to_be_bytes).map_err(io::Error::other);
        let mut out = Vec::with_capacity(PREFIX_BYTES + self.head.len() + self.tail.len());
        out.push(if self.part { PART } else { u8::from(self.spoilt) });
        out.extend_from_slice(&length(&self.head)?);
        out.extend_from_slice(&length(&self.tail)?);
        out.extend_from_slice(&self.head);
        out.extend_from_slice(&self.tail);
        Ok(out)
    }

    /// Reads a frame. Memory grows with what arrives, not with what was announced.
    ///
    /// # Errors
    /// The other side is gone, or what it says is no frame.
    pub(super) async fn read_async(input: &mut (impl AsyncRead + Unpin)) -> io::Result<Self> {
        let mut prefix = [0; PREFIX_BYTES];
        input.read_exact(&mut prefix).await?;
        let prefix = Prefix::parse(prefix)?;
        let mut bytes = Vec::new();
        input.take((prefix.head + prefix.tail) as u64).read_to_end(&mut bytes).await?;
        prefix.frame(bytes)
    }

    /// The same for the worker; `None` at the end of the input.
    ///
    /// # Errors
    /// As above.
    pub(super) fn read(input: &mut impl Read) -> io::Result<Option<Self>> {
        let mut prefix = [0; PREFIX_BYTES];
        match input.read_exact(&mut prefix) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        let prefix = Prefix::parse(prefix)?;
        let mut bytes = Vec::new();
        input.take((prefix.head + prefix.tail) as u64).read_to_end(&mut bytes)?;
        prefix.frame(bytes).map(Some)
    }
}

impl Prefix {
    fn parse(bytes: [u8; PREFIX_BYTES]) -> io::Result<Self> {
        let [flag, h0, h1, h2, h3, t0, t1, t2, t3] = bytes;
        if flag > PART {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "unknown flag"));
        }
        let head = u32::from_be_bytes([h0, h1, h2, h3]) as usize;
        let tail = u32::from_be_bytes([t0, t1, t2, t3]) as usize;
        check(head, tail)?;
        Ok(Self { flag, head, tail })
    }

    fn frame(self, mut head: Vec<u8>) -> io::Result<Frame> {
        if head.len() != self.head + self.tail {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let tail = head.split_off(self.head);
        Ok(Frame { head, tail, spoilt: self.flag == SPOILT, part: self.flag == PART })
    }
}

fn check(head: usize, tail: usize) -> io::Result<()> {
    let fits = head <= HEAD_BYTES_MAX && tail <= TAIL_BYTES_MAX;
    fits.then_some(()).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "frame too long"))
}

/// Reads frames, and their heads as JSON. Only for those who throw bytes at it.
pub(crate) fn hear(mut bytes: &[u8]) {
    while let Ok(Some(frame)) = Frame::read(&mut bytes) {
        drop(frame.message::<serde_json::Value>());
        // What was read can be written, and is then the same.
        let again = frame.to_bytes().ok().and_then(|bytes| Frame::read(&mut &bytes[..]).ok()?);
        assert_eq!(again, Some(frame), "a frame is what it was");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_frame_arrives_as_it_was_sent_and_a_torn_or_absurd_one_does_not() {
        let sent = Frame { spoilt: true, ..Frame::new(&"head", vec![0, 1, 2]).unwrap() };
        let bytes = sent.to_bytes().unwrap();
        assert_eq!(Frame::read_async(&mut &bytes[..]).await.unwrap(), sent);
        assert_eq!(Frame::read(&mut &bytes[..]).unwrap().unwrap(), sent);
        assert_eq!(sent.message::<String>().unwrap(), "head");
        assert!(sent.message::<u8>().is_err());
        let part = Frame::part(b"ab".to_vec()).unwrap();
        assert_eq!(Frame::read_async(&mut &part.to_bytes().unwrap()[..]).await.unwrap(), part);
        assert_eq!(Frame::read(&mut &[][..]).unwrap(), None);
        for cut in 1..bytes.len() {
            assert!(Frame::read_async(&mut &bytes[..cut]).await.is_err(), "{cut}");
        }
        let hostile: [[u8; PREFIX_BYTES]; 3] =
            [[3, 0, 0, 0, 0, 0, 0, 0, 0], [0, 255, 255, 255, 255, 0, 0, 0, 0], [0, 0, 0, 0, 0, 255, 255, 255, 255]];
        for prefix in hostile {
            let error = Frame::read_async(&mut &prefix[..]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
    }
}
