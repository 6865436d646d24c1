//! Two devices run a task at once only as an attempt and its one copy: as long as nothing is cut off, whoever else has it has let go
//! before. And a guardian makes one copy for each attempt; another only of what no device has begun.

use super::Broken;
use crate::class::Class;
use crate::oracle::Started;
use crate::world::{Stage, World};
use rc_scheduler::{Epoch, Start, TaskId};

/// Looks at the lease of a copy.
pub fn leased(world: &World, granter: usize, task: TaskId, epoch: Epoch) -> Broken {
    let all = &world.oracle.copies;
    let Some(this) = all.get(&(task, epoch)) else { return Ok(()) };
    let other = all.range((task, Epoch(0))..=(task, Epoch(u64::MAX))).find(|((_, other), copy)| {
        let of_same = copy.first == this.first
            || (copy.attempt == this.attempt
                && !world.oracle.reopens.contains(&task)
                && world.oracle.leases.get(&(task, *other)).is_some_and(|lease| lease.device == granter));
        *other != epoch && of_same && !was_handed_back(world, task, *other)
    });
    match other {
        Some(((_, other), _)) => Err(format!(
            "d{granter} leases a copy of attempt {} of {} as {epoch}, and had leased one as {other}",
            this.attempt,
            world.names.t(task)
        )),
        None => Ok(()),
    }
}

/// It was ended where it was, and had not begun.
fn was_handed_back(world: &World, task: TaskId, epoch: Epoch) -> bool {
    let open = world.oracle.open.values().any(|leases| leases.contains(&(task, epoch)));
    let began = world.oracle.starts.get(&task).is_some_and(|starts| starts.iter().any(|start| start.epoch == epoch));
    !open && !began
}

/// Looks at a start.
pub fn check(world: &World, start: &Start, started: Started) -> Broken {
    // Who is cut off goes on with what does no harm when it runs twice.
    if !world.plan.class.is_calm() && !matches!(world.plan.class, Class::CrashOne | Class::PowerOne | Class::Owners) {
        return Ok(());
    }
    let first = world.oracle.first_of(start.task, start.epoch);
    for (index, device) in world.devices.iter().enumerate() {
        let other = device.executor.of(start.task).find(|(epoch, run)| {
            *epoch != start.epoch
                && run.stage != Stage::Stopping
                && device.is_awake()
                && world.oracle.first_of(start.task, *epoch) != first
        });
        if let Some((epoch, _)) = other {
            return Err(format!(
                "d{} starts {} under lease {}, and d{index} runs it under lease {epoch}, which is none beside it",
                started.device,
                world.names.t(start.task),
                start.epoch
            ));
        }
    }
    Ok(())
}
