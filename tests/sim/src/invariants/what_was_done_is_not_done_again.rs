//! A holder that is back with the good end of its lease on disk is heard before the task is leased anew: what it did counts.

use super::Broken;
use crate::class::Class;
use crate::world::World;
use rc_scheduler::{Close, Epoch, Fact, Liveness, PeerView, TaskId};

/// Looks at a lease that a device has just decided on.
pub fn check(world: &World, granter: usize, task: TaskId, epoch: Epoch) -> Broken {
    if !matches!(world.plan.class, Class::CrashOne | Class::PowerOne | Class::Suspend) {
        return Ok(());
    }
    // A copy is made while the other one runs, and may have just missed its end.
    if world.oracle.copies.contains_key(&(task, epoch)) {
        return Ok(());
    }
    let Some(((_, last), _)) = world.oracle.leases.range((task, Epoch(0))..(task, epoch)).next_back() else {
        return Ok(());
    };
    let before = [*last, world.oracle.first_of(task, *last)];
    for (index, device) in world.devices.iter().enumerate().filter(|(_, device)| device.is_awake()) {
        let up = |peer: PeerView| peer.device == device.id && peer.liveness == Liveness::Up;
        let back = world.devices[granter].core.as_ref().is_some_and(|core| core.view().peers().any(up));
        let good = |fact: &Fact| match fact {
            Fact::Closed(f) => {
                f.by == device.id
                    && before.contains(&f.epoch)
                    && matches!(&f.close, Close::Finished(end) if end.is_ok())
            }
            _ => false,
        };
        if back && index != granter && device.disk.facts(task).any(good) {
            return Err(format!(
                "d{granter} leases {} as {epoch}, and d{index} is there with the result of {last} or beside it on disk",
                world.names.t(task)
            ));
        }
    }
    Ok(())
}
