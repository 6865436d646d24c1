//! What a device says of a batch, whoever accepted it and whoever is away: its tasks are its tasks, an end that is counted was decided,
//! and if every member has answered, no task is missing and an end that was told and is on a disk is known. When everything is
//! up and mended, all say the same, and what is read of the tasks one by one.

use super::Broken;
use crate::clock::Micros;
use crate::oracle::{Told, status_of};
use crate::world::World;
use rc_scheduler::{Fact, FactKey, Reply, Status, TaskId};

/// What was known of a batch when somebody asked about it.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    at: Micros,
    /// By place: it was accepted, and ended so in that round, its latest, as somebody was told and some disk says.
    accepted: Vec<Option<(TaskId, Option<(u32, Status)>)>>,
}

/// Looks around before the question.
pub fn asked(world: &World, first: usize) -> Asked {
    let known = |script: usize| accepted(world, script).map(|task| (task, end(world, task)));
    let accepted = (first..=first + world.scripts[first].batch).map(known).collect();
    Asked { at: world.now, accepted }
}

/// The task of a script, if its client knows that it is accepted.
fn accepted(world: &World, script: usize) -> Option<TaskId> {
    world.tasks.get(&script).copied().filter(|task| world.oracle.accepted.contains_key(task))
}

/// The latest round of a task that any device knows of.
fn round(world: &World, task: TaskId) -> u32 {
    let of = |fact: &Fact| match fact {
        Fact::Reopened(reopened) => Some(reopened.round),
        _ => None,
    };
    let on_disk = world.devices.iter().filter_map(|device| device.disk.facts(task).filter_map(of).max());
    let cores = world.devices.iter().filter_map(|device| device.core.as_ref());
    let here = cores.filter_map(|core| core.view().record(task).map(|record| record.resolve().round));
    on_disk.chain(here).max().unwrap_or(0)
}

/// The end of its latest round that somebody was told, if some disk says that it may be.
fn end(world: &World, task: TaskId) -> Option<(u32, Status)> {
    let mut told = world.oracle.told.range((task, 0)..=(task, u32::MAX)).flat_map(|(_, told)| told);
    let is_stable = |told: &&Told| {
        let key = FactKey::Stable(told.settled.round, told.settled.term, told.settled.by);
        world.devices.iter().any(|device| device.disk.has(task, &key))
    };
    let latest = round(world, task);
    told.find(|told| told.settled.round == latest && is_stable(told)).map(|told| (latest, told.status))
}

/// Looks at an answer about the batch that begins with the script `first`. Gives it back if every member had its part in it.
pub fn check(
    world: &World,
    device: usize,
    first: usize,
    asked: &Asked,
    reply: &Reply,
) -> Result<Option<Vec<Option<Status>>>, String> {
    let say = |text: String| Err(format!("d{device}, asked at {} µs about the batch of t{first}: {text}", asked.at));
    let (found, silent) = match reply {
        Reply::Batch { found, silent } => (found, silent),
        Reply::NotFound if asked.accepted.first().is_some_and(Option::is_some) => {
            return say("no member has it".to_owned());
        }
        _ => return Ok(None),
    };
    if found.statuses.len() != world.scripts[first].batch + 1 {
        return say(format!("{} tasks", found.statuses.len()));
    }
    for (index, task) in &found.tasks {
        if world.tasks.get(&(first + *index as usize)).is_some_and(|known| known != task) {
            return say(format!("{} stands in place {index}", world.names.t(*task)));
        }
    }
    for (known, status) in asked.accepted.iter().zip(&found.statuses) {
        let Some((task, end)) = known else { continue };
        let name = world.names.t(*task);
        let ended = status.filter(|status| status.is_terminal());
        if let Some(end) = ended.filter(|end| !was_decided(world, *task, *end)) {
            return say(format!("{name} is {end}, and nobody has decided that"));
        }
        if !silent.is_empty() || world.oracle.buried.contains_key(task) {
            continue;
        }
        if status.is_none() {
            return say(format!("{name} is nowhere, and every member has answered"));
        }
        // Meanwhile somebody may have had it begin again.
        let end = end.filter(|(latest, end)| *status != Some(*end) && round(world, *task) == *latest);
        if let Some((_, end)) = end {
            return say(format!("{name} is {status:?}, and was known to be {end} before"));
        }
    }
    Ok(silent.is_empty().then(|| found.statuses.clone()))
}

fn was_decided(world: &World, task: TaskId, end: Status) -> bool {
    let decided = world.oracle.settlements.get(&task).into_iter().flatten();
    decided.map(|(settled, _)| status_of(&settled.verdict)).any(|status| status == end)
}

/// Looks at what every device said at last.
pub fn answers(world: &World) -> Broken {
    for (first, script) in world.scripts.iter().enumerate().filter(|(_, script)| !script.asks.is_empty()) {
        if accepted(world, first).is_none() {
            continue;
        }
        for device in (0..world.n()).filter(|i| world.devices[*i].core.is_some() && !world.forgetful[*i]) {
            let Some(statuses) = world.batch_reads.get(&(first, device)) else {
                return Err(format!("d{device} never had an answer of all about the batch of t{first}"));
            };
            for (index, status) in (first..=first + script.batch).zip(statuses) {
                let Some(task) = accepted(world, index) else { continue };
                let read = world.reads.get(&(task, device)).copied();
                if *status != read && !world.oracle.buried.contains_key(&task) {
                    return Err(format!("t{index} is {status:?} in its batch at d{device}, and read as {read:?}"));
                }
            }
        }
    }
    Ok(())
}
