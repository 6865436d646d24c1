//! What copies of stragglers buy: the same bag with and without them.

use super::{Bag, mixed, ratio, unlike, work_off};
use crate::grid::{Job, MS, Machine, Micros, SECOND};
use crate::rng::Rng;

/// A bag that asks for copies, or does not.
///
/// # Errors
/// It was not worked off.
pub fn with(machines: &[Machine], jobs: &[Job], copies: bool) -> Result<Bag, String> {
    let mut jobs = jobs.to_vec();
    jobs.iter_mut().for_each(|job| job.spec.speculative = copies);
    work_off(machines, &jobs, 0)
}

/// Eight equal devices of which one works at a twentieth of its speed, and nobody can tell by its record.
#[must_use]
pub fn one_is_worn_out() -> Vec<Machine> {
    (0..8).map(|device| Machine::equal(device, 4).speed(if device == 5 { 50 } else { 1_000 })).collect()
}

/// Tasks of half a second to one and a half.
#[must_use]
pub fn alike(tasks: usize, rng: &mut Rng) -> Vec<Job> {
    (0..tasks).map(|_| Job::new("sleep", rng.between(SECOND / 2, 3 * SECOND / 2))).collect()
}

fn middle(mut all: Vec<Micros>) -> Micros {
    all.sort_unstable();
    all[all.len() / 2]
}

/// Draws devices and tasks from a seed.
type Draw<'a> = &'a dyn Fn(u64) -> (Vec<Machine>, Vec<Job>);

/// Prints tables.
///
/// # Errors
/// A bag that was not worked off.
pub fn print() -> Result<(), String> {
    println!("copies of stragglers: ten seeds each, with and without\n");
    println!("| bag | copies | makespan, of the best | median makespan, s | p99 of completion, s | attempts more |");
    println!("|---|---|---|---|---|---|");
    let worn = |tasks, seed| (one_is_worn_out(), alike(tasks, &mut Rng::new(seed)));
    let bags: [(&str, Draw<'_>); 4] = [
        ("300 of 0.5 to 1.5 s, one of eight devices at a twentieth", &|seed| worn(300, seed)),
        ("1,000 of them", &|seed| worn(1_000, seed)),
        ("300 of 10 ms to 10 s, devices 4x", &|seed| small(2_000, seed)),
        ("300 of 10 ms to 10 s, devices 16x", &|seed| small(4_000, seed)),
    ];
    for (name, draw) in bags {
        for copies in [false, true] {
            let (mut ratios, mut spans, mut tails, mut extra) = (Vec::new(), Vec::new(), Vec::new(), 0);
            for seed in 0..10 {
                let (machines, jobs) = draw(seed);
                let bag = with(&machines, &jobs, copies)?;
                ratios.push(ratio(&bag));
                spans.push(bag.makespan);
                tails.push(bag.p99);
                extra += bag.extra;
            }
            ratios.sort();
            let seconds = |micros: Micros| format!("{:.1}", (micros / MS) as f64 / 1_000.0);
            let yes = if copies { "with" } else { "without" };
            let (span, tail) = (seconds(middle(spans)), seconds(middle(tails)));
            println!("| {name} | {yes} | {} to {} | {span} | {tail} | {} |", ratios[0], ratios[9], extra / 10);
        }
    }
    Ok(())
}

/// A small bag on unlike devices.
#[must_use]
pub fn small(fastest: u64, seed: u64) -> (Vec<Machine>, Vec<Job>) {
    let mut rng = Rng::new(seed);
    let machines = unlike(8, fastest, &mut rng);
    let jobs = mixed(300, &mut rng);
    (machines, jobs)
}
