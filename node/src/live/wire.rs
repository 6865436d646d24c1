//! What is said on a stream about attempts. The one who opens it says what for: to follow one attempt, or to leave copies of several.
//! Then frames go one way, from the device that has the output. Numbers are big-endian; everything is bounded before it is read.

use super::book::{Key, LiveState};
use super::journal::{PIECE_BYTES_MAX, Piece};
use crate::handlers::Stream;
use rc_scheduler::{Epoch, TaskId};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

const FOLLOW: u8 = 1;
const COPY: u8 = 2;

/// Longest state, encoded.
const STATE_BYTES_MAX: usize = 1024;
/// Longest text of a state, bytes.
const TEXT_BYTES_MAX: usize = 256;

const ABSENT: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATE: u8 = 3;
const END: u8 = 4;
const OPEN: u8 = 5;
const ABOUT: u8 = 6;

/// What a stream is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    /// To hear what an attempt wrote from a place on; `stay`: and what it will write.
    Follow { key: Key, from: u64, stay: bool },
    /// To leave copies.
    Copy,
}

/// One thing said.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Frame {
    /// Nothing is known of it here.
    Absent,
    /// It wrote this.
    Output(Piece),
    /// How it is getting on.
    State(LiveState),
    /// It has ended, and wrote so much in all.
    End(u64),
    /// It goes on; so much was written by now.
    Open(u64),
    /// What follows is about this attempt.
    About(Key),
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn put_key(out: &mut Vec<u8>, key: Key) {
    out.extend_from_slice(&key.0.0);
    out.extend_from_slice(&key.1.0.to_be_bytes());
}

async fn key<R: AsyncRead + Unpin>(stream: &mut R) -> io::Result<Key> {
    let mut task = TaskId::default();
    stream.read_exact(&mut task.0).await?;
    Ok((task, Epoch(stream.read_u64().await?)))
}

impl Request {
    pub(super) fn encode(self) -> Vec<u8> {
        match self {
            Self::Follow { key, from, stay } => {
                let mut out = vec![FOLLOW];
                put_key(&mut out, key);
                out.extend_from_slice(&from.to_be_bytes());
                out.push(stay.into());
                out
            }
            Self::Copy => vec![COPY],
        }
    }

    pub(super) async fn read<R: AsyncRead + Unpin>(stream: &mut R) -> io::Result<Self> {
        match stream.read_u8().await? {
            FOLLOW => {
                let key = key(stream).await?;
                Ok(Self::Follow { key, from: stream.read_u64().await?, stay: stream.read_u8().await? != 0 })
            }
            COPY => Ok(Self::Copy),
            _ => Err(invalid("a request of no known kind")),
        }
    }
}

impl Frame {
    /// Appends the frame.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Absent => out.push(ABSENT),
            Self::Output(piece) => {
                out.push(if piece.stream == Stream::Stdout { STDOUT } else { STDERR });
                out.extend_from_slice(&piece.at.to_be_bytes());
                out.extend_from_slice(&piece.offset.to_be_bytes());
                put_bytes(out, &piece.bytes);
            }
            Self::State(state) => {
                let mut text = state.text.clone();
                text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
                let mut bytes = Vec::new();
                // Plain data into memory: it cannot fail.
                let _ = ciborium::into_writer(&LiveState { text, ..state.clone() }, &mut bytes);
                out.push(STATE);
                put_bytes(out, &bytes);
            }
            Self::End(at) => put_place(out, END, *at),
            Self::Open(at) => put_place(out, OPEN, *at),
            Self::About(key) => {
                out.push(ABOUT);
                put_key(out, *key);
            }
        }
    }

    /// The next frame.
    pub(super) async fn read<R: AsyncRead + Unpin>(stream: &mut R) -> io::Result<Self> {
        Ok(match stream.read_u8().await? {
            ABSENT => Self::Absent,
            kind @ (STDOUT | STDERR) => {
                let (at, offset) = (stream.read_u64().await?, stream.read_u64().await?);
                let bytes = bytes(stream, PIECE_BYTES_MAX).await?;
                let stream = if kind == STDOUT { Stream::Stdout } else { Stream::Stderr };
                Self::Output(Piece { at, stream, offset, bytes })
            }
            STATE => {
                let bytes = bytes(stream, STATE_BYTES_MAX).await?;
                let mut state: LiveState =
                    ciborium::from_reader(bytes.as_slice()).map_err(|_| invalid("a state that makes no sense"))?;
                state.percent = state.percent.map(|percent| percent.min(100));
                Self::State(state)
            }
            END => Self::End(stream.read_u64().await?),
            OPEN => Self::Open(stream.read_u64().await?),
            ABOUT => Self::About(key(stream).await?),
            _ => return Err(invalid("a frame of no known kind")),
        })
    }
}

/// Hears everything that is said on a stream about attempts: a request, and the frames after it. Only for those who throw bytes at it.
pub(crate) async fn hear<R: AsyncRead + Unpin>(stream: &mut R) -> io::Result<()> {
    let request = Request::read(stream).await?;
    assert_eq!(Request::read(&mut request.encode().as_slice()).await?, request, "a request is what it was");
    let mut journal = super::journal::Journal::default();
    loop {
        let frame = Frame::read(stream).await?;
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        let again = Frame::read(&mut bytes.as_slice()).await?;
        if let (Frame::State(again), Frame::State(frame)) = (&again, &frame) {
            assert!(frame.text.starts_with(&again.text), "a long text is cut");
        } else {
            assert_eq!(again, frame, "a frame is what it was");
        }
        if let Frame::Output(piece) = frame {
            journal.take(piece);
            journal.trim(1 << 16);
            assert!(journal.cost() <= 1 << 16, "it takes more than it may");
        }
    }
}

fn put_place(out: &mut Vec<u8>, kind: u8, at: u64) {
    out.push(kind);
    out.extend_from_slice(&at.to_be_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    // Pieces and states are far shorter than what 32 bits can say.
    out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
}

async fn bytes<R: AsyncRead + Unpin>(stream: &mut R, max: usize) -> io::Result<Vec<u8>> {
    let length = stream.read_u32().await? as usize;
    if length > max {
        return Err(invalid("longer than allowed"));
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_written_is_read_and_nonsense_is_refused() {
        let key = (TaskId([7; 16]), Epoch(9));
        for request in [Request::Follow { key, from: 3, stay: true }, Request::Copy] {
            assert_eq!(Request::read(&mut request.encode().as_slice()).await.unwrap(), request);
        }
        let state = LiveState { percent: Some(4), text: "ü".to_owned(), cpu_micros: None, memory_bytes_max: Some(1) };
        let piece = Piece { at: 1, stream: Stream::Stderr, offset: 0, bytes: b"x".to_vec() };
        let frames = [
            Frame::Absent,
            Frame::Output(piece),
            Frame::State(state),
            Frame::End(3),
            Frame::Open(4),
            Frame::About(key),
        ];
        let mut bytes = Vec::new();
        frames.iter().for_each(|frame| frame.encode(&mut bytes));
        let mut stream = bytes.as_slice();
        for frame in frames {
            assert_eq!(Frame::read(&mut stream).await.unwrap(), frame);
        }
        for bad in [&[9_u8][..], &[STDOUT], &[STATE, 0, 0, 0, 1, 0xff], &[STATE, 0xff, 0, 0, 0]] {
            assert!(Frame::read(&mut &*bad).await.is_err(), "{bad:?}");
        }
        let mut long = vec![STDOUT];
        long.extend_from_slice(&[0; 16]);
        long.extend_from_slice(&u32::MAX.to_be_bytes());
        assert!(Frame::read(&mut long.as_slice()).await.is_err());
        assert!(Request::read(&mut &[0_u8][..]).await.is_err());
    }

    #[tokio::test]
    async fn noise_is_read_to_an_error_and_taken_by_a_journal_within_bounds() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut noise = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let mut journal = crate::live::journal::Journal::default();
        let mut taken = 0;
        for _ in 0..20_000 {
            let length = noise() % 64;
            let mut bytes: Vec<u8> = (0..length).map(|_| noise() as u8).collect();
            if let Some(first) = bytes.first_mut() {
                // Nearly right is worse than nonsense.
                *first %= 8;
            }
            if let Some(length) = bytes.get_mut(17..21) {
                length[..3].fill(0);
                length[3] %= 48;
            }
            let mut stream = bytes.as_slice();
            while let Ok(frame) = Frame::read(&mut stream).await {
                if let Frame::Output(piece) = frame {
                    journal.take(piece);
                    journal.trim(1 << 16);
                    taken += 1;
                }
            }
            let _ = Request::read(&mut bytes.as_slice()).await;
        }
        assert!(taken > 0 && journal.cost() <= 1 << 16, "{taken}");
        journal.read(0, usize::MAX);
    }
}
