//! Of several who submit tasks of the same priority and of the same length at one device, each has a turn as often as any other while
//! his tasks wait, however many the others have in line.

use super::Broken;
use crate::workload::Script;
use crate::world::World;
use rc_scheduler::TaskId;
use std::collections::BTreeMap;

/// Turns in a row that another one may have: two by the clocks, and some when a line waits for an answer and the other one has found room.
pub const IN_A_ROW_MAX: u32 = 6;

/// Of a guardian's life: whom it has given how many leases since one who waits has had none. By the one who waits, then the other.
pub type Passed = BTreeMap<(usize, u32), BTreeMap<(String, String), u32>>;

/// Looks at a device that leases a task.
pub fn check(world: &mut World, granter: usize, task: TaskId) -> Broken {
    let Some(script) = world.names.script(task).map(|script| &world.scripts[script]) else { return Ok(()) };
    let (Some(served), priority) = (script.spec.submitter.clone(), script.spec.priority) else { return Ok(()) };
    let rivals = |script: &&Script| {
        script.device == granter
            && script.spec.priority == priority
            && script.spec.submitter.as_ref().is_some_and(|name| *name != served)
    };
    let names = world.scripts.iter().filter(rivals).filter_map(|script| script.spec.submitter.clone());
    let rivals: std::collections::BTreeSet<_> = names.collect();
    let waiting: Vec<_> = rivals.iter().filter(|name| waits(world, granter, name)).cloned().collect();
    let life = (granter, world.devices[granter].life);
    let passed = world.oracle.passed.entry(life).or_default();
    passed.retain(|(waits, by), _| *waits != served && (*by != served || waiting.contains(waits)));
    for name in waiting {
        let count = passed.entry((name.clone(), served.clone())).or_default();
        *count += 1;
        if *count > IN_A_ROW_MAX {
            return Err(format!("d{granter} has given {served} {count} leases in a row, and {name} waits"));
        }
    }
    Ok(())
}

/// A task of his was accepted by the device in this life of it, and has not been leased to anybody yet.
fn waits(world: &World, granter: usize, name: &str) -> bool {
    let born = world.devices[granter].born;
    world.oracle.accepted.iter().any(|(task, accepted)| {
        let script = &world.scripts[accepted.script];
        script.device == granter
            && script.spec.submitter.as_deref() == Some(name)
            && accepted.at >= born
            && !world.oracle.was_leased(*task)
            && !world.oracle.cancels.contains_key(task)
    })
}
