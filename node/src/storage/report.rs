//! What opening or reading found: the cut tail, damaged entries, each by name.
//!
//! Plain values; knows nothing about how they were found.

use std::fmt;

use super::batch::TaskKey;

/// Damage is listed up to this many times; beyond, it is only counted.
pub const DAMAGE_LISTED_MAX: usize = 256;

/// What was in a damaged place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damaged {
    /// The value of this entry; the entry is not served.
    Entry {
        /// The task.
        task: TaskKey,
        /// The sub key.
        key: Vec<u8>,
    },
    /// The value of this cell; the cell is not served.
    Cell {
        /// The name.
        name: String,
    },
    /// Not readable enough to say: entries, cells or removals are missing. A removed record may be back, a cell may
    /// have an older value.
    Unknown,
    /// One of a segment's two headers. Nothing is lost.
    HeaderCopy,
    /// Both headers: nothing in this segment can be read.
    Segment,
    /// The segment's file is not there.
    MissingSegment,
}

/// One damaged place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Number of the segment; its file is `<number>.log`.
    pub segment: u32,
    /// Where in the file, in bytes.
    pub offset: u32,
    /// How many bytes.
    pub bytes: u64,
    /// What was there.
    pub what: Damaged,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "segment {} at byte {} ({} bytes): ", self.segment, self.offset, self.bytes)?;
        match &self.what {
            Damaged::Entry { task, key } => {
                f.write_str("task ")?;
                task.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                write!(f, ", entry {}", key.escape_ascii())
            }
            Damaged::Cell { name } => write!(f, "cell {name:?}"),
            Damaged::Unknown => f.write_str("unreadable"),
            Damaged::HeaderCopy => f.write_str("one of two headers; nothing is lost"),
            Damaged::Segment => f.write_str("both headers; the whole segment is unreadable"),
            Damaged::MissingSegment => f.write_str("the file is missing"),
        }
    }
}

/// The end of the log that was cut: a commit that was never acknowledged, or whose last bytes were lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cut {
    /// Number of the segment.
    pub segment: u32,
    /// Where the log ends now, in bytes.
    pub offset: u32,
    /// Bytes removed, trailing zeros aside.
    pub bytes: u64,
    /// What of it could still be read or named (at most [`DAMAGE_LISTED_MAX`]).
    pub entries: Vec<Damaged>,
}

/// What [`Storage::open`](super::Storage::open) found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Tasks that have entries.
    pub tasks: u64,
    /// Frames read, live or not.
    pub frames: u64,
    /// Bytes of all segments.
    pub bytes: u64,
    /// Files read.
    pub segments: u32,
    /// The torn tail, if there was one.
    pub cut: Option<Cut>,
    /// Damaged places, at most [`DAMAGE_LISTED_MAX`].
    pub damage: Vec<Damage>,
    /// All damaged places.
    pub damage_count: u64,
}

impl Report {
    /// True if everything that was ever acknowledged is there.
    pub fn is_intact(&self) -> bool {
        self.cut.is_none() && self.damage_count == 0
    }

    pub(super) fn add(&mut self, damage: Damage) {
        self.damage_count += 1;
        if self.damage.len() < DAMAGE_LISTED_MAX {
            self.damage.push(damage);
        }
    }
}
