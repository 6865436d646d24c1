//! A device runs no more attempts than it has slots, those that are being stopped included, and an exclusive one alone.

use super::Broken;
use crate::world::World;

/// Looks at one device.
pub fn check(world: &World, device: usize) -> Broken {
    let it = &world.devices[device];
    let runs = &it.executor.runs;
    let slots = it.capacity.max_concurrent_tasks as usize;
    let names =
        || runs.keys().map(|(task, epoch)| format!("{}({epoch})", world.names.t(*task))).collect::<Vec<_>>().join(" ");
    if runs.len() > slots {
        return Err(format!("d{device} has {slots} slots and runs {}", names()));
    }
    if runs.len() > 1 && runs.values().any(|run| run.exclusive) {
        return Err(format!("d{device} runs an exclusive task among {}", names()));
    }
    Ok(())
}
