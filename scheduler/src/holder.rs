//! Running what was leased to this device, and saying how much more it can take.

mod credit;
mod give_up;
mod hand;
mod moving;
mod run;
mod share;

pub(crate) use credit::Credits;
pub(crate) use hand::Hand;

use crate::effect::StopReason;
use crate::id::{DeviceId, Epoch, Incarnation};
use crate::queue::Queue;
use crate::time::Mono;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

/// What this device keeps as a holder of leases.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holder {
    /// Leases that wait for a slot.
    pub(crate) queue: Queue,
    /// Leases in hand, waiting or running.
    pub(crate) runs: Hand,
    /// Of those, the ones that were started and have not ended.
    pub(crate) active: u32,
    /// Whether one of them is exclusive.
    pub(crate) exclusive: bool,
    /// Measurements in a row that found the processor too busy.
    pub(crate) overloaded: u8,
    /// Types lately completed here, the latest last.
    pub(crate) affinity: VecDeque<String>,
}

/// A lease in hand.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) epoch: Epoch,
    pub(crate) inc: Incarnation,
    pub(crate) by: DeviceId,
    /// It runs beside another lease of the task.
    pub(crate) is_copy: bool,
    pub(crate) phase: Phase,
    /// Who was told the latest of it.
    pub(crate) live_told: Vec<DeviceId>,
    pub(crate) started_wall_ms: Option<u64>,
    pub(crate) started: Mono,
    pub(crate) percent: Option<u8>,
    pub(crate) text: String,
}

/// Where a lease in hand stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// Waits for a slot.
    Waiting,
    /// Started.
    Running,
    /// Told to stop; its end has not come yet.
    Stopping(StopReason),
}
