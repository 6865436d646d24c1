//! Frames on the wire: a length (u32, big-endian) and that many bytes. The length is checked before anything is allocated.

use std::io;

use futures::{AsyncRead, AsyncReadExt};

const HEADER_BYTES: usize = 4;

/// Appends one frame's header.
pub(super) fn put_header(buffer: &mut Vec<u8>, length: usize) {
    // Frames are bounded far below 4 GiB when they are queued.
    buffer.extend_from_slice(&(length as u32).to_be_bytes());
}

/// The next frame's length; `None` at a clean end.
pub(super) async fn read_length<R: AsyncRead + Unpin>(reader: &mut R) -> io::Result<Option<usize>> {
    let mut header = [0; HEADER_BYTES];
    let first = reader.read(&mut header).await?;
    if first == 0 {
        return Ok(None);
    }
    reader.read_exact(&mut header[first..]).await?;
    Ok(Some(u32::from_be_bytes(header) as usize))
}

/// The frame's bytes.
pub(super) async fn read_body<R: AsyncRead + Unpin>(reader: &mut R, length: usize) -> io::Result<Vec<u8>> {
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await?;
    Ok(body)
}

/// Reads frames as a link does. Only for those who throw bytes at it.
pub(crate) fn hear(bytes: &[u8]) {
    use crate::parsers::{Told, at_once};
    /// As in the limits of a link.
    const FRAME_BYTES_MAX: usize = 4 << 20;
    let mut told = Told(bytes);
    while let Ok(Some(length)) = at_once(read_length(&mut told)) {
        if length > FRAME_BYTES_MAX || at_once(read_body(&mut told, length)).is_err() {
            return;
        }
    }
}
