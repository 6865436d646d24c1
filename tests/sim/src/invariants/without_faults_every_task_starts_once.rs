//! When nothing goes wrong, each task starts as often as its script has attempts, and ends as the script says; a client's keyed
//! repetition included.

use super::Broken;
use crate::workload::Script;
use crate::world::World;
use rc_scheduler::{Status, TaskId};

/// Looks at a calm run when all is settled.
pub fn check(world: &World) -> Broken {
    if !world.plan.class.is_calm() {
        return Ok(());
    }
    for (task, accepted) in &world.oracle.accepted {
        let disturbed = |task: &TaskId| world.oracle.cancels.contains_key(task) || world.oracle.reopens.contains(task);
        let script = &world.scripts[accepted.script];
        let after = &script.spec.after;
        if world.oracle.again.contains(task) && after.is_empty() {
            began_again(world, *task, script)?;
        }
        if disturbed(task) || after.iter().any(|dep| disturbed(dep) || !world.oracle.accepted.contains_key(dep)) {
            continue;
        }
        let name = world.names.t(*task);
        let starts = starts(world, *task);
        let told =
            |task: &TaskId| world.oracle.told.get(&(*task, 0)).and_then(|told| told.first()).map(|told| told.status);
        if after.iter().any(|dep| told(dep) != Some(Status::Completed)) {
            if starts != 0 || told(task) != Some(Status::Failed) {
                return Err(format!(
                    "{name} waits for one that failed, was started {starts} times and is {:?}",
                    told(task)
                ));
            }
            continue;
        }
        if starts != script.attempts() as usize && script.fails_on.is_none() {
            return Err(format!("{name} has {} attempts and was started {starts} times", script.attempts()));
        }
        let end = told(task);
        if end != Some(script.end()) {
            return Err(format!("{name} should be {} and was told as {end:?}", script.end()));
        }
    }
    Ok(())
}

/// How often it was started, copies of attempts left out.
fn starts(world: &World, task: TaskId) -> usize {
    let starts = world.oracle.starts.get(&task).into_iter().flatten();
    starts.filter(|start| !world.oracle.copies.contains_key(&(task, start.epoch))).count()
}

/// In each of its rounds it was started as often as its script has attempts, if nobody asked that it not run; and it ended so.
fn began_again(world: &World, task: TaskId, script: &Script) -> Broken {
    let last = world.oracle.told.range((task, 0)..=(task, u32::MAX)).next_back();
    let Some((round, end)) = last.and_then(|((_, round), told)| Some((*round, told.last()?.status))) else {
        return Err(format!("{} began again and has no end", world.names.t(task)));
    };
    let starts = starts(world, task);
    let most = (round as usize + 1) * script.attempts() as usize;
    if end != script.end() || (!world.oracle.cancels.contains_key(&task) && starts != most) {
        return Err(format!(
            "{} began again and should be {}: {end}, after {starts} starts",
            world.names.t(task),
            script.end()
        ));
    }
    Ok(())
}
