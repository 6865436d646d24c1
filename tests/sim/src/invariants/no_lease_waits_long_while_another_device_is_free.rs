//! When nothing goes wrong, a lease that waits for its turn on a busy device goes to one that has nothing to do.

use super::Broken;
use crate::clock::{Micros, SECOND};
use crate::world::World;

/// Until it is worth moving, until the news that a device is free has gone round, and until it is asked for room.
const MOVES_WITHIN: Micros = 7 * SECOND;

/// Looks at all leases now and then.
pub fn check(world: &World) -> Broken {
    if !world.plan.class.is_calm() {
        return Ok(());
    }
    let free: Vec<_> = (0..world.n()).filter(|device| is_free(world, *device)).collect();
    if free.is_empty() {
        return Ok(());
    }
    for (holder, open) in &world.oracle.open {
        for (task, epoch) in open {
            let late = world.oracle.leases.get(&(*task, *epoch)).is_some_and(|w| world.now - w.at > MOVES_WITHIN);
            let starts = world.oracle.starts.get(task);
            let began = starts.is_some_and(|starts| starts.iter().any(|start| start.epoch == *epoch));
            if !late || began || world.oracle.cancels.contains_key(task) {
                continue;
            }
            let Some(accepted) = world.oracle.accepted.get(task) else { continue };
            let needs = &world.scripts[accepted.script].spec.requirements;
            let may = |device: usize| {
                let id = world.devices[device].id;
                let has_been = starts.is_some_and(|starts| starts.iter().any(|start| start.device == device));
                let named = needs.only_devices.is_empty() || needs.only_devices.contains(&id);
                named && !needs.exclude_devices.contains(&id) && !has_been
            };
            if let Some(device) = free.iter().copied().find(|device| may(*device)) {
                let name = world.names.t(*task);
                return Err(format!("{name} waits on d{holder} for its turn, and d{device} has nothing to do"));
            }
        }
    }
    Ok(())
}

/// It has had nothing to do for so long that everybody knows.
fn is_free(world: &World, device: usize) -> bool {
    let it = &world.devices[device];
    let rested =
        world.oracle.ends.get(&device).and_then(|ends| ends.last()).is_none_or(|at| world.now - at > MOVES_WITHIN);
    let open = world.oracle.open.get(&device).is_some_and(|open| !open.is_empty());
    it.is_awake() && it.paused.is_none() && it.joined && rested && !open && it.executor.runs.is_empty()
}
