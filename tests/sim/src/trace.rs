//! What happened, twice: as a hash that tells whether two runs were the same, always; and as lines to read, when asked for.

use crate::clock::{Micros, SECOND};
use std::collections::VecDeque;

/// Lines kept of a run that is traced in memory.
const TAIL_LINES_MAX: usize = 400;

/// Where the readable lines go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Detail {
    /// Nowhere.
    #[default]
    Hash,
    /// Kept, the last of them.
    Tail,
    /// Printed at once.
    Print,
}

/// The trace of a run.
#[derive(Debug)]
pub struct Trace {
    hash: u64,
    detail: Detail,
    filter: Option<String>,
    tail: VecDeque<String>,
}

impl Trace {
    /// An empty trace; with `filter`, only lines that contain it are kept or printed.
    #[must_use]
    pub fn new(detail: Detail, filter: Option<String>) -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, detail, filter, tail: VecDeque::new() }
    }

    /// FNV-1a, a word at a time.
    pub fn word(&mut self, word: u64) {
        self.hash = (self.hash ^ word).wrapping_mul(0x0000_0100_0000_01b3);
        self.hash ^= self.hash >> 29;
    }

    /// Equal for equal runs.
    #[must_use]
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// Somebody will read it.
    #[must_use]
    pub fn is_read(&self) -> bool {
        self.detail != Detail::Hash
    }

    /// Adds a line; `text` is only called when somebody reads it.
    pub fn line(&mut self, at: Micros, text: impl FnOnce() -> String) {
        if self.detail == Detail::Hash {
            return;
        }
        let line = format!("{:>4}.{:06} {}", at / SECOND, at % SECOND, text());
        if self.filter.as_ref().is_some_and(|part| !line.contains(part.as_str())) {
            return;
        }
        if self.detail == Detail::Print {
            println!("{line}");
            return;
        }
        if self.tail.len() == TAIL_LINES_MAX {
            self.tail.pop_front();
        }
        self.tail.push_back(line);
    }

    /// The last lines.
    pub fn tail(&self) -> impl Iterator<Item = &str> {
        self.tail.iter().map(String::as_str)
    }
}
