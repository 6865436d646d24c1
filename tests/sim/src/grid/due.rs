//! What happens next, in order.

use super::Micros;
use rc_scheduler::{DeviceRecord, Epoch, Message, TaskId};
use std::cmp::Ordering;
use std::sync::Arc;

pub(super) enum Happens {
    Tick(u64),
    Persisted(u64),
    Loaded(TaskId),
    Frame(usize, Box<Message>),
    Up(usize),
    Gossip(Arc<DeviceRecord>),
    /// An attempt says that it runs.
    Started(TaskId, Epoch),
    /// An attempt comes to its end by itself.
    End(TaskId, Epoch),
    /// An attempt that was told to stop has let go.
    Stopped(TaskId, Epoch),
}

/// Something that happens to a device; of two at the same time the one that was put first is first.
pub(super) struct Due {
    pub(super) at: Micros,
    pub(super) number: u64,
    pub(super) device: usize,
    pub(super) happens: Happens,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        // The greatest of a heap comes out first.
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}
