//! What node and worker say to each other: JSON behind a length of four bytes, both ways, one reply for each request.

use std::io;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Longest frame, in bytes: a request with its expression, or a reply with its result and what was printed, as JSON that
/// may have to escape every byte of them.
pub(super) const FRAME_BYTES_MAX: usize = 8 << 20;

/// One evaluation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) expression: String,
    pub(super) limit_ms: u64,
    pub(super) print_bytes_max: usize,
    /// Of a single value.
    pub(super) memory_bytes: usize,
}

/// How it went.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Reply {
    pub(super) value: Result<Evaluated, (Failure, String)>,
    pub(super) printed: String,
    /// Whether more was printed than is kept.
    pub(super) printed_more: bool,
    pub(super) cpu_micros: Option<u64>,
    /// Of the worker, earlier evaluations included.
    pub(super) memory_bytes: Option<u64>,
}

/// A value. `repr` only if JSON cannot say it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Evaluated {
    pub(super) result: Value,
    pub(super) repr: Option<String>,
}

/// Why there is no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Failure {
    /// The code raised an exception.
    Raised,
    /// The time was up.
    TimeUp,
    /// Too much memory, or a result too large to hand over.
    TooLarge,
    /// The interpreter failed, not the code.
    Broken,
}

/// A message with its length in front.
///
/// # Errors
/// Longer than [`FRAME_BYTES_MAX`].
pub(super) fn encode<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message)?;
    let length = frame.len() - 4;
    if length > FRAME_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "frame too long"));
    }
    let length = u32::try_from(length).map_err(io::Error::other)?;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    Ok(frame)
}

/// The length of the body that follows a header.
///
/// # Errors
/// Longer than [`FRAME_BYTES_MAX`].
pub(super) fn body_bytes(header: [u8; 4]) -> io::Result<usize> {
    let length = u32::from_be_bytes(header) as usize;
    if length > FRAME_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "frame too long"));
    }
    Ok(length)
}
