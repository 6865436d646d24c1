//! One run: work and faults, then healing, then the proof that everything came right.

use crate::class::Class;
use crate::clock::{Micros, SECOND};
use crate::fault::{CALM_BEFORE, Timed};
use crate::invariants::one_fault_at_a_time_never_two_holders_at_once::{STOPS_WITHIN, overlaps};
use crate::invariants::{self, Broken};
use crate::plan::Plan;
use crate::scenario::Scenario;
use crate::trace::Detail;
use crate::world::{Failure, Stats, World};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Virtual seconds for everything to settle after healing.
const SETTLE_SECONDS: u64 = 600;

/// How a run went.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// Hash of all that happened.
    pub hash: u64,
    /// The promise that was broken, if one was.
    pub failure: Option<Failure>,
    /// Counts.
    pub stats: Stats,
    /// Broken promises that a split excused.
    pub excused: u64,
    /// Tasks accepted.
    pub accepted: usize,
    /// The last lines of the trace, if they were kept.
    pub tail: Vec<String>,
}

/// Runs a plan.
#[must_use]
pub fn run(plan: &Plan, detail: Detail, filter: Option<String>) -> Report {
    live_and_report(World::new(plan.clone(), detail, filter))
}

/// Runs a scenario.
#[must_use]
pub fn play(scenario: &Scenario, detail: Detail, filter: Option<String>) -> Report {
    live_and_report(World::of(scenario, detail, filter))
}

fn live_and_report(mut world: World) -> Report {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| live(&mut world))) {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_default();
        world.failure = None;
        world.fail("a_core_never_panics", text);
    }
    Report {
        hash: world.trace.hash(),
        failure: world.failure.take(),
        stats: world.stats,
        excused: world.oracle.excused,
        accepted: world.oracle.accepted.len(),
        tail: world.trace.tail().map(str::to_owned).collect(),
    }
}

/// Runs a plan with these faults in place of those that its class draws, after `prepare` has changed what it likes. The class still
/// says by which promises the run is judged.
///
/// # Errors
/// The promise that was broken.
pub fn stage(plan: &Plan, faults: Vec<Timed>, prepare: impl FnOnce(&mut World)) -> Result<World, Failure> {
    let mut world = World::new(plan.clone(), Detail::Hash, None);
    world.restage(faults);
    prepare(&mut world);
    world.enlist();
    live(&mut world);
    world.failure.take().map_or(Ok(world), Err)
}

fn live(world: &mut World) {
    let end = CALM_BEFORE + world.plan.seconds * SECOND;
    let mut at = 0;
    if let Some(told_by) = world.told_by {
        let told_by = told_by.min(end);
        while at < told_by && world.failure.is_none() {
            at = (at + 10 * SECOND).min(told_by);
            advance(world, at);
        }
        require(world, "every_task_has_ended_when_the_scene_says", |world| {
            invariants::every_task_has_ended_when_the_scene_says::check(world)
        });
    }
    while at < end && world.failure.is_none() {
        at = (at + 10 * SECOND).min(end);
        advance(world, at);
        require(
            world,
            "equal_facts_give_equal_bytes_and_answers",
            invariants::equal_facts_give_equal_bytes_and_answers::check,
        );
    }
    world.heal();
    let limit = end + SETTLE_SECONDS * SECOND;
    let mut calm = 0;
    while at < limit && world.failure.is_none() && calm < 2 {
        at += 2 * SECOND;
        advance(world, at);
        calm = if invariants::after_healing_everything_settles::open(world).is_empty() { calm + 1 } else { 0 };
    }
    require(
        world,
        "no_acked_task_is_lost_while_a_disk_that_stored_it_lives",
        invariants::no_acked_task_is_lost_while_a_disk_that_stored_it_lives::check,
    );
    require(world, "after_healing_everything_settles", invariants::after_healing_everything_settles::check);
    if world.failure.is_some() {
        return;
    }
    world.read_everything();
    at += 8 * SECOND;
    world.run_until(at);
    require(world, "after_healing_everything_settles", invariants::after_healing_everything_settles::answers);
    require(world, "what_is_said_of_a_batch_is_true", invariants::what_is_said_of_a_batch_is_true::answers);
    require(
        world,
        "what_an_owner_takes_back_ends_elsewhere",
        invariants::what_an_owner_takes_back_ends_elsewhere::check,
    );
    require(world, "without_faults_every_task_starts_once", invariants::without_faults_every_task_starts_once::check);
    require(
        world,
        "equal_facts_give_equal_bytes_and_answers",
        invariants::equal_facts_give_equal_bytes_and_answers::check,
    );
    require(world, "budgets_facts_and_bytes_per_task", invariants::budgets_facts_and_bytes_per_task::check);
    if world.plan.class == Class::Retention && world.failure.is_none() {
        // The longest retention, a while more for who did not accept it, and for what was not written down of the running time.
        world.run_until(at + 240 * SECOND);
        require(world, "what_has_ended_is_forgotten_by_all", invariants::what_has_ended_is_forgotten_by_all::check);
    }
    if world.plan.class == Class::None && world.failure.is_none() {
        idle(world, at);
    }
}

/// Lets time pass, at most ten seconds of it, and looks now and then at what runs.
fn advance(world: &mut World, until: Micros) {
    let before = world.stats.steps;
    while world.now < until && world.failure.is_none() {
        world.run_until((world.now + 2 * SECOND).min(until));
        require(world, "who_is_wanted_back_has_nothing_left", invariants::who_is_wanted_back_has_nothing_left::check);
        require(world, "who_is_overloaded_begins_nothing", invariants::who_is_overloaded_begins_nothing::check);
        require(
            world,
            "no_lease_waits_long_while_another_device_is_free",
            invariants::no_lease_waits_long_while_another_device_is_free::check,
        );
        require(world, "a_copy_never_runs_on_battery", invariants::a_copy_never_runs_on_battery::check);
        require(world, "nothing_runs_long_after_its_end", invariants::nothing_runs_long_after_its_end::check);
        let twice = overlaps(world);
        if !twice.is_empty() {
            world.run_until((world.now + STOPS_WITHIN).min(until));
            let still = overlaps(world).intersection(&twice).next().copied().filter(|_| world.now < until);
            require(world, "one_fault_at_a_time_never_two_holders_at_once", |world| match still {
                Some((task, a, b)) => Err(format!("{} runs on under leases {a} and {b}", world.names.t(task))),
                None => Ok(()),
            });
        }
    }
    let events = world.stats.steps - before;
    require(world, "nobody_talks_in_circles", |world| invariants::nobody_talks_in_circles::check(world, events));
}

/// Watches a cluster that has nothing to do.
fn idle(world: &mut World, from: u64) {
    world.run_until(from + 60 * SECOND);
    let first = world.stats;
    world.run_until(from + 120 * SECOND);
    let second = world.stats;
    world.run_until(from + 180 * SECOND);
    let third = world.stats;
    require(world, "idle_traffic_is_constant", |w| {
        invariants::idle_traffic_is_constant::check(w, [first, second, third])
    });
}

fn require(world: &mut World, name: &'static str, check: impl Fn(&World) -> Broken) {
    if world.failure.is_none()
        && let Err(text) = check(world)
    {
        world.fail(name, text);
    }
}
