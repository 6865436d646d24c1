//! A task costs so many facts, leases and frames, and each fault so many more: nothing grows without bound.

use super::Broken;
use crate::world::World;
use rc_scheduler::Epoch;

/// Facts of one record, at most: its normal form.
const FACTS_MAX: usize = 64;

/// Leases that may end without the task's fault.
const LOSSES_MAX: u32 = 20;

/// Looks at a run when all is settled.
pub fn check(world: &World) -> Broken {
    for device in world.devices.iter().filter(|d| !d.disk.destroyed) {
        for (task, record) in &device.disk.records {
            if record.len() > FACTS_MAX {
                let name = world.names.t(*task);
                return Err(format!("{name} has {} facts on the disk of {}", record.len(), world.names.d(device.id)));
            }
        }
    }
    for (task, accepted) in &world.oracle.accepted {
        let leases = world.oracle.leases.range((*task, Epoch(0))..=(*task, Epoch(u64::MAX))).count() as u32;
        let spec = &world.scripts[accepted.script].spec;
        let attempts = spec.retry.max_retries + 1;
        // A copy for each attempt, in each life of its guardian, and two more if devices hand it back unrun.
        let copies = if spec.speculative { 3 * attempts } else { 0 };
        let most = attempts + copies + LOSSES_MAX + 2 + world.pauses;
        if leases > most {
            return Err(format!("{} was leased {leases} times, at most {most} expected", world.names.t(*task)));
        }
    }
    if !world.plan.class.is_calm() {
        return Ok(());
    }
    let attempts: u64 = world.oracle.starts.values().map(|starts| starts.len() as u64).sum();
    let leases = world.stats.leases;
    // Those that wait move (28a), but not again and again.
    let moved = world.stats.moved.min(attempts);
    if leases * 10 > attempts * 12 + 20 + 10 * moved + 10 * world.oracle.cancels.len() as u64 {
        return Err(format!("{leases} leases for {attempts} attempts"));
    }
    let devices = world.n() as u64;
    let entries = devices * (8 * world.names_of_tasks() as u64 + 6 * attempts) + 100 * devices;
    if world.stats.entries > entries {
        return Err(format!("{} entries were written to disk, at most {entries} expected", world.stats.entries));
    }
    Ok(())
}
