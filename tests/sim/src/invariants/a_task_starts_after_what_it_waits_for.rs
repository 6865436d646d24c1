//! An attempt is started only when everything that its task waits for has completed, and it is given the results of what it uses.

use super::Broken;
use crate::oracle::Started;
use crate::world::World;
use rc_scheduler::{Start, TaskId, Verdict};

/// Looks at a start.
pub fn check(world: &World, start: &Start, started: Started) -> Broken {
    let name = || format!("d{} starts {}", started.device, world.names.t(start.task));
    let results = |dep: &TaskId| {
        let settled = world.oracle.settlements.get(dep).into_iter().flatten();
        settled.filter_map(|(settled, _)| match settled.verdict {
            Verdict::Result(epoch) => Some(epoch),
            _ => None,
        })
    };
    if let Some(dep) = start.spec.after.iter().find(|dep| results(dep).next().is_none()) {
        return Err(format!("{}, and {} has no result", name(), world.names.t(*dep)));
    }
    let used: Vec<TaskId> = start.spec.uses.iter().map(|place| start.spec.after[*place as usize]).collect();
    let given: Vec<TaskId> = start.inputs.iter().map(|(dep, _)| *dep).collect();
    if used != given {
        return Err(format!("{} with {} results of {}", name(), given.len(), used.len()));
    }
    for (dep, body) in &start.inputs {
        let text = String::from_utf8_lossy(body);
        if !results(dep).any(|epoch| text.ends_with(&format!("\"epoch\":\"{epoch}\"}}"))) {
            return Err(format!("{} with {text:?} as the result of {}", name(), world.names.t(*dep)));
        }
    }
    Ok(())
}
