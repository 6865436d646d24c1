//! What must hold, one file each, named as a sentence. Each takes the world and returns what is wrong. This file says when each is
//! looked at.

pub mod a_copy_is_only_made_of_a_straggler_that_asked;
pub mod a_copy_never_runs_on_battery;
pub mod a_device_is_not_leased_more_than_it_takes;
pub mod a_device_never_exceeds_its_slots;
pub mod a_lease_is_started_once;
pub mod a_reported_end_never_changes_without_a_split;
pub mod a_retry_waits_as_long_as_was_asked;
pub mod a_task_is_given_up_only_for_deaths;
pub mod a_task_reported_cancelled_does_not_run;
pub mod a_task_reported_cancelled_never_starts;
pub mod a_task_starts_after_what_it_waits_for;
pub mod a_task_that_kills_is_given_up;
pub mod after_healing_everything_settles;
pub mod at_most_one_copy_runs_beside_an_attempt;
pub mod budgets_facts_and_bytes_per_task;
pub mod equal_facts_give_equal_bytes_and_answers;
pub mod every_task_has_ended_when_the_scene_says;
pub mod idle_traffic_is_constant;
pub mod no_acked_task_is_lost_while_a_disk_that_stored_it_lives;
pub mod no_lease_waits_long_while_another_device_is_free;
pub mod nobody_is_passed_over_for_long;
pub mod nobody_talks_in_circles;
pub mod nothing_runs_long_after_its_end;
pub mod of_a_batch_what_runs_longest_begins_first;
pub mod one_fault_at_a_time_never_two_holders_at_once;
pub mod only_what_was_told_is_buried;
pub mod same_seed_same_trace;
pub mod the_more_urgent_is_not_passed_over;
pub mod what_an_owner_takes_back_ends_elsewhere;
pub mod what_has_ended_is_forgotten_by_all;
pub mod what_is_reported_is_on_the_disks_it_names;
pub mod what_is_said_of_a_batch_is_true;
pub mod what_was_done_is_not_done_again;
pub mod who_is_cut_off_stops_before_others_begin;
pub mod who_is_overloaded_begins_nothing;
pub mod who_is_wanted_back_has_nothing_left;
pub mod without_faults_every_task_starts_once;

use self::what_is_said_of_a_batch_is_true::Asked;
use crate::oracle::{Set, Started};
use crate::world::World;
use rc_scheduler::{Epoch, Record, Reply, Settled, Start, Status, TaskId};

/// A broken promise in words.
pub type Broken = Result<(), String>;

macro_rules! require {
    ($world:ident, $name:ident $(, $arg:expr)*) => {
        if let Err(text) = $name::check($world $(, $arg)*) {
            $world.fail(stringify!($name), text);
        }
    };
}

/// An attempt is about to be started.
pub(crate) fn before_start(world: &mut World, start: &Start, started: Started) {
    require!(world, a_lease_is_started_once, start, started);
    require!(world, a_task_reported_cancelled_never_starts, start, started);
    require!(world, a_task_starts_after_what_it_waits_for, start, started);
    require!(world, one_fault_at_a_time_never_two_holders_at_once, start, started);
    require!(world, only_what_was_told_is_buried, start, started);
    require!(world, a_retry_waits_as_long_as_was_asked, start, started);
    require!(world, at_most_one_copy_runs_beside_an_attempt, start, started);
    if let Err(text) = a_copy_never_runs_on_battery::starts(world, start, started) {
        world.fail("a_copy_never_runs_on_battery", text);
    }
    require!(world, who_is_cut_off_stops_before_others_begin, start, started);
    if let Err(text) = who_is_wanted_back_has_nothing_left::starts(world, start, started) {
        world.fail("who_is_wanted_back_has_nothing_left", text);
    }
    if let Err(text) = who_is_overloaded_begins_nothing::starts(world, start, started) {
        world.fail("who_is_overloaded_begins_nothing", text);
    }
}

/// Attempts of a device changed.
pub(crate) fn after_attempt(world: &mut World, device: usize) {
    require!(world, a_device_never_exceeds_its_slots, device);
}

/// A lease to a device was written.
pub(crate) fn leased(world: &mut World, granter: usize, to: usize, task: TaskId, epoch: Epoch) {
    require!(world, what_was_done_is_not_done_again, granter, task, epoch);
    require!(world, a_device_is_not_leased_more_than_it_takes, to);
    require!(world, nobody_is_passed_over_for_long, granter, task);
    require!(world, the_more_urgent_is_not_passed_over, granter, task, epoch);
    require!(world, of_a_batch_what_runs_longest_begins_first, granter, task, epoch);
}

/// A copy was leased.
pub(crate) fn copied(world: &mut World, granter: usize, task: TaskId, epoch: Epoch) {
    require!(world, a_copy_is_only_made_of_a_straggler_that_asked, granter, task, epoch);
    if let Err(text) = at_most_one_copy_runs_beside_an_attempt::leased(world, granter, task, epoch) {
        world.fail("at_most_one_copy_runs_beside_an_attempt", text);
    }
}

/// An attempt took its device down.
pub(crate) fn taken_down(world: &mut World, task: TaskId) {
    require!(world, a_task_that_kills_is_given_up, task);
}

/// A device decided how a task ended.
pub(crate) fn settled(world: &mut World, device: usize, task: TaskId, settled: &Settled) {
    require!(world, a_task_is_given_up_only_for_deaths, device, task, settled);
}

/// A submit is answered.
pub(crate) fn accepted(world: &mut World, device: usize, script: usize, task: TaskId, disks: Set) {
    if let Err(text) = what_is_reported_is_on_the_disks_it_names::accepted(world, device, script, task, disks) {
        world.fail("what_is_reported_is_on_the_disks_it_names", text);
    }
}

/// A watcher is told that a task has ended.
pub(crate) fn told(world: &mut World, device: usize, task: TaskId) {
    let record = world.devices[device].core.as_ref().and_then(|core| core.view().record(task).cloned());
    match record {
        Some(record) => {
            if !record.resolve().status().is_terminal() {
                let text = format!(
                    "d{device} says that {} is settled, and its record says {}",
                    world.names.t(task),
                    record.resolve().status()
                );
                world.fail("a_settled_event_comes_with_its_end", text);
            }
            told_record(world, device, task, &record);
        }
        None => world
            .fail("a_settled_event_comes_with_its_end", format!("d{device} has no record of {}", world.names.t(task))),
    }
}

/// A client sees a record.
pub(crate) fn told_record(world: &mut World, device: usize, task: TaskId, record: &Record) {
    let told = a_reported_end_never_changes_without_a_split::read(world, device, task, record);
    let Some(told) = told else { return };
    require!(world, a_task_reported_cancelled_does_not_run, task, &told);
    if let Err(text) = what_is_reported_is_on_the_disks_it_names::told(world, task, &told) {
        world.fail("what_is_reported_is_on_the_disks_it_names", text);
    }
    match a_reported_end_never_changes_without_a_split::check(world, task, &told) {
        Ok(excused) => world.oracle.excused += u64::from(excused),
        Err(text) => world.fail("a_reported_end_never_changes_without_a_split", text),
    }
    world.oracle.told.entry((task, told.settled.round)).or_default().push(told);
}

/// A client is told a status.
pub(crate) fn told_status(world: &mut World, device: usize, task: TaskId, status: Status) {
    if !status.is_terminal() {
        return;
    }
    let record = world.devices[device].core.as_ref().and_then(|core| core.view().record(task).cloned());
    if let Some(record) = record.filter(|record| record.resolve().status() == status) {
        told_record(world, device, task, &record);
    }
}

/// A client is told how a batch stands.
pub(crate) fn told_batch(world: &mut World, device: usize, first: usize, asked: &Asked, reply: &Reply) {
    match what_is_said_of_a_batch_is_true::check(world, device, first, asked, reply) {
        Ok(Some(statuses)) => _ = world.batch_reads.insert((first, device), statuses),
        Ok(None) => {}
        Err(text) => world.fail("what_is_said_of_a_batch_is_true", text),
    }
}

/// A client is told that no member has a task.
pub(crate) fn told_not_found(world: &mut World, device: usize, command: u64, task: TaskId) {
    if world.oracle.buried.contains_key(&task) {
        return;
    }
    // Of two hosts with one key, one is asked; what only the other one had accepted, that one does not know.
    let twins = Set::of(world.n(), |i| world.twin(i).is_some());
    if world.oracle.accepted.get(&task).is_some_and(|accepted| accepted.disks.0 & !twins.0 == 0) {
        return;
    }
    let text = format!("d{device} says of command {command} that no member has the task, and it was accepted");
    // Devices that have met nobody who knows of the others are the whole cluster as far as they can know.
    let known = known_from(world, device);
    let asked = |i: usize| known.0 & !twins.0 & (1 << i) != 0;
    let had = |i: usize| asked(i) && world.devices[i].disk.facts(task).next().is_some();
    if (0..world.n()).any(had) && !(0..world.n()).any(|i| world.is_gone(i)) {
        world.fail("no_acked_task_is_lost_while_a_disk_that_stored_it_lives", text);
    }
}

/// The device, the members that it knows, those that they know, and so on.
fn known_from(world: &World, device: usize) -> Set {
    let mut known = Set(1 << device);
    loop {
        let next = Set::of(world.n(), |i| {
            known.0 & (1 << i) != 0
                || (0..world.n()).any(|j| {
                    let core = world.devices[j].core.as_ref().filter(|_| known.0 & (1 << j) != 0);
                    core.is_some_and(|core| core.view().members().get(world.devices[i].id).is_some())
                })
        });
        if next == known {
            return known;
        }
        known = next;
    }
}
