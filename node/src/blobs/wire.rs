//! What is said on a stream between two stores. One stream is one request, which the asker makes and ends.
//!
//! A request: version, kind, hash (32 bytes), length of the blob (u64, 0 = not known), how long to wait (u32, ms). Numbers are
//! big-endian. `Get` is answered with a status, the blob's length (u64), and the list of its groups; then the asker sends numbers of
//! groups (u32), as many ahead as it likes, and gets each as length (u32) and bytes, in that order. `Hold` asks the peer to fetch the
//! blob, from the asker first, and is answered with a status when it is on the peer's disk, or cannot be.

use super::tree;
use rc_scheduler::{BlobHash, BlobRef};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

const VERSION: u8 = 1;
const GET: u8 = 1;
const HOLD: u8 = 2;
/// Instead of a group's length: it cannot be read any more.
const GONE: u32 = u32::MAX;

/// What an asker wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    /// The blob, group by group.
    Get {
        /// Which.
        hash: BlobHash,
    },
    /// That the peer has it on its disk, too.
    Hold {
        /// Which.
        blob: BlobRef,
        /// For at most so long.
        wait: Duration,
    },
}

/// The first word of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// It is here.
    Here,
    /// It is not here, or could not be fetched in time.
    Absent,
    /// Too many ask at once.
    Busy,
    /// There is no room for it.
    Full,
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

pub(super) async fn send_request<W: AsyncWrite + Unpin>(stream: &mut W, request: Request) -> io::Result<()> {
    let (kind, hash, bytes, wait) = match request {
        Request::Get { hash } => (GET, hash, 0, 0),
        Request::Hold { blob, wait } => {
            (HOLD, blob.hash, blob.bytes, u32::try_from(wait.as_millis()).unwrap_or(u32::MAX))
        }
    };
    let mut frame = vec![VERSION, kind];
    frame.extend_from_slice(&hash.0);
    frame.extend_from_slice(&bytes.to_be_bytes());
    frame.extend_from_slice(&wait.to_be_bytes());
    stream.write_all(&frame).await?;
    stream.flush().await
}

pub(super) async fn read_request<R: AsyncRead + Unpin>(stream: &mut R) -> io::Result<Request> {
    if stream.read_u8().await? != VERSION {
        return Err(invalid("another version of the exchange"));
    }
    let kind = stream.read_u8().await?;
    let mut hash = BlobHash([0; 32]);
    stream.read_exact(&mut hash.0).await?;
    let bytes = stream.read_u64().await?;
    let wait = Duration::from_millis(stream.read_u32().await?.into());
    match kind {
        GET => Ok(Request::Get { hash }),
        HOLD => Ok(Request::Hold { blob: BlobRef { hash, bytes }, wait }),
        _ => Err(invalid("a request of no known kind")),
    }
}

pub(super) async fn send_status<W: AsyncWrite + Unpin>(stream: &mut W, status: Status) -> io::Result<()> {
    stream.write_u8(status as u8).await?;
    stream.flush().await
}

pub(super) async fn read_status<R: AsyncRead + Unpin>(stream: &mut R) -> io::Result<Status> {
    match stream.read_u8().await? {
        0 => Ok(Status::Here),
        1 => Ok(Status::Absent),
        2 => Ok(Status::Busy),
        3 => Ok(Status::Full),
        _ => Err(invalid("a status of no known kind")),
    }
}

/// The head of an answer to `Get`, when the blob is here.
pub(super) async fn send_head<W: AsyncWrite + Unpin>(stream: &mut W, bytes: u64, list: &[u8]) -> io::Result<()> {
    stream.write_u8(Status::Here as u8).await?;
    stream.write_u64(bytes).await?;
    stream.write_all(list).await?;
    stream.flush().await
}

/// The length of the blob, as the peer says.
pub(super) async fn read_bytes<R: AsyncRead + Unpin>(stream: &mut R) -> io::Result<u64> {
    stream.read_u64().await
}

/// The list of a blob whose length was found to be bearable.
pub(super) async fn read_list<R: AsyncRead + Unpin>(stream: &mut R, bytes: u64) -> io::Result<Vec<u8>> {
    let length = tree::list_bytes(bytes);
    // Room is made as the bytes come: a length is easily said.
    let mut list = Vec::new();
    stream.take(length).read_to_end(&mut list).await?;
    if list.len() as u64 == length { Ok(list) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

pub(super) async fn ask_group<W: AsyncWrite + Unpin>(stream: &mut W, group: u64) -> io::Result<()> {
    stream.write_u32(u32::try_from(group).map_err(|_| invalid("too many groups"))?).await
}

/// Which group is asked for; `None` at the end.
pub(super) async fn read_ask<R: AsyncRead + Unpin>(stream: &mut R) -> io::Result<Option<u64>> {
    match stream.read_u32().await {
        Ok(group) => Ok(Some(group.into())),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// `None`: it cannot be read any more.
pub(super) async fn send_group<W: AsyncWrite + Unpin>(stream: &mut W, data: Option<&[u8]>) -> io::Result<()> {
    match data {
        // A group is far shorter than what 32 bits can say.
        Some(data) => {
            stream.write_u32(data.len() as u32).await?;
            stream.write_all(data).await?;
        }
        None => stream.write_u32(GONE).await?,
    }
    stream.flush().await
}

/// `None`: the peer cannot read it any more. Anything but `bytes` bytes is an error.
pub(super) async fn read_group<R: AsyncRead + Unpin>(stream: &mut R, bytes: usize) -> io::Result<Option<Vec<u8>>> {
    let length = stream.read_u32().await?;
    if length == GONE {
        return Ok(None);
    }
    if length as usize != bytes {
        return Err(invalid("a group of another length"));
    }
    let mut data = vec![0; bytes];
    stream.read_exact(&mut data).await?;
    Ok(Some(data))
}

/// Hears everything that a peer may say on a stream: a request and its groups, and the answer to one. Only for those who throw bytes at
/// it; `bytes_max` bounds a blob as its store would.
pub(crate) async fn hear<R: AsyncRead + Unpin>(stream: &mut R, bytes_max: u64) -> io::Result<()> {
    if let Request::Hold { blob, .. } = read_request(stream).await? {
        tree::Tree::read(blob, &[]);
    }
    while let Some(group) = read_ask(stream).await? {
        if group > u64::from(u16::MAX) {
            break;
        }
    }
    if read_status(stream).await? != Status::Here {
        return Ok(());
    }
    let bytes = read_bytes(stream).await?.min(bytes_max);
    let list = read_list(stream, bytes).await?;
    let Some(tree) = tree::Tree::read(BlobRef { hash: BlobHash([0; 32]), bytes }, &list) else { return Ok(()) };
    for group in 0..tree.groups() {
        let Some(data) = read_group(stream, tree::group_bytes(bytes, group)).await? else { return Ok(()) };
        tree.fits(group, &data);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_list_takes_the_room_of_what_came_and_not_of_what_was_announced() {
        // What is said to be so long would not fit into any memory, and is no more than an error.
        let error = read_list(&mut &[7; 100][..], u64::MAX).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        let two = u64::try_from(tree::GROUP_BYTES).unwrap() + 1;
        let length = usize::try_from(tree::list_bytes(two)).unwrap();
        let bytes = vec![7; length + 1];
        assert_eq!(read_list(&mut &bytes[..], two).await.unwrap(), bytes[1..]);
        assert!(read_list(&mut &bytes[..length - 1], two).await.is_err());
    }
}
