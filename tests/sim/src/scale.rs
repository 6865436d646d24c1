//! What the number of devices costs: many cores in one thread and virtual time, with nothing broken and nothing checked, so that a
//! thousand of them fit. Counts what they say to each other while they meet, idle, work, change and lose one; and takes the time of
//! placing. Every two devices are linked, as the network of the node links them.
//!
//! `cargo sim --scale [10,100,1000]` prints a table.

use crate::grid::{Count, Grid, MS, Micros, SECOND};
use crate::rng::Rng;
use rc_scheduler::{Candidate, DeviceRecord, TaskId, TaskSpec, pick};
use std::time::{Duration, Instant};

/// Tasks submitted, one at a time, at devices spread over all.
const TASKS: usize = 100;
/// Between two of them.
const TASK_EVERY: Micros = 20 * MS;
/// Placements timed for each figure.
const PICKS: usize = 200;

/// What one size cost.
#[derive(Debug, Default)]
struct Row {
    devices: usize,
    meet_ms: u64,
    meet: Count,
    idle_s: f64,
    idle: Count,
    work: Count,
    task_ms: f64,
    burst: Count,
    burst_ms: f64,
    submit_us: f64,
    pick_us: f64,
    pick_equal_us: f64,
    change_ms: u64,
    loss_ms: u64,
    loss: Count,
}

/// Messages that a task costs, and a loss. Counted, not timed: the same on every machine.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Facts and acknowledgements of a task.
    pub facts: f64,
    /// Questions for room and answers of a task, of those submitted one at a time at one device after the other.
    pub credit: f64,
    /// The same of those that all devices submit at the same moment.
    pub credit_at_once: f64,
    /// What each device sends when one falls silent, beats left out.
    pub loss: f64,
}

/// What a cluster of so many devices pays.
///
/// # Errors
/// A cluster that did not come to rest.
pub fn cost(devices: usize) -> Result<Cost, String> {
    let row = measure(devices)?;
    let (tasks, devices) = (TASKS as f64, devices as f64);
    Ok(Cost {
        facts: row.work.facts.messages as f64 / tasks,
        credit: row.work.credit.messages as f64 / tasks,
        credit_at_once: row.burst.credit.messages as f64 / devices,
        loss: (row.loss.talk.messages + row.loss.facts.messages) as f64 / devices,
    })
}

/// Prints the table for these sizes.
///
/// # Errors
/// A list that is none, or a cluster that did not come to rest.
pub fn print(sizes: Option<&str>) -> Result<(), String> {
    let sizes = sizes.unwrap_or("10,100,1000").split(',').map(|size| match size.trim().parse() {
        Ok(size) if (2..=2_000).contains(&size) => Ok(size),
        _ => Err(format!("{size}: 2 to 2000 devices")),
    });
    let sizes: Vec<usize> = sizes.collect::<Result<_, _>>()?;
    let mut rows = Vec::new();
    for devices in sizes {
        eprintln!("{devices} devices …");
        rows.push(measure(devices)?);
    }
    table(&rows);
    Ok(())
}

fn measure(devices: usize) -> Result<Row, String> {
    let mut row = Row { devices, ..Row::default() };
    let mut grid = Grid::new(devices);
    (0..devices - 1).for_each(|device| grid.come(device));
    grid.run_to(grid.now + SECOND);
    grid.take();
    let begun = grid.now;
    grid.come(devices - 1);
    grid.until("all know all", Grid::is_whole)?;
    row.meet_ms = (grid.now - begun) / MS;
    row.meet = grid.take();

    // What meeting leaves behind, the first gossip and the first comparison, is over.
    grid.run_to(grid.now + 3 * SECOND);
    grid.take();
    let idle = if devices > 300 { 2 } else { 10 };
    grid.run_to(grid.now + idle * SECOND);
    (row.idle, row.idle_s) = (grid.take(), idle as f64);

    for task in 0..TASKS {
        grid.submit(task * devices / TASKS % devices);
        grid.run_to(grid.now + TASK_EVERY);
    }
    grid.until("all tasks ended", |grid| grid.ended == TASKS)?;
    // Stable marks and acknowledgements are under way yet.
    grid.run_to(grid.now + SECOND);
    row.work = grid.take();
    row.task_ms = mean_ms(&grid, TASKS);

    (grid.ended, grid.task_micros) = (0, 0);
    (0..devices).for_each(|device| grid.submit(device));
    grid.until("all tasks ended that were submitted at once", |grid| grid.ended == devices)?;
    grid.run_to(grid.now + SECOND);
    row.burst = grid.take();
    row.burst_ms = mean_ms(&grid, devices);
    row.submit_us = median_us(&mut grid.time_submits(PICKS));

    // A device tells of itself once in a second.
    grid.run_to(grid.now + 2 * SECOND);
    grid.pause(0);
    row.change_ms = grid.until("all know that one is paused", |grid| grid.know_paused(0))? / MS;
    grid.take();
    grid.vanish(devices - 1);
    row.loss_ms = grid.until("all know that one is gone", |grid| grid.know_gone(devices - 1))? / MS;
    row.loss = grid.take();

    let records = grid.records();
    row.pick_us = time_picks(&records);
    let equal = records.iter().map(|record| DeviceRecord { device: record.device, ..records[0].clone() });
    let equal: Vec<_> = equal.collect();
    row.pick_equal_us = time_picks(&equal);
    Ok(row)
}

/// Milliseconds from a submit to its task's end.
fn mean_ms(grid: &Grid, tasks: usize) -> f64 {
    grid.task_micros as f64 / tasks as f64 / MS as f64
}

/// Microseconds to choose among these devices.
fn time_picks(records: &[DeviceRecord]) -> f64 {
    let spec = TaskSpec { task_type: "echo".to_owned(), ..TaskSpec::default() };
    let mut rng = Rng::new(1);
    let mut times = Vec::new();
    for _ in 0..PICKS {
        let task = TaskId(rng.bytes());
        let begun = Instant::now();
        let found = pick(task, &spec, records.iter().map(Candidate::new));
        times.push(begun.elapsed());
        assert!(found.is_some(), "every device fits an echo");
    }
    median_us(&mut times)
}

/// The one in the middle: what else the machine does meanwhile counts little.
fn median_us(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, |time| time.as_secs_f64() * 1e6)
}

fn table(rows: &[Row]) {
    let line = |name: &str, value: &dyn Fn(&Row) -> String| {
        let values: Vec<_> = rows.iter().map(value).collect();
        println!("| {name} | {} |", values.join(" | "));
    };
    line("devices", &|row| row.devices.to_string());
    println!("|---|{}", "---|".repeat(rows.len()));
    let per_task = |count: u64| format!("{:.1}", count as f64 / TASKS as f64);
    line("frames of facts and acknowledgements per task", &|row| per_task(row.work.facts.messages));
    line("bytes of them", &|row| per_task(row.work.facts.bytes));
    line("questions for room and answers per task", &|row| per_task(row.work.credit.messages));
    line("bytes of them", &|row| per_task(row.work.credit.bytes));
    line("submit to end, ms (1 ms a hop, 2 ms a disk, 5 ms a run)", &|row| format!("{:.1}", row.task_ms));
    let per_device = |row: &Row, count: u64| format!("{:.1}", count as f64 / row.devices as f64);
    line("a task at every device at once: questions for room and answers per task", &|row| {
        per_device(row, row.burst.credit.messages)
    });
    line("submit to end of these, ms", &|row| format!("{:.1}", row.burst_ms));
    line("to accept and place one in the core, µs of processor", &|row| format!("{:.0}", row.submit_us));
    line("choosing among all, all different, µs", &|row| format!("{:.1}", row.pick_us));
    line("choosing among all, all equal, µs", &|row| format!("{:.1}", row.pick_equal_us));
    let per_second = |row: &Row, count: u64| format!("{:.1}", count as f64 / row.idle_s / row.devices as f64);
    line("idle: beats sent per device and second", &|row| per_second(row, row.idle.beats.messages));
    line("idle: bytes of beats per device and second", &|row| per_second(row, row.idle.beats.bytes));
    line("idle: bytes of the rest per device and second", &|row| {
        per_second(row, row.idle.facts.bytes + row.idle.talk.bytes + row.idle.gossip.bytes)
    });
    line("one more comes: all know it, and it all, ms", &|row| row.meet_ms.to_string());
    line("messages of that per device, beats left out", &|row| {
        per_device(row, row.meet.talk.messages + row.meet.facts.messages)
    });
    line("a change is known to all, ms", &|row| row.change_ms.to_string());
    line("a silent loss is known to all, ms", &|row| row.loss_ms.to_string());
    line("messages of that per device, beats left out", &|row| {
        per_device(row, row.loss.talk.messages + row.loss.facts.messages)
    });
}
