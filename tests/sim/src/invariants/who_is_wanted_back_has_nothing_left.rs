//! A device whose owner wants it back starts nothing; and if he wants it at once, nothing runs or waits there a few seconds later.

use super::Broken;
use crate::class::Class;
use crate::clock::{Micros, SECOND};
use crate::oracle::Started;
use crate::world::World;
use rc_scheduler::Start;

/// For attempts to stop, for disks, and for leases that were under way to come back.
const LETS_GO_WITHIN: Micros = 5 * SECOND;

/// Looks at a start.
pub fn starts(world: &World, start: &Start, started: Started) -> Broken {
    match world.devices[started.device].paused {
        Some(since) => {
            let (device, task) = (started.device, world.names.t(start.task));
            Err(format!("d{device} starts {task}, and its owner wants it back since {since} µs"))
        }
        None => Ok(()),
    }
}

/// Looks at all devices now and then.
pub fn check(world: &World) -> Broken {
    // Elsewhere attempts may be deaf, disks silent and devices asleep.
    if world.plan.class != Class::Owners {
        return Ok(());
    }
    for (index, device) in world.devices.iter().enumerate() {
        let late = device.wanted_back.is_some_and(|since| world.now - since > LETS_GO_WITHIN);
        let open = world.oracle.open.get(&index).map_or(0, |open| open.len());
        if late && (!device.executor.runs.is_empty() || open > 0) {
            let runs = device.executor.runs.len();
            return Err(format!(
                "the owner of d{index} wants it back; {runs} attempts run there, {open} leases are open"
            ));
        }
    }
    Ok(())
}
