//! What is live, in memory: for each task where its newest frame is, for each cell its value.
//!
//! Knows no files. The frames of a task form a chain, newest first, by their `prev`; the index holds only its head:
//! 33 bytes per slot. A list of the places of all entries would take three times as much.

use std::collections::{BTreeMap, HashMap};

use super::{
    batch::TaskKey,
    frame::{Kind, Pos},
};

/// From this many frames on, a chain is looked at each time its length doubles, and rewritten if half of it is dead.
const CHAIN_CHECKED_FROM: u16 = 32;

/// Slots below which a table is not worth shrinking.
const SHRUNK_FROM: usize = 8192;

/// The chain of one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) head: Pos,
    /// Bytes of all its frames (saturating).
    pub(super) bytes: u32,
    /// How many frames (saturating).
    pub(super) frames: u16,
}

/// A cell's value and where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) value: Vec<u8>,
    pub(super) at: Pos,
    bytes: u32,
}

#[derive(Debug, Default)]
pub(super) struct Index {
    tasks: HashMap<TaskKey, Chain>,
    cells: BTreeMap<String, Cell>,
    /// Where damage took a link out of a chain: the frame at the key really follows the one at the value.
    bridges: HashMap<Pos, Pos>,
    live_bytes: u64,
    /// Chains to look at.
    long: Vec<TaskKey>,
}

impl Index {
    pub(super) fn chain(&self, task: &TaskKey) -> Option<Chain> {
        self.tasks.get(task).copied()
    }

    pub(super) fn tasks(&self) -> impl Iterator<Item = (&TaskKey, &Chain)> {
        self.tasks.iter()
    }

    pub(super) fn task_count(&self) -> usize {
        self.tasks.len()
    }

    pub(super) fn cells(&self) -> impl Iterator<Item = (&str, &Cell)> {
        self.cells.iter().map(|(name, cell)| (name.as_str(), cell))
    }

    pub(super) fn cell(&self, name: &str) -> Option<&Cell> {
        self.cells.get(name)
    }

    /// Bytes of frames that something still needs.
    pub(super) fn live_bytes(&self) -> u64 {
        self.live_bytes
    }

    /// The frame before the one at `pos`, which says `prev`.
    pub(super) fn before(&self, pos: Pos, prev: Pos) -> Pos {
        self.bridges.get(&pos).copied().unwrap_or(prev)
    }

    /// A chain that may be mostly dead.
    pub(super) fn take_long(&mut self) -> Option<TaskKey> {
        self.long.pop()
    }

    pub(super) fn has_long(&self) -> bool {
        !self.long.is_empty()
    }

    /// Follows a frame of a task at `pos`.
    pub(super) fn apply(&mut self, kind: Kind, task: TaskKey, pos: Pos, prev: Pos, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let old = self.tasks.get(&task).copied();
        if kind == Kind::Remove {
            self.forget(&task);
            return;
        }
        if prev == Pos::NONE {
            self.forget(&task);
            self.live_bytes += u64::from(bytes);
            self.tasks.insert(task, Chain { head: pos, bytes, frames: 1 });
            return;
        }
        let mut chain = old.unwrap_or(Chain { head: Pos::NONE, bytes: 0, frames: 0 });
        if chain.head != prev {
            self.bridges.insert(pos, chain.head);
        }
        self.live_bytes -= u64::from(chain.bytes);
        chain = Chain { head: pos, bytes: chain.bytes.saturating_add(bytes), frames: chain.frames.saturating_add(1) };
        self.live_bytes += u64::from(chain.bytes);
        if chain.frames >= CHAIN_CHECKED_FROM && chain.frames.is_power_of_two() {
            self.long.push(task);
        }
        self.tasks.insert(task, chain);
    }

    pub(super) fn put_cell(&mut self, name: String, value: Vec<u8>, at: Pos, bytes: usize) {
        self.delete_cell(&name);
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.live_bytes += u64::from(bytes);
        self.cells.insert(name, Cell { value, at, bytes });
    }

    pub(super) fn delete_cell(&mut self, name: &str) {
        if let Some(cell) = self.cells.remove(name) {
            self.live_bytes -= u64::from(cell.bytes);
        }
    }

    fn forget(&mut self, task: &TaskKey) {
        if let Some(chain) = self.tasks.remove(task) {
            self.live_bytes -= u64::from(chain.bytes);
            // A table never shrinks by itself, and a backlog of a million must not cost memory for ever.
            if self.tasks.capacity() > SHRUNK_FROM && self.tasks.capacity() / 8 > self.tasks.len() {
                self.tasks.shrink_to(self.tasks.len() * 2);
            }
        }
    }
}
