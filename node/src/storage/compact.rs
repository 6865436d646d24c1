//! Gives space back: copies what is live in the oldest segment to the end of the log, then removes that file.
//!
//! Always the oldest. Records die in about the order they came (retention), so the oldest segment is the one with least
//! to copy, and a removal in it has nothing older left to hide: it is simply dropped. Copies are ordinary commits, so a
//! crash at any point leaves the same records, some of them twice. Nothing is copied before more than half of the log
//! is dead, so that compaction at most doubles the bytes written.

use std::{fs, fs::File};

use super::{
    batch::TaskKey,
    error::CommitError,
    frame::{Content, Kind, Pos},
    scan::{Found, Scan},
    segment::{self, RESERVE_BYTES},
    store::{Chained, Room, Storage},
};

/// Most bytes copied in one step (one record more): about a millisecond on a slow disk.
const STEP_COPIED_BYTES: usize = 64 << 10;
/// Most bytes read in one step.
const STEP_READ_BYTES: usize = 1 << 20;

/// Where the work on the oldest segment is.
#[derive(Debug, Default)]
pub(super) struct Compaction {
    current: Option<(u32, Scan)>,
    /// The oldest segment cannot be read reliably: it stays until the next open, which finds ways around damage.
    stuck: bool,
}

impl Storage {
    /// Does one bounded step of housekeeping, with at most one sync. True if there is more to do.
    ///
    /// Call it when nothing waits to be committed; an error means what it means for a commit.
    pub fn maintain(&mut self) -> Result<bool, CommitError> {
        if self.has_failed() {
            return Ok(false);
        }
        if let Some(task) = self.index.take_long() {
            self.shorten(task)?;
            return Ok(true);
        }
        let Some(oldest) = self.worth_compacting() else {
            self.compaction.current = None;
            return Ok(false);
        };
        match self.step(oldest) {
            Err(CommitError::Full) => {
                // No room for the copies. Removals go on, and a segment that is all dead needs none.
                self.compaction.current = None;
                Ok(false)
            }
            result => result.map(|()| self.index.has_long() || self.worth_compacting().is_some()),
        }
    }

    /// The oldest segment, if enough of the log is dead.
    fn worth_compacting(&self) -> Option<u32> {
        let (oldest, _) = self.segments.first_key_value()?;
        let usage = self.usage();
        let dead = usage.bytes.saturating_sub(usage.live_bytes);
        let enough =
            if self.pressed { RESERVE_BYTES } else { usage.live_bytes + 2 * u64::from(self.options.segment_bytes) };
        let possible = *oldest != self.active.number && !self.compaction.stuck;
        (possible && dead > enough).then_some(*oldest)
    }

    fn step(&mut self, oldest: u32) -> Result<(), CommitError> {
        let mut scan = match self.compaction.current.take() {
            Some((segment, scan)) if segment == oldest => scan,
            _ => match self.scan(oldest) {
                Some(scan) => scan,
                None => return Ok(()),
            },
        };
        let mut copies = Copies::default();
        let mut read = 0;
        while copies.bytes < STEP_COPIED_BYTES && read < STEP_READ_BYTES {
            match scan.next() {
                Ok(Some(Found::Frame { offset, head, .. })) => {
                    read += head.frame_len();
                    let pos = Pos { segment: oldest, offset };
                    match head.kind {
                        Kind::Put | Kind::Delete => self.copy_task(head.task, oldest, &mut copies),
                        Kind::CellPut => self.copy_cell(&String::from_utf8_lossy(&head.key), pos, &mut copies),
                        Kind::Remove | Kind::CellDelete => {}
                    }
                }
                Ok(Some(Found::Gap { bytes, .. })) => read += bytes as usize,
                Ok(None) => {
                    self.write(&copies.contents(), Room::Reserve, Chained::Anew)?;
                    if !self.compaction.stuck {
                        self.remove_segment(oldest);
                    }
                    return Ok(());
                }
                Err(_) => {
                    self.compaction.stuck = true;
                    return Ok(());
                }
            }
            if self.compaction.stuck {
                return Ok(());
            }
        }
        self.write(&copies.contents(), Room::Reserve, Chained::Anew)?;
        self.compaction.current = Some((oldest, scan));
        Ok(())
    }

    fn scan(&mut self, segment: u32) -> Option<Scan> {
        let salt = self.segments.get(&segment)?.salt;
        let scan = File::open(segment::path(&self.dir, segment)).and_then(|file| Scan::new(file, salt));
        self.compaction.stuck = scan.is_err();
        scan.ok()
    }

    /// A task that still has frames in the oldest segment moves as a whole: its new chain needs nothing older.
    fn copy_task(&mut self, task: TaskKey, oldest: u32, copies: &mut Copies) {
        let Some(chain) = self.index.chain(&task) else {
            return;
        };
        if copies.tasks.last().is_some_and(|copied| *copied == task) || copies.tasks.contains(&task) {
            return;
        }
        match self.reader().read(task, chain.head) {
            Ok(read) if read.broken => self.compaction.stuck = true,
            Ok(read) if read.oldest == oldest => copies.add_task(task, read.record.entries),
            Ok(_) => {}
            Err(_) => self.compaction.stuck = true,
        }
    }

    fn copy_cell(&mut self, name: &str, pos: Pos, copies: &mut Copies) {
        if let Some(cell) = self.index.cell(name).filter(|cell| cell.at == pos) {
            copies.bytes += cell.value.len();
            copies.items.push(Item {
                kind: Kind::CellPut,
                task: TaskKey::default(),
                key: name.as_bytes().to_vec(),
                value: cell.value.clone(),
            });
        }
    }

    /// Everything in it is elsewhere, on disk.
    fn remove_segment(&mut self, number: u32) {
        self.files.close(number);
        if fs::remove_file(segment::path(&self.dir, number)).is_err() {
            self.compaction.stuck = true;
            return;
        }
        // If the removal is lost in a crash, the segment is removed once more.
        let _ = segment::sync_dir(&self.dir);
        self.segments.remove(&number);
    }

    /// Rewrites a task whose chain is mostly dead, so that one key written for ever does not grow for ever.
    fn shorten(&mut self, task: TaskKey) -> Result<(), CommitError> {
        let Some(chain) = self.index.chain(&task) else {
            return Ok(());
        };
        let Ok(read) = self.reader().read(task, chain.head) else {
            return Ok(());
        };
        if read.broken || read.record.entries.len() * 2 > usize::from(chain.frames) {
            return Ok(());
        }
        let mut copies = Copies::default();
        copies.add_task(task, read.record.entries);
        match self.write(&copies.contents(), Room::Reserve, Chained::Anew) {
            // Nothing is lost by not doing it.
            Err(CommitError::Full) => Ok(()),
            result => result,
        }
    }
}

#[derive(Debug)]
struct Item {
    kind: Kind,
    task: TaskKey,
    key: Vec<u8>,
    value: Vec<u8>,
}

/// What one step writes.
#[derive(Debug, Default)]
struct Copies {
    items: Vec<Item>,
    tasks: Vec<TaskKey>,
    bytes: usize,
}

impl Copies {
    fn add_task(&mut self, task: TaskKey, entries: Vec<(Vec<u8>, Vec<u8>)>) {
        self.tasks.push(task);
        if entries.is_empty() {
            self.items.push(Item { kind: Kind::Remove, task, key: Vec::new(), value: Vec::new() });
        }
        for (key, value) in entries {
            self.bytes += key.len() + value.len();
            self.items.push(Item { kind: Kind::Put, task, key, value });
        }
    }

    fn contents(&self) -> Vec<Content<'_>> {
        self.items
            .iter()
            .map(|Item { kind, task, key, value }| Content { kind: *kind, task: *task, key, value })
            .collect()
    }
}
