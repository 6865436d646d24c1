//! Reads the frames of one task, newest first, and says what of them counts.
//!
//! Knows the chain, not why someone wants to read it.

use std::collections::{BTreeMap, btree_map::Entry as Slot};

use super::{
    batch::{KEY_BYTES_MAX, TaskKey},
    error::ReadError,
    frame::{HEAD_LEN, Head, Kind, Pos, decode_head, value_is_intact},
    index::Index,
    report::{Damage, Damaged},
    segment::Files,
    store::Segments,
};

/// Read at once: most entries are smaller, so that one call fetches head and value.
const READ_BYTES: usize = 512;

/// All entries of one task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskRecord {
    /// The task.
    pub task: TaskKey,
    /// Sub keys and values, by sub key.
    pub entries: Vec<(Vec<u8>, Vec<u8>)>,
    /// What could not be read and is therefore missing above.
    pub damage: Vec<Damage>,
}

/// A task's record and what the reader saw of its chain.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) record: TaskRecord,
    /// The segment of the oldest frame.
    pub(super) oldest: u32,
    /// A head was not readable, so that older frames are out of reach until the next open.
    pub(super) broken: bool,
}

/// A frame with an intact head, and its value if that is intact too.
type Frame = (Head, Option<Vec<u8>>);

/// Reads frames through the open files.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) files: &'a mut Files,
    pub(super) segments: &'a Segments,
    pub(super) index: &'a Index,
}

impl Reader<'_> {
    /// The record of `task`, whose newest frame is at `head`.
    pub(super) fn read(&mut self, task: TaskKey, head: Pos) -> Result<Read, ReadError> {
        let mut newest: BTreeMap<Vec<u8>, Option<Vec<u8>>> = BTreeMap::new();
        let mut damage = Vec::new();
        let (mut pos, mut oldest, mut broken) = (head, head.segment, false);
        while pos != Pos::NONE {
            oldest = pos.segment;
            let frame = self.frame(pos)?.filter(|(head, _)| head.task == task);
            let Some((head, value)) = frame else {
                damage.push(Damage { segment: pos.segment, offset: pos.offset, bytes: 0, what: Damaged::Unknown });
                broken = true;
                break;
            };
            let prev = self.index.before(pos, head.prev);
            if let Slot::Vacant(slot) = newest.entry(head.key.clone()) {
                if value.is_none() {
                    damage.push(Damage {
                        segment: pos.segment,
                        offset: pos.offset,
                        bytes: head.frame_len() as u64,
                        what: Damaged::Entry { task, key: head.key.clone() },
                    });
                }
                // An intact older value would be a silent step back, so a damaged one hides it.
                slot.insert(value.filter(|_| head.kind == Kind::Put));
            }
            // Frames only point back. Whatever does not is damage that two checksums missed; it must not loop.
            if prev >= pos {
                broken = true;
                break;
            }
            pos = prev;
        }
        let entries = newest.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        Ok(Read { record: TaskRecord { task, entries, damage }, oldest, broken })
    }

    /// The frame at `pos`; `None` if its head is not intact.
    fn frame(&mut self, pos: Pos) -> Result<Option<Frame>, ReadError> {
        let Some(segment) = self.segments.get(&pos.segment) else {
            return Ok(None);
        };
        let io = |source| ReadError::Io { segment: pos.segment, source };
        let mut buffer = [0; READ_BYTES];
        let filled = self.files.read(pos.segment, &mut buffer, u64::from(pos.offset)).map_err(io)?;
        let bytes = &buffer[..filled];
        const { assert!(READ_BYTES >= HEAD_LEN + KEY_BYTES_MAX) };
        let Some(head) = decode_head(bytes, segment.salt, pos.offset) else {
            return Ok(None);
        };
        let value = match bytes.get(head.head_len()..head.frame_len()) {
            Some(value) => value.to_vec(),
            None => {
                let mut value = vec![0; head.value_len as usize];
                let from = u64::from(pos.offset) + head.head_len() as u64;
                let filled = self.files.read(pos.segment, &mut value, from).map_err(io)?;
                value.truncate(filled);
                value
            }
        };
        let intact = value_is_intact(&head, &value, segment.salt, pos.offset);
        Ok(Some((head, intact.then_some(value))))
    }
}
