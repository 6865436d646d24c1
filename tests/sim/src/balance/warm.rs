//! What it is worth that a task goes where its type has lately run: first attempts of a type on a device that has not lately run one take
//! longer. The same work with the term and without it.

use crate::grid::{Grid, Job, MS, Machine, Micros, SECOND};
use crate::rng::Rng;

/// How it went.
#[derive(Clone, Copy, Debug)]
pub struct Warmth {
    /// Attempts that found their type not ready.
    pub cold: usize,
    /// From the submit to the end, on average.
    pub response: Micros,
    /// Tasks of the device that ran most.
    pub most: usize,
}

/// Tasks of so many types come one by one, so far apart, at a device that runs none, and go to six equal ones; of 300 ms each, and a second
/// more for a type that is not ready there.
///
/// # Errors
/// They were not worked off.
pub fn types_come_and_go(types: usize, tasks: usize, apart: Micros, affinity: bool) -> Result<Warmth, String> {
    let names: Vec<_> = (0..types).map(|n| format!("type-{n}")).collect();
    let mut machines: Vec<_> = (0..7).map(|device| Machine::equal(device, if device == 0 { 0 } else { 2 })).collect();
    machines.iter_mut().for_each(|machine| machine.capacity.task_types.extend(names.iter().cloned()));
    let mut grid = Grid::of(machines);
    (grid.cold, grid.hides_affinity) = (SECOND, !affinity);
    grid.meet()?;
    let mut rng = Rng::new(11);
    for _ in 0..tasks {
        grid.submit_all(0, &[Job::new(&names[rng.index(types)], 300 * MS)]);
        grid.run_to(grid.now + rng.between(apart / 2, apart * 3 / 2));
    }
    grid.until_ended(tasks, grid.now + 3_600 * SECOND)?;
    let cold = grid.ran.iter().filter(|ran| ran.ended - ran.started > SECOND).count();
    let response = grid.told.values().map(|(begun, told)| told - begun).sum::<u64>() / tasks as u64;
    let on = |device| grid.ran.iter().filter(|ran| ran.device == device).count();
    Ok(Warmth { cold, response, most: (1..7).map(on).max().unwrap_or(0) })
}

/// Prints the table.
///
/// # Errors
/// Work that was not done.
pub fn print() -> Result<(), String> {
    const TASKS: usize = 600;
    println!(
        "\n{TASKS} tasks of 300 ms on six equal devices with two slots, a second more where the type is not ready\n"
    );
    println!(
        "| types | one task each | not ready, with affinity | without | submit to end, ms | without | most on a device | without |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for types in [4, 8, 24] {
        for apart in [400 * MS, 150 * MS, 80 * MS] {
            let [with, without] =
                [types_come_and_go(types, TASKS, apart, true)?, types_come_and_go(types, TASKS, apart, false)?];
            println!(
                "| {types} | {} ms | {} | {} | {} | {} | {} | {} |",
                apart / MS,
                with.cold,
                without.cold,
                with.response / MS,
                without.response / MS,
                with.most,
                without.most
            );
        }
    }
    Ok(())
}
