//! Budgets under load: what a task costs, what a fault costs beside that, and what neither may multiply.

use rc_scheduler::{DeviceId, Requirements, Span};
use rc_sim::clock::{MS, Micros, SECOND};
use rc_sim::fault::{CALM_BEFORE, Fault, Timed};
use rc_sim::workload::Plot;
use rc_sim::world::{Stats, World};
use rc_sim::{Class, Detail, Plan};

/// A world of so many tasks, submitted in batches at all devices within a second, each `length` long.
fn world(class: Class, devices: usize, tasks: usize, length: Micros, faults: Vec<Timed>) -> World {
    let plan =
        Plan { devices: Some(devices), tasks: Some(tasks), check_every: 0, ..Plan::of_seed(9).with_class(class) };
    let mut world = World::new(plan, Detail::Hash, None);
    world.restage(faults);
    for (index, script) in world.scripts.iter_mut().enumerate() {
        script.at = CALM_BEFORE + (index as u64 / 100) * SECOND * 100 / tasks as u64;
        script.device = (index / 100) % devices;
        script.length = length;
        script.plot = Plot::Ok;
        script.batch = 0;
        script.twice = None;
        script.after = None;
        script.progress_every = None;
        (script.cancel_after, script.cancel_at_end, script.again_after) = (None, None, None);
        script.spec.idempotency_key = None;
        script.spec.timeout = Span::from_secs(3_600);
        script.spec.requirements = Requirements::default();
    }
    for first in (0..tasks).step_by(100) {
        world.scripts[first].batch = 99.min(tasks - first - 1);
    }
    world
}

fn play(mut world: World, seconds: u64) -> World {
    world.enlist();
    world.run_until(CALM_BEFORE + seconds * SECOND);
    assert_eq!(world.failure, None);
    world
}

/// The link between a pair goes and comes back, so often, with this period.
fn flaps(pairs: &[(usize, usize)], first: Micros, count: u64, period: Micros) -> Vec<Timed> {
    let flap = |(flap, (a, b)): (u64, (usize, usize))| {
        let at = CALM_BEFORE + first + flap * period;
        [
            (at, Fault::Cut(a, b)),
            (at, Fault::Cut(b, a)),
            (at + period - SECOND, Fault::Mend(a, b)),
            (at + period - SECOND, Fault::Mend(b, a)),
        ]
    };
    (0..count).flat_map(|n| pairs.iter().map(move |pair| (n, *pair))).flat_map(flap).collect()
}

/// Tasks wait for a device that is not there, and their guardian comes and goes every six seconds. The disks do not notice, and the
/// network only in proportion to the number of times.
fn flapping(tasks: usize) {
    let run = |count: u64| -> Stats {
        let faults = flaps(&[(0, 1), (0, 2)], 10 * SECOND, count, 6 * SECOND);
        let mut world = world(Class::Flap, 3, tasks, SECOND, faults);
        for script in &mut world.scripts {
            script.device = 0;
            script.spec.requirements.only_devices = [DeviceId([0xee; 16])].into();
        }
        play(world, 90).stats
    };
    let (calm, flapping) = (run(0), run(10));
    println!("calm {calm:?}\nflapping {flapping:?}");
    assert_eq!(calm.starts, 0);
    // One fact of each task on each disk, and a few entries that a device writes about itself now and then.
    assert!(calm.entries.abs_diff(3 * tasks as u64) <= 30, "{} entries", calm.entries);
    assert!(flapping.entries.abs_diff(calm.entries) <= 30, "{} entries, {} without", flapping.entries, calm.entries);
    assert!(flapping.persists.abs_diff(calm.persists) <= 30, "{} fsyncs, {}", flapping.persists, calm.persists);
    assert_eq!(flapping.leases, 0);
    let more = flapping.bytes.saturating_sub(calm.bytes);
    assert!(more <= 10 * 40_000, "{more} bytes more for ten times");
}

#[test]
fn a_flapping_guardian_of_many_waiting_tasks_costs_little() {
    flapping(4_000);
}

#[test]
#[ignore = "takes minutes"]
fn a_flapping_guardian_of_a_hundred_thousand_waiting_tasks_costs_little() {
    flapping(100_000);
}

/// Three thousand short tasks, with and without a device that comes and goes. Facts, fsyncs and bytes of a task are bounded, and so is
/// what each fault adds.
#[test]
fn a_task_costs_a_bounded_number_of_facts_writes_and_bytes() {
    const TASKS: u64 = 3_000;
    for count in [0, 8] {
        let class = if count == 0 { Class::None } else { Class::Flap };
        let faults = flaps(&[(0, 1), (0, 2)], 2 * SECOND, count, 6 * SECOND);
        let world = play(world(class, 3, TASKS as usize, 100 * MS, faults), 240);
        let (stats, done) = (world.stats, world.oracle.told.len() as u64);
        println!("{count} faults: {done} done, {stats:?}");
        assert_eq!(done, TASKS);
        let per_task = |number: u64| number as f64 / TASKS as f64;
        let a_fault = count as f64 / TASKS as f64;
        // Submitted, leased, closed, settled and stable, on three disks.
        assert!(per_task(stats.entries) <= 15.5 + a_fault * 3_000.0, "facts: {}", per_task(stats.entries));
        assert!(per_task(stats.persists) <= 8.0 + a_fault * 3_000.0, "fsyncs: {}", per_task(stats.persists));
        assert!(per_task(stats.bytes) <= 8_000.0 + a_fault * 2_000_000.0, "bytes: {}", per_task(stats.bytes));
        // A device that is lost loses what it had in hand: about as much as it completes in a second.
        assert!(per_task(stats.leases) <= 1.2 + a_fault * 400.0, "leases: {}", per_task(stats.leases));
    }
}
