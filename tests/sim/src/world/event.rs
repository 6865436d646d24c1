//! What can happen in the world, and the queue of it: ordered by time, then by when it was put there.

use crate::clock::Micros;
use crate::fault::Fault;
use crate::workload::Op;
use rc_scheduler::{DeviceRecord, Epoch, Message, TaskId};
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Something that will happen. Devices are indices; `life` and `stamp` tell it from what was meant for an earlier one.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are named for what they are")]
pub enum Event {
    /// The wake that the core asked for.
    Tick { device: usize, stamp: u64 },
    /// A flush is done.
    Flushed { device: usize, life: u32 },
    /// A record was read.
    Loaded { device: usize, life: u32, task: TaskId },
    /// A message arrives.
    Frame { from: usize, to: usize, link: u64, message: Box<Message> },
    /// The other side has closed the link.
    Fin { from: usize, to: usize, link: u64 },
    /// A link is up.
    Up { device: usize, peer: usize, link: u64 },
    /// A link that this device closed itself, or whose silence its transport noticed, is gone.
    Down { device: usize, peer: usize, link: u64 },
    /// The peer's host refuses a link.
    Refused { device: usize, peer: usize },
    /// Two devices try to open a link.
    Dial { a: usize, b: usize },
    /// The transport looks whether the link still carries anything.
    Probe { device: usize, peer: usize, link: u64 },
    /// A gossiped record arrives.
    Gossip { to: usize, record: Box<DeviceRecord> },
    /// The next stage of an attempt.
    Stage { device: usize, task: TaskId, epoch: Epoch, stamp: u64 },
    /// An attempt says how far it is.
    Progress { device: usize, task: TaskId, epoch: Epoch, stamp: u64 },
    /// The device measures itself.
    Measure { device: usize, life: u32 },
    /// A client does something.
    Client(Op),
    /// Something breaks or is mended.
    Fault(Fault),
}

impl Event {
    /// The device that must be awake for it, and what it comes from: things from one source keep their order.
    #[must_use]
    pub fn meant_for(&self) -> Option<(usize, usize)> {
        match self {
            Self::Tick { device, .. } => Some((*device, 1_000)),
            Self::Flushed { device, .. } | Self::Loaded { device, .. } => Some((*device, 1_001)),
            Self::Measure { device, .. } => Some((*device, 1_002)),
            Self::Gossip { to, .. } => Some((*to, 1_003)),
            Self::Stage { device, .. } | Self::Progress { device, .. } => Some((*device, 1_004)),
            Self::Frame { from, to, .. } | Self::Fin { from, to, .. } => Some((*to, *from)),
            Self::Up { device, peer, .. }
            | Self::Down { device, peer, .. }
            | Self::Refused { device, peer }
            | Self::Probe { device, peer, .. } => Some((*device, *peer)),
            Self::Dial { .. } | Self::Client(_) | Self::Fault(_) => None,
        }
    }
}

struct Queued {
    at: Micros,
    order: u64,
    event: Event,
}

impl PartialEq for Queued {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Queued {}
impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Queued {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

/// What will happen, the next first.
#[derive(Default)]
pub struct Queue {
    heap: BinaryHeap<Queued>,
    order: u64,
}

impl Queue {
    /// Puts an event at a time.
    pub fn push(&mut self, at: Micros, event: Event) {
        self.order += 1;
        self.heap.push(Queued { at, order: self.order, event });
    }

    /// The next event, if it is due by `until`.
    pub fn pop(&mut self, until: Micros) -> Option<(Micros, Event)> {
        if self.heap.peek()?.at > until {
            return None;
        }
        self.heap.pop().map(|queued| (queued.at, queued.event))
    }

    /// Takes out all faults, in order of time.
    pub fn take_faults(&mut self) -> Vec<(Micros, Fault)> {
        let (faults, others): (Vec<_>, Vec<_>) =
            self.heap.drain().partition(|queued| matches!(queued.event, Event::Fault(_)));
        self.heap = others.into();
        let mut faults: Vec<_> = faults
            .into_iter()
            .filter_map(|queued| match queued.event {
                Event::Fault(fault) => Some((queued.at, queued.order, fault)),
                _ => None,
            })
            .collect();
        faults.sort_by_key(|(at, order, _)| (*at, *order));
        faults.into_iter().map(|(at, _, fault)| (at, fault)).collect()
    }

    /// What disks have been asked for happens soon: by `until`, each kept in its place among the others.
    pub fn hurry_disks(&mut self, until: Micros) {
        let hurry = |mut queued: Queued| {
            if matches!(queued.event, Event::Flushed { .. } | Event::Loaded { .. }) {
                queued.at = queued.at.min(until);
            }
            queued
        };
        self.heap = self.heap.drain().map(hurry).collect();
    }

    /// Drops events that do not satisfy `keep`.
    pub fn retain(&mut self, keep: impl Fn(&Event) -> bool) {
        self.heap.retain(|queued| keep(&queued.event));
    }
}
