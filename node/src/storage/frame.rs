//! The bytes on disk: segment headers and frames, encoded and checked.
//!
//! Knows nothing about files, indexes or what a record means. Everything is little-endian.
//!
//! ```text
//! segment  = header header frame* zero*        (the header twice: one flipped bit must not cost 16 MiB)
//! header   = magic[8] version:u16 0:u16 number:u32 salt:u32 0[8] crc:u32                        32 bytes
//! frame    = head_crc:u32 kind:u8 key_len:u8 value_len:u32 value_crc:u32 prev:(u32,u32) task[16] key value
//! ```
//!
//! Head and value have their own checksum: a flipped bit in a value is still named by task and key, and the next frame
//! is still found. Both are seeded with the segment's random salt and the frame's offset, so bytes of another log inside
//! a value (users may submit anything) or a block that landed in the wrong place never pass for a frame.

use super::batch::{KEY_BYTES_MAX, TaskKey, VALUE_BYTES_MAX};

/// The format this code writes. A later one keeps the 32-byte header, so that this code can name it and refuse.
pub(super) const VERSION: u16 = 1;
const MAGIC: &[u8; 8] = b"RCSTORE\n";
const HEADER_COPY_LEN: usize = 32;
/// Where the first frame of a segment starts.
pub(super) const HEADER_LEN: usize = 2 * HEADER_COPY_LEN;
/// A frame without its key and value.
pub(super) const HEAD_LEN: usize = 38;
/// The last frame of a commit carries this bit; a commit without it never finished.
const LAST: u8 = 0x80;

/// Where a frame starts. Segments count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Pos {
    pub(super) segment: u32,
    pub(super) offset: u32,
}

impl Pos {
    /// The `prev` of a frame that starts a task's chain: whatever older segments say of the task is dead.
    pub(super) const NONE: Pos = Pos { segment: 0, offset: 0 };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Put = 1,
    Delete = 2,
    Remove = 3,
    CellPut = 4,
    CellDelete = 5,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Kind> {
        Some(match byte {
            1 => Kind::Put,
            2 => Kind::Delete,
            3 => Kind::Remove,
            4 => Kind::CellPut,
            5 => Kind::CellDelete,
            _ => return None,
        })
    }
}

/// A frame's head, already checked. The value is checked apart, with [`value_is_intact`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: Kind,
    pub(super) last: bool,
    pub(super) task: TaskKey,
    pub(super) prev: Pos,
    /// A sub key, or the name of a cell.
    pub(super) key: Vec<u8>,
    pub(super) value_len: u32,
    value_crc: u32,
}

impl Head {
    /// Bytes before the value.
    pub(super) fn head_len(&self) -> usize {
        HEAD_LEN + self.key.len()
    }

    /// Bytes of the whole frame.
    pub(super) fn frame_len(&self) -> usize {
        self.head_len() + self.value_len as usize
    }
}

/// What a frame says, before it has a place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Content<'a> {
    pub(super) kind: Kind,
    pub(super) task: TaskKey,
    pub(super) key: &'a [u8],
    pub(super) value: &'a [u8],
}

impl Content<'_> {
    pub(super) fn frame_len(&self) -> usize {
        HEAD_LEN + self.key.len() + self.value.len()
    }
}

fn crc(salt: u32, offset: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(salt.wrapping_add(offset));
    hasher.update(bytes);
    hasher.finalize()
}

/// Appends one frame that will start at `offset`. Lengths were checked when the batch was built.
pub(super) fn encode(out: &mut Vec<u8>, salt: u32, offset: u32, content: &Content<'_>, prev: Pos) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.push(content.kind as u8);
    out.push(content.key.len() as u8);
    out.extend_from_slice(&(content.value.len() as u32).to_le_bytes());
    out.extend_from_slice(&crc(salt, offset, content.value).to_le_bytes());
    out.extend_from_slice(&prev.segment.to_le_bytes());
    out.extend_from_slice(&prev.offset.to_le_bytes());
    out.extend_from_slice(&content.task);
    out.extend_from_slice(content.key);
    seal_head(&mut out[start..], salt, offset);
    out.extend_from_slice(content.value);
}

fn seal_head(head: &mut [u8], salt: u32, offset: u32) {
    let sum = crc(salt, offset, &head[4..]);
    head[..4].copy_from_slice(&sum.to_le_bytes());
}

/// Marks the frame at the front of `frame`, which starts at `offset`, as the end of its commit.
pub(super) fn mark_last(frame: &mut [u8], salt: u32, offset: u32) {
    frame[4] |= LAST;
    let head_len = HEAD_LEN + frame[5] as usize;
    seal_head(&mut frame[..head_len], salt, offset);
}

/// The head at the front of `bytes`, or `None` if no intact head starts there.
pub(super) fn decode_head(bytes: &[u8], salt: u32, offset: u32) -> Option<Head> {
    let fixed: &[u8; HEAD_LEN] = bytes.first_chunk()?;
    let kind = Kind::from_byte(fixed[4] & !LAST)?;
    let key_len = fixed[5] as usize;
    let value_len = u32_at(fixed, 6);
    if key_len > KEY_BYTES_MAX || value_len as usize > VALUE_BYTES_MAX {
        return None;
    }
    let head = bytes.get(..HEAD_LEN + key_len)?;
    if crc(salt, offset, &head[4..]) != u32_at(fixed, 0) {
        return None;
    }
    let mut task = TaskKey::default();
    task.copy_from_slice(&fixed[22..]);
    Some(Head {
        kind,
        last: fixed[4] & LAST != 0,
        task,
        prev: Pos { segment: u32_at(fixed, 14), offset: u32_at(fixed, 18) },
        key: head[HEAD_LEN..].to_vec(),
        value_len,
        value_crc: u32_at(fixed, 10),
    })
}

pub(super) fn value_is_intact(head: &Head, value: &[u8], salt: u32, offset: u32) -> bool {
    value.len() == head.value_len as usize && crc(salt, offset, value) == head.value_crc
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// What the header of a segment turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// `copies` of the two are intact.
    Intact {
        number: u32,
        salt: u32,
        copies: u8,
    },
    /// Written by another version of this program.
    Version(u16),
    Damaged,
}

pub(super) fn encode_header(number: u32, salt: u32) -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    let copy = &mut header[..HEADER_COPY_LEN];
    copy[..8].copy_from_slice(MAGIC);
    copy[8..10].copy_from_slice(&VERSION.to_le_bytes());
    copy[12..16].copy_from_slice(&number.to_le_bytes());
    copy[16..20].copy_from_slice(&salt.to_le_bytes());
    let sum = crc(0, 0, &copy[..28]);
    copy[28..].copy_from_slice(&sum.to_le_bytes());
    header.copy_within(..HEADER_COPY_LEN, HEADER_COPY_LEN);
    header
}

pub(super) fn decode_header(bytes: &[u8]) -> Header {
    let mut found = Header::Damaged;
    for copy in bytes.chunks_exact(HEADER_COPY_LEN).take(2) {
        if &copy[..8] != MAGIC || crc(0, 0, &copy[..28]) != u32_at(copy, 28) {
            continue;
        }
        let version = u16::from_le_bytes([copy[8], copy[9]]);
        if version != VERSION {
            return Header::Version(version);
        }
        let copies = if matches!(found, Header::Intact { .. }) { 2 } else { 1 };
        found = Header::Intact { number: u32_at(copy, 12), salt: u32_at(copy, 16), copies };
    }
    found
}

/// Reads bytes as a header and as frames, one after the other, as far as they go. Only for those who throw bytes at it.
pub(crate) fn hear(bytes: &[u8]) {
    decode_header(bytes);
    let (mut offset, salt) = (0, 0);
    while let Some(head) = bytes.get(offset..).and_then(|rest| decode_head(rest, salt, offset as u32)) {
        let value = bytes.get(offset + head.head_len()..offset + head.frame_len()).unwrap_or_default();
        value_is_intact(&head, value, salt, offset as u32);
        offset += head.frame_len();
    }
}
