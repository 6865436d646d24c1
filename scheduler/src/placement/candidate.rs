//! A device as the one that places sees it: the gossiped record and what it knows beyond it.

use crate::device::DeviceRecord;

/// A device that may be given the task. One per device: with two of the same device the better one counts.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// What the device last told of itself.
    pub record: &'a DeviceRecord,
    /// Leases that the caller granted and the record does not show yet; they count as active.
    pub leased_unseen: u32,
    /// The caller hears it.
    pub reachable: bool,
    /// It gave this task back on the strength of this very record.
    pub refused: bool,
}

impl<'a> Candidate<'a> {
    /// A reachable device of which nothing is known but its record.
    #[must_use]
    pub const fn new(record: &'a DeviceRecord) -> Self {
        Self { record, leased_unseen: 0, reachable: true, refused: false }
    }

    /// Attempts that run there, with those the record does not show yet.
    #[must_use]
    pub const fn active_tasks(&self) -> u32 {
        self.record.active_tasks.saturating_add(self.leased_unseen)
    }
}
