//! Only a task whose end was told is buried, no device buries it before the shortest retention is over, and nobody who could know of
//! that starts it again.

use super::Broken;
use crate::clock::SECOND;
use crate::oracle::{Set, Started};
use crate::world::World;
use rc_scheduler::{DeviceId, Fact, Start, TaskId};

/// A device drops a record, or keeps only its name.
pub fn buries(world: &mut World, device: usize, task: TaskId) {
    let told = world.oracle.told.range((task, 0)..=(task, u32::MAX)).flat_map(|(_, told)| told).map(|t| t.at).min();
    let known = world.oracle.buried.contains_key(&task);
    let numbers = accepted_as(world, device, task);
    world.oracle.buried_as.extend(numbers);
    world.oracle.buried.entry(task).or_default().0 |= 1 << device;
    let Some(told) = told else {
        let text = format!("d{device} buries {}, whose end was told to nobody", world.names.t(task));
        world.fail("only_what_was_told_is_buried", text);
        return;
    };
    // Running time is counted in whole seconds, and clocks drift.
    let configs = || world.devices.iter().map(|device| &device.config);
    let shortest = configs().map(|config| config.retention.0).min().unwrap_or(0);
    let crowded = configs().any(|config| config.keep_max < world.scripts.len() * 2);
    if !known && !crowded && world.now + 2 * SECOND < told + shortest {
        let text = format!("d{device} buries {} after {} µs", world.names.t(task), world.now - told);
        world.fail("only_what_was_told_is_buried", text);
    }
}

/// An attempt is started.
pub fn check(world: &World, start: &Start, started: Started) -> Broken {
    if world.oracle.reopens.contains(&start.task) {
        // Whoever asks that it begin again may not know yet that its time is over.
        return Ok(());
    }
    let buried = world.oracle.buried.get(&start.task).copied().unwrap_or_default();
    if buried.and(Set(started.contacts.0 & !(1 << started.device))).is_empty() {
        return Ok(());
    }
    // The same key was accepted by somebody whom nobody met before its time was over: it begins anew, as if it had been said later.
    if accepted_as(world, started.device, start.task).iter().any(|number| !world.oracle.buried_as.contains(number)) {
        return Ok(());
    }
    Err(format!("d{} starts {}, which d{:b} have buried", started.device, world.names.t(start.task), buried.0))
}

/// The numbers under which a device has a task, on its disk or in its memory.
fn accepted_as(world: &World, device: usize, task: TaskId) -> Vec<(TaskId, DeviceId, u64)> {
    let device = &world.devices[device];
    let known = device.core.as_ref().and_then(|core| core.view().record(task));
    let known = known.into_iter().flat_map(rc_scheduler::Record::facts);
    let submitted = device.disk.facts(task).chain(known).filter_map(|fact| match fact {
        Fact::Submitted(submitted) => Some((task, submitted.by, submitted.nonce)),
        _ => None,
    });
    submitted.collect()
}
