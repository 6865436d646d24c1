//! What a task is follows from its facts alone: the same facts in another order are the same record and mean the same.

use super::Broken;
use crate::world::World;
use rc_scheduler::{Fact, Record, TaskId};

/// Looks at the records of all devices.
pub fn check(world: &World) -> Broken {
    for (index, device) in world.devices.iter().enumerate() {
        let Some(core) = &device.core else { continue };
        let view = core.view();
        let ids: Vec<TaskId> = view.tasks().collect();
        for task in ids {
            let Some(record) = view.record(task) else {
                continue;
            };
            let mut facts: Vec<Fact> = record.facts().cloned().collect();
            facts.reverse();
            let again = Record::from_facts(facts);
            if again != *record {
                return Err(format!("d{index}'s facts of {} in another order are another record", world.names.t(task)));
            }
            if again.resolve() != record.resolve() {
                return Err(format!(
                    "d{index}'s facts of {} in another order mean something else",
                    world.names.t(task)
                ));
            }
        }
    }
    Ok(())
}
