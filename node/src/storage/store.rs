//! The store: commits to the active segment, reads through the index.
//!
//! One thread owns it (see [`Writer`](super::Writer)). Knows nothing of what keys and values mean.

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    batch::{Batch, TaskKey},
    chain::{Reader, TaskRecord},
    compact::Compaction,
    error::{CommitError, OpenError, ReadError, is_full},
    frame::{Content, HEADER_LEN, Kind, Pos, encode, mark_last},
    index::Index,
    lock::Lock,
    options::{Options, Usage},
    recover::{Recovered, recover},
    report::Report,
    segment::{Active, Files, RESERVE_BYTES},
};

/// Kept between commits; a larger buffer is given back.
const BUFFER_KEPT_BYTES: usize = 256 << 10;

/// A segment that can be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) salt: u32,
    /// Up to the end of its log.
    pub(super) bytes: u64,
}

pub(super) type Segments = BTreeMap<u32, Segment>;

/// Who may use the space that is kept back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// New records leave the reserve alone.
    Ordinary,
    /// Removals and compaction give space back in the end.
    Reserve,
}

/// Where the first frame of a task in one write points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chained {
    /// To the task's newest frame.
    Onto,
    /// To nothing: the frames replace all that was written of the task.
    Anew,
}

/// An open store. Dropping it releases the directory.
#[derive(Debug)]
pub struct Storage {
    pub(super) dir: PathBuf,
    pub(super) options: Options,
    pub(super) index: Index,
    pub(super) segments: Segments,
    pub(super) files: Files,
    pub(super) compaction: Compaction,
    /// The last commit found the disk full.
    pub(super) pressed: bool,
    pub(super) active: Active,
    buffer: Vec<u8>,
    failed: Option<String>,
    _lock: Lock,
}

impl Storage {
    /// Opens or creates the store in `dir` and reads all of it once.
    ///
    /// What was found goes into the report. After damage, treat cells with care: an unreadable place may have held a
    /// newer value of any of them.
    pub fn open(dir: &Path, options: Options) -> Result<(Storage, Report), OpenError> {
        fs::create_dir_all(dir).map_err(|source| OpenError::Io { what: "create", path: dir.to_owned(), source })?;
        let lock = Lock::take(dir)?;
        let Recovered { index, segments, active, report } = recover(dir)?;
        let storage = Storage {
            dir: dir.to_owned(),
            options: Options { segment_bytes: options.segment_bytes.clamp(4 << 10, 256 << 20), ..options },
            index,
            segments,
            files: Files::new(dir),
            compaction: Compaction::default(),
            pressed: false,
            active,
            buffer: Vec::new(),
            failed: None,
            _lock: lock,
        };
        Ok((storage, report))
    }

    /// Makes all changes of `batch` durable with one sync, or none of them.
    pub fn commit(&mut self, batch: &Batch) -> Result<(), CommitError> {
        self.commit_all([batch])
    }

    /// As [`commit`](Self::commit), for several batches in their order: all or none, one sync.
    pub fn commit_all<'a>(&mut self, batches: impl IntoIterator<Item = &'a Batch>) -> Result<(), CommitError> {
        let mut contents: Vec<Content<'_>> = Vec::new();
        let mut room = Room::Reserve;
        for batch in batches {
            contents.extend(batch.contents());
            if !batch.only_removes() {
                room = Room::Ordinary;
            }
        }
        let result = self.write(&contents, room, Chained::Onto);
        self.pressed = matches!(result, Err(CommitError::Full)) || (self.pressed && room == Room::Reserve);
        result
    }

    /// All entries of a task; `None` if it has none.
    pub fn get_task(&mut self, task: &TaskKey) -> Result<Option<TaskRecord>, ReadError> {
        let Some(chain) = self.index.chain(task) else {
            return Ok(None);
        };
        let record = self.reader().read(*task, chain.head)?.record;
        Ok((!record.entries.is_empty() || !record.damage.is_empty()).then_some(record))
    }

    /// Every task with its entries, in the order of the disk.
    pub fn for_each_task(&mut self, mut each: impl FnMut(TaskRecord)) -> Result<(), ReadError> {
        let mut heads: Vec<(Pos, TaskKey)> = self.index.tasks().map(|(task, chain)| (chain.head, *task)).collect();
        heads.sort_unstable();
        for (head, task) in heads {
            let record = self.reader().read(task, head)?.record;
            if !record.entries.is_empty() || !record.damage.is_empty() {
                each(record);
            }
        }
        Ok(())
    }

    /// True if something is stored of the task. Does not read the disk.
    pub fn has_task(&self, task: &TaskKey) -> bool {
        self.index.chain(task).is_some()
    }

    /// All cells by name.
    pub fn cells(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.index.cells().map(|(name, cell)| (name, cell.value.as_slice()))
    }

    /// One cell.
    pub fn cell(&self, name: &str) -> Option<&[u8]> {
        self.index.cell(name).map(|cell| cell.value.as_slice())
    }

    /// How large the store is.
    pub fn usage(&self) -> Usage {
        Usage {
            tasks: self.index.task_count() as u64,
            bytes: self.segments.values().map(|segment| segment.bytes).sum(),
            live_bytes: self.index.live_bytes(),
            segments: self.segments.len() as u32,
        }
    }

    pub(super) fn reader(&mut self) -> Reader<'_> {
        Reader { files: &mut self.files, segments: &self.segments, index: &self.index }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// One durable write. The index follows only after the disk.
    pub(super) fn write(&mut self, contents: &[Content<'_>], room: Room, chained: Chained) -> Result<(), CommitError> {
        if let Some(why) = &self.failed {
            return Err(CommitError::Failed(why.clone()));
        }
        let bytes: usize = contents.iter().map(Content::frame_len).sum();
        if bytes == 0 {
            return Ok(());
        }
        self.make_room(bytes as u64, room)?;
        let places = self.encode(contents, chained);
        if self.buffer.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.active.append(&self.buffer) {
            return Err(self.roll_back(error));
        }
        for (content, place) in contents.iter().zip(places) {
            let Some((pos, prev)) = place else { continue };
            self.follow(content, pos, prev);
        }
        if let Some(segment) = self.segments.get_mut(&self.active.number) {
            segment.bytes = self.active.end;
        }
        if self.buffer.capacity() > BUFFER_KEPT_BYTES {
            self.buffer = Vec::new();
        }
        Ok(())
    }

    /// Fills the buffer. For each content its place and what is before it, or `None` if there is nothing to write.
    fn encode(&mut self, contents: &[Content<'_>], chained: Chained) -> Vec<Option<(Pos, Pos)>> {
        let Active { number: segment, salt, end, .. } = self.active;
        let mut heads: HashMap<TaskKey, Option<Pos>> = HashMap::new();
        let mut last = 0;
        self.buffer.clear();
        let mut places = Vec::with_capacity(contents.len());
        for content in contents {
            let is_cell = matches!(content.kind, Kind::CellPut | Kind::CellDelete);
            let head = if is_cell {
                None
            } else {
                *heads.entry(content.task).or_insert_with(|| match chained {
                    Chained::Onto => self.index.chain(&content.task).map(|chain| chain.head),
                    Chained::Anew => None,
                })
            };
            let takes = matches!(content.kind, Kind::Delete | Kind::Remove);
            if takes && head.is_none() && chained == Chained::Onto {
                places.push(None);
                continue;
            }
            last = self.buffer.len();
            let pos = Pos { segment, offset: (end + last as u64) as u32 };
            let prev = head.unwrap_or(Pos::NONE);
            encode(&mut self.buffer, salt, pos.offset, content, prev);
            if !is_cell {
                heads.insert(content.task, (content.kind != Kind::Remove).then_some(pos));
            }
            places.push(Some((pos, prev)));
        }
        if !self.buffer.is_empty() {
            mark_last(&mut self.buffer[last..], salt, (end + last as u64) as u32);
        }
        places
    }

    fn follow(&mut self, content: &Content<'_>, pos: Pos, prev: Pos) {
        match content.kind {
            Kind::Put | Kind::Delete | Kind::Remove => {
                self.index.apply(content.kind, content.task, pos, prev, content.frame_len());
            }
            Kind::CellPut | Kind::CellDelete => {
                let name = String::from_utf8_lossy(content.key).into_owned();
                if content.kind == Kind::CellPut {
                    self.index.put_cell(name, content.value.to_vec(), pos, content.frame_len());
                } else {
                    self.index.delete_cell(&name);
                }
            }
        }
    }

    /// Finds space for `bytes` in the active segment, or in a new one.
    fn make_room(&mut self, bytes: u64, room: Room) -> Result<(), CommitError> {
        let kept = if room == Room::Ordinary { 0 } else { RESERVE_BYTES };
        if self.usage().bytes.saturating_add(bytes) > self.options.bytes_max.saturating_add(kept) {
            return Err(CommitError::Full);
        }
        let limit = u64::from(self.options.segment_bytes);
        if self.active.end + bytes > limit && self.active.end > HEADER_LEN as u64 {
            match self.rotate() {
                Ok(()) => {}
                // The reserve is in the old segment, which may become somewhat larger than usual.
                Err(_) if room == Room::Reserve && self.active.end + bytes <= 2 * limit => {}
                Err(error) if is_full(&error) => return Err(CommitError::Full),
                Err(error) => return Err(self.fail(&error)),
            }
        }
        let reserve = if room == Room::Ordinary { RESERVE_BYTES } else { 0 };
        match self.active.allocate(self.active.end + bytes + reserve) {
            Ok(()) => Ok(()),
            // The write itself will tell.
            Err(_) if room == Room::Reserve => Ok(()),
            Err(error) if is_full(&error) => Err(CommitError::Full),
            Err(error) => Err(self.fail(&error)),
        }
    }

    fn rotate(&mut self) -> io::Result<()> {
        let number = self.active.number.checked_add(1).ok_or(io::ErrorKind::FileTooLarge)?;
        let new = Active::create(&self.dir, number)?;
        self.segments.insert(number, Segment { salt: new.salt, bytes: new.end });
        // The commits of the old one are on disk; a failure leaves zeros at its end, which the next open skips.
        let _ = std::mem::replace(&mut self.active, new).seal();
        Ok(())
    }

    /// A failed append: the log goes back to its last commit, or the store stops writing.
    fn roll_back(&mut self, error: io::Error) -> CommitError {
        if !is_full(&error) {
            // After a failed sync the kernel may have dropped the pages: nobody knows what is on disk.
            return self.fail(&error);
        }
        if let Err(error) = self.active.roll_back() {
            return self.fail(&error);
        }
        // The reserve went with it; it comes back as soon as there is room.
        let _ = self.active.allocate(self.active.end + RESERVE_BYTES);
        CommitError::Full
    }

    fn fail(&mut self, error: &io::Error) -> CommitError {
        let why = error.to_string();
        self.failed = Some(why.clone());
        CommitError::Failed(why)
    }
}
