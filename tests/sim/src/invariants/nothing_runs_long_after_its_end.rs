//! Whoever still runs a task that has ended, such as the slower one of an attempt and its copy, is told to stop, and does.

use super::Broken;
use crate::clock::{Micros, SECOND};
use crate::world::World;

/// Until the end has got around, and what was told to stop has stopped.
const STOPS_WITHIN: Micros = 3 * SECOND;

/// Looks at all that runs now and then, while nothing is broken.
pub fn check(world: &World) -> Broken {
    if !world.plan.class.is_calm() {
        return Ok(());
    }
    for (index, device) in world.devices.iter().enumerate() {
        for (task, epoch) in device.executor.runs.keys() {
            let ended = world.oracle.told.get(&(*task, 0)).and_then(|told| told.first());
            if ended.is_some_and(|told| world.now > told.at + STOPS_WITHIN) && !world.oracle.reopens.contains(task) {
                let name = world.names.t(*task);
                return Err(format!("{name} has ended, and d{index} runs it on under lease {epoch}"));
            }
        }
    }
    Ok(())
}
