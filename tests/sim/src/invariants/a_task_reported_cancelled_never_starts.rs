//! A client that was told `cancelled` can rely on it: the task does not start after that, unless whoever leased or started it was
//! out of contact with every disk that had the decision.

use super::Broken;
use crate::oracle::Started;
use crate::world::World;
use rc_scheduler::{Start, Status};

/// Looks at a start.
pub fn check(world: &World, start: &Start, started: Started) -> Broken {
    let last = world
        .oracle
        .told
        .range((start.task, 0)..=(start.task, u32::MAX))
        .next_back()
        .and_then(|(_, told)| told.iter().find(|told| told.status == Status::Cancelled));
    let Some(told) = last else { return Ok(()) };
    let core = world.devices[started.device].core.as_ref();
    let round = core.and_then(|core| core.view().record(start.task).map(|record| record.resolve().round));
    if round > Some(told.settled.round) {
        // Somebody has asked that it begin again.
        return Ok(());
    }
    let lease = world.oracle.leases.get(&(start.task, start.epoch));
    let leased_apart = lease.is_none_or(|lease| lease.at < told.at || lease.contacts.and(told.holders).is_empty());
    let started_apart = started.contacts.and(told.holders).is_empty();
    if !world.plan.class.is_strict() && leased_apart && started_apart {
        return Ok(());
    }
    if told.claimed < 2 && world.n() > 1 && !world.plan.class.is_calm() {
        return Ok(());
    }
    Err(format!(
        "{} was reported cancelled by d{} at {} µs on disks {:b}, and d{} starts it under lease {} (contacts {:b})",
        world.names.t(start.task),
        told.device,
        told.at,
        told.holders.0,
        started.device,
        start.epoch,
        started.contacts.0
    ))
}
