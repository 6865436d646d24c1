//! A task that is given up for the company it kept has really been in the hands of as many lives that ended, or on its way to
//! them when they did: who was silent, slept, was
//! shut down or wanted back is none of its deaths.

use super::Broken;
use crate::world::World;
use rc_scheduler::{ErrorClass, Settled, TaskId, Verdict};

/// Looks at a settlement.
pub fn check(world: &World, device: usize, task: TaskId, settled: &Settled) -> Broken {
    let Verdict::Failed { class: ErrorClass::DeviceLost, message, .. } = &settled.verdict else { return Ok(()) };
    let script = world.names.script(task).map(|script| &world.scripts[script]);
    let Some(script) = script.filter(|_| message.contains("crash_limit")) else { return Ok(()) };
    let died = world.oracle.died_with.get(&task).map_or(0, std::collections::BTreeSet::len);
    let limit = script.spec.retry.crash_limit as usize;
    if limit == 0 || died < limit {
        let name = world.names.t(task);
        return Err(format!("d{device} gives {name} up at {limit} deaths, and {died} devices died with it: {message}"));
    }
    Ok(())
}
