//! Where work goes, and in which order: how evenly devices are used, how close to the best possible a bag of tasks comes, how long
//! who waits waits. Nothing breaks here, and all of it is counted in virtual time, the same on every machine.
//!
//! `cargo sim --balance` prints tables.

pub mod best;
pub mod order;
pub mod stragglers;
pub mod warm;

pub use best::bound;
use best::{all_known, in_line, types_known};

use crate::grid::{Grid, Job, MS, Machine, Micros, SECOND};
use crate::rng::Rng;
use rc_scheduler::{BatchId, BatchPlace};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Nothing that is measured here takes longer.
const LONGEST: Micros = 4 * 3_600 * SECOND;

/// How a bag of tasks was worked off.
#[derive(Clone, Debug)]
pub struct Bag {
    /// Tasks that each device completed.
    pub done: Vec<usize>,
    /// From the submit to the last end, as it was told.
    pub makespan: Micros,
    /// What no schedule can be shorter than.
    pub bound: Micros,
    /// Attempts beyond one for each task.
    pub extra: usize,
    /// From the submit to the end of all but the last hundredth of them.
    pub p99: Micros,
}

/// Works off a bag of tasks that are all submitted at once at one device.
///
/// # Errors
/// It was not worked off in hours.
pub fn work_off(machines: &[Machine], jobs: &[Job], at: usize) -> Result<Bag, String> {
    let mut grid = Grid::of(machines.to_vec());
    grid.meet()?;
    measure(grid, machines, jobs, at)
}

/// The same where it has been done before, so that it is known how long tasks of each type take.
///
/// # Errors
/// It was not worked off in hours.
pub fn work_off_again(machines: &[Machine], jobs: &[Job], at: usize) -> Result<Bag, String> {
    let mut grid = Grid::of(machines.to_vec());
    grid.meet()?;
    let mut before = jobs.to_vec();
    before.iter_mut().for_each(|job| job.spec.batch = None);
    grid.submit_all(at, &before);
    grid.until_ended(jobs.len(), grid.now + LONGEST)?;
    grid.run_to(grid.now + 10 * SECOND);
    grid.forget_what_was();
    measure(grid, machines, jobs, at)
}

fn measure(mut grid: Grid, machines: &[Machine], jobs: &[Job], at: usize) -> Result<Bag, String> {
    let begun = grid.now;
    grid.submit_all(at, jobs);
    grid.until_ended(jobs.len(), begun + LONGEST)?;
    let mut done = vec![0; machines.len()];
    grid.ran.iter().filter(|ran| !ran.stopped).for_each(|ran| done[ran.device] += 1);
    let last = grid.told.values().map(|(_, told)| *told).max().unwrap_or(begun);
    let mut ends: Vec<_> = grid.told.values().map(|(_, told)| *told - begun).collect();
    ends.sort_unstable();
    let p99 = ends.get((ends.len() * 99 / 100).min(ends.len().saturating_sub(1))).copied().unwrap_or_default();
    let (bound, extra) = (bound(machines, jobs), grid.ran.len() - jobs.len());
    Ok(Bag { done, makespan: last - begun, bound, extra, p99 })
}

/// Eight unlike devices, and so many tasks of twelve types that all of them run.
#[must_use]
pub fn twelve_types(fastest: u64, tasks: usize, seed: u64) -> (Vec<Machine>, Vec<Job>) {
    let mut rng = Rng::new(seed);
    let mut machines = unlike(8, fastest, &mut rng);
    let jobs = typed(12, tasks, &mut rng);
    let types = (0..12).map(|kind| format!("type-{kind}"));
    machines.iter_mut().for_each(|machine| machine.capacity.task_types.extend(types.clone()));
    (machines, jobs)
}

/// Unlike devices: up to so many thousandths as fast as an ordinary one, or as many times slower, with one slot to six.
#[must_use]
pub fn unlike(devices: usize, fastest: u64, rng: &mut Rng) -> Vec<Machine> {
    let any = |device| {
        let slots = rng.between(1, 6) as u32;
        Machine::equal(device, slots).speed(rng.skewed(1_000_000 / fastest, fastest))
    };
    (0..devices).map(any).collect()
}

/// Tasks of 10 ms to 10 s, as many short ones as long ones by the logarithm.
#[must_use]
pub fn mixed(tasks: usize, rng: &mut Rng) -> Vec<Job> {
    (0..tasks).map(|_| Job::new("sleep", rng.skewed(10 * MS, 10 * SECOND))).collect()
}

/// Tasks of so many types, each type with a length of its own from 20 ms to 8 s and each task up to a quarter longer or shorter.
#[must_use]
pub fn typed(types: usize, tasks: usize, rng: &mut Rng) -> Vec<Job> {
    let kinds: Vec<_> = (0..types).map(|kind| (format!("type-{kind}"), rng.skewed(20 * MS, 8 * SECOND))).collect();
    let mut any = || {
        let (name, length) = &kinds[rng.index(types)];
        Job::new(name, rng.between(length * 3 / 4, length * 5 / 4))
    };
    (0..tasks).map(|_| any()).collect()
}

/// The same tasks as one batch, which is what whoever has many tasks hands in.
#[must_use]
pub fn in_a_batch(mut jobs: Vec<Job>) -> Vec<Job> {
    let (batch, of) = (BatchId([7; 16]), jobs.len() as u32);
    for (job, index) in jobs.iter_mut().zip(0..) {
        job.spec.batch = Some(BatchPlace { batch, index, of });
    }
    jobs
}

/// Prints the tables.
///
/// # Errors
/// A bag that was not worked off.
pub fn print() -> Result<(), String> {
    println!("three equal devices, tasks submitted at once at one of them: completed by each\n");
    println!("| tasks, each | completed by each | makespan, of the best |\n|---|---|---|");
    for (tasks, length) in
        [(30, 10 * MS), (30, 100 * MS), (30, SECOND), (30, 10 * SECOND), (3_000, 10 * MS), (3_000, SECOND)]
    {
        let machines: Vec<_> = (0..3).map(|device| Machine::equal(device, 5)).collect();
        let bag = work_off(&machines, &vec![Job::new("sleep", length); tasks], 0)?;
        println!("| {tasks} of {} ms | {:?} | {} |", length / MS, bag.done, ratio(&bag));
    }
    println!("\nunlike devices: completed by each, and its share of all speed\n");
    println!("| tasks, each | completed by each | share of the speed | makespan, of the best |\n|---|---|---|---|");
    for (tasks, length) in [(2_000, 10 * MS), (2_000, 100 * MS), (2_000, SECOND)] {
        let speeds = [(5, 250), (5, 1_000), (2, 1_000), (5, 4_000)];
        let machines: Vec<_> =
            speeds.iter().enumerate().map(|(at, (slots, speed))| Machine::equal(at, *slots).speed(*speed)).collect();
        let bag = work_off(&machines, &vec![Job::new("sleep", length); tasks], 1)?;
        let all: u64 = speeds.iter().map(|(slots, speed)| u64::from(*slots) * speed).sum();
        let shares: Vec<_> =
            speeds.iter().map(|(slots, speed)| u64::from(*slots) * speed * tasks as u64 / all).collect();
        println!("| {tasks} of {} ms | {:?} | {shares:?} | {} |", length / MS, bag.done, ratio(&bag));
    }
    print_mixed()?;
    println!(
        "\nan urgent task behind waiting background tasks, on three devices: wait for its start, at each of them, ms\n"
    );
    println!("| background tasks, each | ms |\n|---|---|");
    for (background, length) in [(10_000, 10 * MS), (100_000, 100 * MS), (10_000, SECOND)] {
        let waits: Vec<_> = order::urgent_behind(background, length)?.iter().map(|wait| wait / MS).collect();
        println!("| {background} of {} ms | {waits:?} |", length / MS);
    }
    println!("\na background task under an endless urgent stream, twice what two devices can do\n");
    println!(
        "| tasks, each | submitted at | waited, s | of at most | urgent ones that overtook |\n|---|---|---|---|---|"
    );
    for (length, at) in [(SECOND, 0), (SECOND, 1), (100 * MS, 0), (100 * MS, 1)] {
        let most = 2 * 900 * (SECOND + length);
        let found = order::background_under(length, at, 2 * most)?;
        let (waited, most) = (found.waited / SECOND, most / SECOND);
        println!("| {} ms | {at} | {waited} | {most} | {} |", length / MS, found.overtook);
    }
    println!("\ntwo submitters, 3,000 tasks and 100: tasks of the first between the first and last of the other\n");
    for same in [true, false] {
        let at = if same { "at the same device" } else { "at two devices" };
        println!("{at}: {}", order::shared(3_000, 100, same)?);
    }
    warm::print()
}

/// Best, middle and worst of the ratios to the best possible.
fn spread(mut all: Vec<f64>) -> String {
    all.sort_unstable_by(f64::total_cmp);
    let at = |place: usize| all.get(place).copied().unwrap_or_default();
    format!("{:.2} {:.2} {:.2}", at(0), at(all.len() / 2), at(all.len().saturating_sub(1)))
}

fn print_mixed() -> Result<(), String> {
    println!(
        "\na mixed bag on eight unlike devices, ten seeds: best, middle and worst makespan, of what nothing can be shorter than\n"
    );
    println!("| lengths | devices differ by | tasks | as built | no messages, lengths unknown | all lengths known |");
    println!("|---|---|---|---|---|---|");
    for (fastest, tasks) in [(2_000, 300), (2_000, 1_000), (2_000, 3_000), (4_000, 300), (4_000, 1_000), (4_000, 3_000)]
    {
        let [mut built, mut unknown, mut known] = [const { Vec::new() }; 3];
        for seed in 0..10 {
            let mut rng = Rng::new(seed);
            let machines = unlike(8, fastest, &mut rng);
            let jobs = in_a_batch(mixed(tasks, &mut rng));
            let bag = work_off(&machines, &jobs, 0)?;
            let of = |makespan: Micros| makespan as f64 / bag.bound as f64;
            built.push(of(bag.makespan));
            unknown.push(of(in_line(&machines, &jobs)));
            known.push(of(all_known(&machines, &jobs)));
        }
        let differ = fastest * fastest / 1_000_000;
        println!("| any | {differ}x | {tasks} | {} | {} | {} |", spread(built), spread(unknown), spread(known));
    }
    println!("\nthe same with twelve types, each of a length of its own, one by one and as a batch\n");
    println!(
        "| devices differ by | tasks | one by one | batch | batch, types have run before | types known, in turn | types known, long ones first | all known |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (fastest, tasks) in [(2_000, 300), (2_000, 1_000), (4_000, 300), (4_000, 1_000)] {
        let mut columns = [const { Vec::new() }; 6];
        for seed in 0..10 {
            let (machines, jobs) = twelve_types(fastest, tasks, seed);
            let bound = bound(&machines, &jobs);
            let batch = in_a_batch(jobs.clone());
            let spans = [
                work_off(&machines, &jobs, 0)?.makespan,
                work_off(&machines, &batch, 0)?.makespan,
                work_off_again(&machines, &batch, 0)?.makespan,
                types_known(&machines, &jobs, false),
                types_known(&machines, &jobs, true),
                all_known(&machines, &jobs),
            ];
            columns.iter_mut().zip(spans).for_each(|(column, span)| column.push(span as f64 / bound as f64));
        }
        let differ = fastest * fastest / 1_000_000;
        let [one, batch, again, turn, first, known] = columns.map(spread);
        println!("| {differ}x | {tasks} | {one} | {batch} | {again} | {turn} | {first} | {known} |");
    }
    Ok(())
}

/// Prints what it takes to place many tasks of a second over many devices, of one class and of a thousand.
///
/// # Errors
/// They were not worked off.
pub fn print_place(tasks: usize, devices: usize) -> Result<(), String> {
    println!(
        "| classes | tasks of 1 s | devices | tasks of each device | makespan, of the best | processor, s | µs a task |"
    );
    println!("|---|---|---|---|---|---|---|");
    let machines: Vec<_> = (0..devices).map(|device| Machine::equal(device, 5)).collect();
    for classes in [1, 1_000] {
        let job = |n: usize| {
            let mut job = Job::new("sleep", SECOND);
            // What makes a class of its own and yet fits everywhere.
            job.spec.requirements.min_memory_bytes = Some(1 + (n % classes) as u64);
            job
        };
        let jobs: Vec<_> = (0..tasks).map(job).collect();
        let begun = processor_time();
        let bag = work_off(&machines, &jobs, 0)?;
        let took = (processor_time() - begun).as_secs_f64();
        let (least, most) = (bag.done.iter().min().unwrap_or(&0), bag.done.iter().max().unwrap_or(&0));
        let each = took * 1e6 / tasks as f64;
        println!("| {classes} | {tasks} | {devices} | {least} to {most} | {} | {took:.1} | {each:.0} |", ratio(&bag));
    }
    Ok(())
}

/// What this thread has had of the processor, where the system says so; else the time since the first call.
fn processor_time() -> Duration {
    static BEGUN: OnceLock<Instant> = OnceLock::new();
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let had = text.and_then(|text| text.split_whitespace().next()?.parse().ok());
    had.map_or_else(|| BEGUN.get_or_init(Instant::now).elapsed(), Duration::from_nanos)
}

fn ratio(bag: &Bag) -> String {
    format!("{:.2}", bag.makespan as f64 / bag.bound as f64)
}
