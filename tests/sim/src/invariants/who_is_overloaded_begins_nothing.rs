//! A device whose processor has had too much to do for a while starts nothing, and keeps nothing that waits, until it has less to do or
//! the last of what runs there has ended.

use super::Broken;
use crate::clock::{Micros, SECOND};
use crate::oracle::Started;
use crate::world::World;
use rc_scheduler::Start;

/// For disks, and for leases that were under way to come back.
const HANDS_BACK_WITHIN: Micros = 5 * SECOND;

/// Looks at a start.
pub fn starts(world: &World, start: &Start, started: Started) -> Broken {
    match world.devices[started.device].heat.since {
        Some(since) => {
            let (device, task) = (started.device, world.names.t(start.task));
            Err(format!("d{device} starts {task}, and has had too much to do since {since} µs"))
        }
        None => Ok(()),
    }
}

/// Looks at all devices now and then: leases of those that it hears all the time come back.
pub fn check(world: &World) -> Broken {
    for (index, device) in world.devices.iter().enumerate() {
        let long = |since: Micros| world.now - since > HANDS_BACK_WITHIN;
        if !device.is_awake() || device.disk.slow > 0 || device.disk.full || !device.heat.since.is_some_and(long) {
            continue;
        }
        for (task, epoch) in world.oracle.open.get(&index).into_iter().flatten() {
            let Some(lease) = world.oracle.leases.get(&(*task, *epoch)).filter(|lease| long(lease.at)) else {
                continue;
            };
            let hears = lease.device == index
                || [(index, lease.device), (lease.device, index)]
                    .into_iter()
                    .all(|(a, b)| world.net.contact(a, b).is_some_and(long));
            let began = world.oracle.starts.get(task).is_some_and(|all| all.iter().any(|start| start.epoch == *epoch));
            if hears && world.devices[lease.device].is_awake() && !began {
                let name = world.names.t(*task);
                return Err(format!("{name} waits on d{index}, which has had too much to do for long"));
            }
        }
    }
    Ok(())
}
