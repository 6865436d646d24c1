//! Opening: reads every segment, rebuilds the index, cuts a torn tail and names damage.
//!
//! Knows nothing of commits to come. Only the end of the *last* segment may be cut, and only behind its last whole
//! commit; everywhere else what cannot be read is reported and the rest is still used.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use super::{
    error::OpenError,
    frame::{HEADER_LEN, Head, Header, Kind, Pos, VERSION, decode_header},
    index::Index,
    report::{Cut, DAMAGE_LISTED_MAX, Damage, Damaged, Report},
    scan::{Found, Scan},
    segment::{self, Active},
    store::{Segment, Segments},
};

/// What was found, ready to be used.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) index: Index,
    pub(super) segments: Segments,
    pub(super) active: Active,
    pub(super) report: Report,
}

fn io_error<'a>(what: &'static str, path: &'a Path) -> impl Fn(io::Error) -> OpenError + 'a {
    move |source| OpenError::Io { what, path: path.to_owned(), source }
}

/// Reads the store in `dir`, whose lock the caller holds.
pub(super) fn recover(dir: &Path) -> Result<Recovered, OpenError> {
    let numbers = list(dir)?;
    let mut headers = Vec::with_capacity(numbers.len());
    for number in &numbers {
        headers.push((*number, read_header(dir, *number)?));
    }
    // Every version is known now: from here on the store may be changed.
    let mut recovery = Recovery::default();
    recovery.note_missing(&numbers);
    let (mut last, mut next_number) = (None, 1);
    for (at, (number, header)) in headers.iter().enumerate() {
        next_number = number.saturating_add(1);
        let Some(salt) = recovery.salt_of(dir, *number, *header)? else {
            continue;
        };
        let path = segment::path(dir, *number);
        let file = File::open(&path).map_err(io_error("open", &path))?;
        let is_last = at + 1 == headers.len();
        let end = recovery.read(*number, file, salt, is_last).map_err(io_error("read", &path))?;
        recovery.segments.insert(*number, Segment { salt, bytes: end });
        last = is_last.then_some((*number, salt, end));
    }
    let active = match last {
        Some((number, salt, end)) => {
            let cut = recovery.report.cut.as_ref().map_or(0, |cut| cut.bytes);
            Active::resume(dir, number, salt, end, cut)
        }
        None => Active::create(dir, next_number),
    }
    .map_err(io_error("write to", dir))?;
    // What the last process wrote but never synced was read from memory above and must not be lost later.
    segment::sync_dir(dir).map_err(io_error("sync", dir))?;
    recovery.segments.insert(active.number, Segment { salt: active.salt, bytes: active.end });
    let Recovery { index, segments, mut report, .. } = recovery;
    report.tasks = index.task_count() as u64;
    report.segments = segments.len() as u32;
    report.bytes = segments.values().map(|segment| segment.bytes).sum();
    Ok(Recovered { index, segments, active, report })
}

fn list(dir: &Path) -> Result<Vec<u32>, OpenError> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir).map_err(io_error("list", dir))? {
        let name = entry.map_err(io_error("list", dir))?.file_name();
        numbers.extend(name.to_str().and_then(segment::number_of));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn read_header(dir: &Path, number: u32) -> Result<Header, OpenError> {
    let path = segment::path(dir, number);
    let file = File::open(&path).map_err(io_error("open", &path))?;
    let mut bytes = [0; HEADER_LEN];
    let read = segment::read_at(&file, &mut bytes, 0).map_err(io_error("read", &path))?;
    match decode_header(&bytes[..read]) {
        Header::Version(found) => Err(OpenError::Version { path, found, supported: VERSION }),
        Header::Intact { number: inside, .. } if inside != number => Ok(Header::Damaged),
        header => Ok(header),
    }
}

/// A frame that waits for the end of its commit.
#[derive(Debug)]
struct Pending {
    offset: u32,
    head: Head,
    intact: bool,
    /// Only of cells: values of entries stay on disk.
    cell: Option<Vec<u8>>,
}

#[derive(Debug, Default)]
struct Recovery {
    index: Index,
    segments: Segments,
    report: Report,
    /// Frames and gaps since the last whole commit.
    frames: Vec<Pending>,
    gaps: Vec<(u32, u64)>,
}

impl Recovery {
    /// Compaction removes the oldest first, so a number missing in between was not our doing.
    fn note_missing(&mut self, numbers: &[u32]) {
        for pair in numbers.windows(2) {
            for segment in (pair[0] + 1..pair[1]).take(DAMAGE_LISTED_MAX) {
                self.report.add(Damage { segment, offset: 0, bytes: 0, what: Damaged::MissingSegment });
            }
        }
    }

    /// The salt to read a segment with. An unreadable segment is set aside: it would block compaction for ever.
    fn salt_of(&mut self, dir: &Path, segment: u32, header: Header) -> Result<Option<u32>, OpenError> {
        let bytes = HEADER_LEN as u64;
        match header {
            Header::Intact { salt, copies: 2, .. } => Ok(Some(salt)),
            Header::Intact { salt, .. } => {
                self.report.add(Damage { segment, offset: 0, bytes, what: Damaged::HeaderCopy });
                Ok(Some(salt))
            }
            Header::Version(_) | Header::Damaged => {
                let path = segment::path(dir, segment);
                let bytes = fs::metadata(&path).map_or(bytes, |metadata| metadata.len());
                self.report.add(Damage { segment, offset: 0, bytes, what: Damaged::Segment });
                fs::rename(&path, path.with_extension("damaged")).map_err(io_error("rename", &path))?;
                Ok(None)
            }
        }
    }

    /// Reads one segment and returns where its log ends.
    fn read(&mut self, segment: u32, file: File, salt: u32, is_last: bool) -> io::Result<u64> {
        let mut scan = Scan::new(file, salt)?;
        let mut commit_end = HEADER_LEN as u64;
        let mut end = commit_end;
        while let Some(found) = scan.next()? {
            match found {
                Found::Gap { offset, bytes } => {
                    end = u64::from(offset) + bytes;
                    self.gaps.push((offset, bytes));
                }
                Found::Frame { offset, head, value } => {
                    self.report.frames += 1;
                    end = u64::from(offset) + head.frame_len() as u64;
                    let intact = value.is_some();
                    let whole = intact && head.last;
                    let cell = value.filter(|_| head.kind == Kind::CellPut);
                    self.frames.push(Pending { offset, head, intact, cell });
                    if whole {
                        self.apply(segment);
                        commit_end = end;
                    }
                }
            }
        }
        if !is_last {
            self.apply(segment);
        } else if end > commit_end {
            self.cut(segment, commit_end, end);
        }
        Ok(commit_end.max(if is_last { 0 } else { end }))
    }

    /// A whole commit: its frames count, and what is missing in it is damage.
    fn apply(&mut self, segment: u32) {
        for (offset, bytes) in self.gaps.drain(..) {
            self.report.add(Damage { segment, offset, bytes, what: Damaged::Unknown });
        }
        for Pending { offset, head, intact, cell } in self.frames.drain(..) {
            let bytes = head.frame_len();
            if !intact {
                self.report.add(Damage { segment, offset, bytes: bytes as u64, what: name(&head) });
            }
            let pos = Pos { segment, offset };
            match head.kind {
                Kind::Put | Kind::Delete | Kind::Remove => {
                    // The link of an entry with a damaged value stays, so that each read of the task names it again.
                    self.index.apply(head.kind, head.task, pos, head.prev, bytes);
                }
                Kind::CellPut | Kind::CellDelete => {
                    let name = cell_name(&head);
                    match cell {
                        Some(value) => self.index.put_cell(name, value, pos, bytes),
                        None => self.index.delete_cell(&name),
                    }
                }
            }
        }
    }

    fn cut(&mut self, segment: u32, commit_end: u64, end: u64) {
        self.gaps.clear();
        let entries = self.frames.drain(..).take(DAMAGE_LISTED_MAX).map(|frame| name(&frame.head)).collect();
        self.report.cut = Some(Cut { segment, offset: commit_end as u32, bytes: end - commit_end, entries });
    }
}

fn cell_name(head: &Head) -> String {
    String::from_utf8_lossy(&head.key).into_owned()
}

fn name(head: &Head) -> Damaged {
    match head.kind {
        Kind::Put | Kind::Delete | Kind::Remove => Damaged::Entry { task: head.task, key: head.key.clone() },
        Kind::CellPut | Kind::CellDelete => Damaged::Cell { name: cell_name(head) },
    }
}
