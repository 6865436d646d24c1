//! With one failure at a time and no split, a task with side effects never runs on two devices at once.

use super::Broken;
use crate::clock::{Micros, SECOND};
use crate::oracle::Started;
use crate::world::{Stage, World};
use rc_scheduler::{Epoch, Start, TaskId};
use std::collections::{BTreeMap, BTreeSet};

/// How long an attempt that must stop may take to do so.
pub const STOPS_WITHIN: Micros = SECOND / 2;

/// How long devices that a split kept apart take to find each other and to ask what they missed.
const REUNITED_WITHIN: Micros = 3 * SECOND;

/// Looks at a start.
pub fn check(world: &World, start: &Start, started: Started) -> Broken {
    if world.plan.class.may_overlap() || !start.spec.side_effects {
        return Ok(());
    }
    for (index, device) in world.devices.iter().enumerate() {
        let other = device.executor.of(start.task).find(|(epoch, run)| {
            *epoch != start.epoch && run.stage != Stage::Stopping && device.executor.asleep_since.is_none()
        });
        if let Some((epoch, run)) = other
            && !is_split(world)
        {
            return Err(format!(
                "d{} starts {} under lease {}, and d{index} runs it since {} µs under lease {epoch}",
                started.device,
                world.names.t(start.task),
                start.epoch,
                run.started
            ));
        }
    }
    Ok(())
}

/// Several cuts at once may split the devices, and one does if there are two.
fn is_split(world: &World) -> bool {
    world.net.was_split(world.now.saturating_sub(REUNITED_WITHIN))
}

/// The tasks that two devices run now, each with the leases. One that is there for longer than [`STOPS_WITHIN`] breaks the promise:
/// an attempt that slept through its loss must have been stopped by then.
#[must_use]
pub fn overlaps(world: &World) -> BTreeSet<(TaskId, Epoch, Epoch)> {
    let mut found = BTreeSet::new();
    let mut running: BTreeMap<TaskId, Epoch> = BTreeMap::new();
    if world.plan.class.may_overlap() || is_split(world) {
        return found;
    }
    for device in world.devices.iter().filter(|device| device.is_awake()) {
        for ((task, epoch), run) in &device.executor.runs {
            if run.side_effects
                && run.stage != Stage::Stopping
                && let Some(other) = running.insert(*task, *epoch)
            {
                found.insert((*task, other, *epoch));
            }
        }
    }
    found
}
