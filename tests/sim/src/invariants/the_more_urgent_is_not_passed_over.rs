//! When nothing goes wrong, a task that waits for a device is not held up by less urgent ones of the same guardian: none of those is given
//! room that it could have had, while it waits on for longer than a question for room takes.

use super::Broken;
use crate::clock::{MS, Micros, SECOND};
use crate::workload::Script;
use crate::world::World;
use rc_scheduler::{Epoch, TaskId};

/// Two questions that are not answered, and what is late.
const ASKS_FOR: Micros = 300 * MS;
/// What has waited for so long may have become as urgent as what is more urgent by name.
const CROSSES_AFTER: Micros = 150 * SECOND;

/// Looks at a device that leases a task.
pub fn check(world: &World, granter: usize, task: TaskId, epoch: Epoch) -> Broken {
    if !world.plan.class.is_calm() || world.now > CROSSES_AFTER || world.oracle.cancels.contains_key(&task) {
        return Ok(());
    }
    let Some(accepted) = world.oracle.accepted.get(&task) else { return Ok(()) };
    let script = &world.scripts[accepted.script];
    let first = !world.oracle.leases.range((task, Epoch(0))..(task, epoch)).any(|_| true);
    let waits_for_nothing =
        script.after.is_none() && script.spec.after.is_empty() && script.spec.idempotency_key.is_none();
    if !first || !waits_for_nothing || script.device != granter || accepted.at < world.devices[granter].born {
        return Ok(());
    }
    let went_first = |at: Micros| at >= accepted.at && at + ASKS_FOR < world.now;
    for (holder, held) in &world.oracle.held {
        for (other, epoch) in held.keys() {
            let Some(lease) = world.oracle.leases.get(&(*other, *epoch)).filter(|lease| went_first(lease.at)) else {
                continue;
            };
            let less_urgent = |other: &Script| other.spec.priority < script.spec.priority;
            let is_less = world.names.script(*other).is_some_and(|other| less_urgent(&world.scripts[other]));
            if lease.device == granter && is_less && fits(world, script, *holder) {
                let (one, other) = (world.names.t(task), world.names.t(*other));
                let late = (world.now - lease.at) / MS;
                return Err(format!(
                    "d{granter} gave {other} room on d{holder}, and {one}, more urgent, waited on for {late} ms"
                ));
            }
        }
    }
    Ok(())
}

fn fits(world: &World, script: &Script, device: usize) -> bool {
    let (needs, id) = (&script.spec.requirements, world.devices[device].id);
    (needs.only_devices.is_empty() || needs.only_devices.contains(&id)) && !needs.exclude_devices.contains(&id)
}
