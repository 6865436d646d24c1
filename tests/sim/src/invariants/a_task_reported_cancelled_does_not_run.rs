//! A cancel is a request until the holder has let go: while nothing is lost, nobody runs a task that is reported cancelled.

use super::Broken;
use crate::oracle::Told;
use crate::world::World;
use rc_scheduler::{Status, TaskId};

/// Looks at a reported end.
pub fn check(world: &World, task: TaskId, told: &Told) -> Broken {
    if !world.plan.class.is_calm() || told.status != Status::Cancelled || world.oracle.reopens.contains(&task) {
        return Ok(());
    }
    let runs = world.devices.iter().position(|device| device.executor.of(task).next().is_some());
    match runs {
        Some(holder) => {
            Err(format!("d{} reports {} cancelled, and d{holder} runs it", told.device, world.names.t(task)))
        }
        None => Ok(()),
    }
}
