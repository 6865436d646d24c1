//! When everything is up and mended, every accepted task ends, and so does one whose client never got an answer, if it is there:
//! every device that has it says the same, and a client hears it anywhere.

use super::Broken;
use crate::oracle::{Known, Set};
use crate::world::World;
use rc_scheduler::{DeviceId, Incarnation, Record, Status, TaskId, Term};
use std::collections::{BTreeMap, BTreeSet};

/// The tasks that are not settled everywhere they should be, each with a word on why.
#[must_use]
pub fn open(world: &World) -> Vec<String> {
    // A submit that is still on its way through a slow disk becomes a task that must end, too.
    let mut open: Vec<String> = world
        .pending
        .iter()
        .map(|(id, pending)| format!("command {id} at d{} has no answer", pending.device))
        .collect();
    let mut hopes = Hopes::default();
    for task in submitted(world) {
        let acked = world.oracle.known(task) != Known::Unknown;
        let disks = world.oracle.accepted.get(&task).map_or_else(|| holders(world, task), |accepted| accepted.disks);
        if !hopes.can_end(world, task, disks) {
            continue;
        }
        let name = world.names.t(task);
        let mut ends: BTreeSet<Status> = BTreeSet::new();
        let mut decisions = BTreeSet::new();
        let mut keepers = 0;
        for (index, device) in world.devices.iter().enumerate() {
            let Some(core) = device.core.as_ref().filter(|_| !world.forgetful[index]) else { continue };
            let view = core.view();
            let Some(status) = view.status(task) else { continue };
            keepers += 1;
            if let Some(record) = view.record(task).filter(|_| !status.is_terminal()) {
                let state = record.resolve();
                let lease =
                    state.lease.map(|l| format!("{} to {} by {}", l.epoch, world.names.d(l.to), world.names.d(l.by)));
                open.push(format!(
                    "{name} is {status} on d{index} (lease {lease:?}, closed {}, settled {}, stable {}, cancel {})",
                    state.closed.is_some(),
                    state.settled.is_some(),
                    state.stable.is_some(),
                    state.cancel_asked
                ));
            }
            ends.insert(status);
            // The disks are read once there is nothing else to wait for.
            if open.is_empty() {
                decisions.extend(decision(world, index, task));
            }
        }
        if ends.len() > 1 {
            open.push(format!("{name} is {ends:?}"));
        } else if decisions.len() > 1 {
            open.push(format!("{name} ended by {decisions:?}"));
        }
        if keepers == 0 && acked && !world.oracle.buried.contains_key(&task) {
            open.push(format!("{name} is nowhere"));
        }
    }
    open
}

/// By which decision, of term and incarnation, a task ended, as a device's disk says.
fn decision(world: &World, device: usize, task: TaskId) -> Option<(Term, DeviceId, Incarnation)> {
    let facts = world.devices[device].disk.records.get(&task)?;
    let record = Record::from_facts(facts.values().cloned());
    record.resolve().settled.map(|settled| (settled.term, settled.by, settled.by_inc))
}

/// What clients submitted: what they know to be accepted, and what is there without their knowing.
fn submitted(world: &World) -> BTreeSet<TaskId> {
    let there = world
        .devices
        .iter()
        .filter_map(|device| device.core.as_ref())
        .flat_map(|core| core.view().tasks().collect::<Vec<_>>());
    world.oracle.accepted.keys().copied().chain(there).collect()
}

/// The devices that know a task.
fn holders(world: &World, task: TaskId) -> Set {
    Set::of(world.n(), |i| world.devices[i].core.as_ref().is_some_and(|core| core.view().status(task).is_some()))
}

/// Which tasks can end: each is looked at once, whatever waits for it.
#[derive(Default)]
struct Hopes(BTreeMap<TaskId, bool>);

impl Hopes {
    /// Some device that is left meets its needs, some disk that stored it is left, and what it waits for can end too.
    fn can_end(&mut self, world: &World, task: TaskId, disks: Set) -> bool {
        if let Some(known) = self.0.get(&task) {
            return *known;
        }
        let Some(script) = world.names.script(task).map(|index| &world.scripts[index]) else {
            return true;
        };
        let left = |id: DeviceId| world.names.index(id).is_some_and(|i| !world.is_gone(i));
        let needs = &script.spec.requirements;
        let fits = world.devices.iter().any(|d| {
            left(d.id)
                && !needs.exclude_devices.contains(&d.id)
                && (needs.only_devices.is_empty() || needs.only_devices.contains(&d.id))
        });
        let stored = (0..world.n()).any(|i| disks.0 & (1 << i) != 0 && !world.is_gone(i));
        let accepted = |dep: &TaskId| world.oracle.accepted.get(dep);
        let can = fits
            && stored
            && script.spec.after.iter().all(|dep| accepted(dep).is_some_and(|a| self.can_end(world, *dep, a.disks)));
        self.0.insert(task, can);
        can
    }
}

/// After the time for it is over.
pub fn check(world: &World) -> Broken {
    let open = open(world);
    if open.is_empty() {
        return Ok(());
    }
    let some: Vec<_> = open.iter().take(6).cloned().collect();
    Err(format!("{} after healing: {}", open.len(), some.join("; ")))
}

/// What clients read at every device after that.
pub fn answers(world: &World) -> Broken {
    let mut hopes = Hopes::default();
    for (task, accepted) in &world.oracle.accepted {
        if !hopes.can_end(world, *task, accepted.disks) {
            continue;
        }
        if world.oracle.buried.contains_key(task) {
            continue;
        }
        let mut answers: BTreeSet<Status> = BTreeSet::new();
        for device in (0..world.n()).filter(|i| world.devices[*i].core.is_some() && !world.forgetful[*i]) {
            match world.reads.get(&(*task, device)) {
                Some(status) => answers.insert(*status),
                None => return Err(format!("d{device} does not find {}", world.names.t(*task))),
            };
        }
        if answers.len() > 1 || answers.iter().any(|status| !status.is_terminal()) {
            return Err(format!("{} reads as {answers:?}", world.names.t(*task)));
        }
    }
    Ok(())
}
