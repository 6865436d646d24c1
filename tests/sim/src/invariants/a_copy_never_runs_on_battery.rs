//! A copy is a luxury: it is not started where power may come from a battery, and is stopped when that begins.

use super::Broken;
use crate::oracle::Started;
use crate::world::{Stage, World};
use rc_scheduler::Start;

/// Looks at a start.
pub fn starts(world: &World, start: &Start, started: Started) -> Broken {
    let on_battery = !world.devices[started.device].capacity.mains;
    if on_battery && world.oracle.copies.contains_key(&(start.task, start.epoch)) {
        return Err(format!(
            "d{} lives off its battery, and starts a copy of {} under lease {}",
            started.device,
            world.names.t(start.task),
            start.epoch
        ));
    }
    Ok(())
}

/// Looks at all that runs now and then.
pub fn check(world: &World) -> Broken {
    for (index, device) in world.devices.iter().enumerate() {
        if !device.is_awake() || device.capacity.mains {
            continue;
        }
        let copy = |((task, epoch), run): (&(_, _), &crate::world::Run)| {
            let is_copy = run.stage != Stage::Stopping && world.oracle.copies.contains_key(&(*task, *epoch));
            is_copy.then_some((*task, *epoch))
        };
        if let Some((task, epoch)) = device.executor.runs.iter().find_map(copy) {
            let name = world.names.t(task);
            return Err(format!("d{index} lives off its battery, and runs a copy of {name} under lease {epoch}"));
        }
    }
    Ok(())
}
