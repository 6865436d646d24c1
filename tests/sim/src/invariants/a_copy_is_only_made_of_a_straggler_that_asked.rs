//! A second device is given a task only if the task asks for that and two at once do no harm; and only when its attempt has run for
//! long, and by the guardian that leased it.

use super::Broken;
use crate::clock::SECOND;
use crate::world::World;
use rc_scheduler::{Epoch, TaskId};

/// Looks at the lease of a copy.
pub fn check(world: &World, granter: usize, task: TaskId, epoch: Epoch) -> Broken {
    let name = || format!("d{granter} leases a copy of {} as {epoch}", world.names.t(task));
    let Some(script) = world.names.script(task).map(|script| &world.scripts[script]) else { return Ok(()) };
    if !script.spec.speculative || script.spec.side_effects || script.spec.requirements.exclusive {
        return Err(format!("{}, which nobody asked for", name()));
    }
    let first = world.oracle.first_of(task, epoch);
    if world.oracle.leases.get(&(task, first)).is_none_or(|lease| lease.device != granter) {
        return Err(format!("{}, and somebody else had leased {first}", name()));
    }
    let starts = world.oracle.starts.get(&task);
    let Some(start) = starts.and_then(|starts| starts.iter().find(|start| start.epoch == first)) else {
        return Err(format!("{}, and {first} has not begun", name()));
    };
    // Clocks run up to 1 % apart.
    let ran = world.now - start.at;
    if ran < SECOND * 97 / 100 {
        return Err(format!("{}, and {first} runs since {ran} µs", name()));
    }
    Ok(())
}
