//! Who goes first, and how long who comes last waits.

use crate::grid::{Grid, Job, MS, Machine, Micros, SECOND};
use rc_scheduler::Priority;

fn equal(devices: usize, slots: u32) -> Vec<Machine> {
    (0..devices).map(|device| Machine::equal(device, slots)).collect()
}

/// Behind so many background tasks of this length, submitted at one of three devices, an urgent one is submitted at each: how long
/// each waits for its start.
///
/// # Errors
/// One did not start at all.
pub fn urgent_behind(background: usize, length: Micros) -> Result<Vec<Micros>, String> {
    let mut grid = Grid::of(equal(3, 5));
    grid.meet()?;
    grid.submit_all(0, &vec![Job::new("sleep", length).priority(Priority::Background); background]);
    grid.run_to(grid.now + 2 * SECOND);
    (0..3)
        .map(|device| {
            grid.run_to(grid.now + SECOND + 7 * MS);
            let begun = grid.now;
            let before = grid.ran.len();
            grid.submit_all(device, &[Job::new("sleep", length).priority(Priority::Urgent)]);
            while grid.now < begun + 20 * length + 10 * SECOND {
                grid.run_to(grid.now + 5 * MS);
                let urgent = grid.ran[before..].iter().find(|ran| ran.priority == Priority::Urgent);
                if let Some(ran) = urgent {
                    return Ok(ran.started - begun);
                }
            }
            Err(format!("an urgent task at {device} does not start"))
        })
        .collect()
}

/// How a background task fares under a stream of urgent ones that is more than the devices can do.
#[derive(Clone, Copy, Debug)]
pub struct Starved {
    /// How long it waited for its start.
    pub waited: Micros,
    /// Urgent tasks that were started meanwhile.
    pub overtook: usize,
}

/// An endless stream of urgent tasks of this length is submitted at one device, twice as many as two devices can do, and a background
/// task at device `at`.
///
/// # Errors
/// It did not start within `by`.
pub fn background_under(length: Micros, at: usize, by: Micros) -> Result<Starved, String> {
    let mut grid = Grid::of(equal(2, 2));
    grid.meet()?;
    let urgent = vec![Job::new("sleep", length).priority(Priority::Urgent); 8];
    for _ in 0..10 {
        grid.submit_all(0, &urgent);
        grid.run_to(grid.now + length);
    }
    let (begun, before) = (grid.now, grid.ran.len());
    grid.submit_all(at, &[Job::new("sleep", length).priority(Priority::Background)]);
    while grid.now < begun + by {
        grid.submit_all(0, &urgent);
        grid.run_to(grid.now + length);
        if let Some(ran) = grid.ran[before..].iter().find(|ran| ran.priority == Priority::Background) {
            return Ok(Starved { waited: ran.started - begun, overtook: grid.ran.len() - before - 1 });
        }
    }
    Err(format!("a background task has not started after {} s", by / SECOND))
}

/// Two submitters, one with `many` tasks and one, a little later, with `few`: at the same device or at two. How many of the first one's
/// tasks were started between the first and the last start of the other's.
///
/// # Errors
/// They were not worked off.
pub fn shared(many: usize, few: usize, same_device: bool) -> Result<usize, String> {
    let mut grid = Grid::of(equal(3, 5));
    grid.meet()?;
    let of = |name: &str, length| {
        let mut job = Job::new("sleep", length);
        job.spec.submitter = Some(name.to_owned());
        job
    };
    grid.submit_all(0, &vec![of("many", 200 * MS); many]);
    grid.run_to(grid.now + 2 * SECOND);
    let begun = grid.now;
    // Told apart by their length.
    grid.submit_all(usize::from(!same_device), &vec![of("few", 199 * MS); few]);
    while grid.now < begun + 3_600 * SECOND {
        grid.run_to(grid.now + 100 * MS);
        let of_few: Vec<_> =
            grid.ran.iter().enumerate().filter(|(_, ran)| ran.ended - ran.started == 199 * MS).collect();
        if of_few.len() == few {
            return Ok(of_few[few - 1].0 - of_few[0].0 + 1 - few);
        }
    }
    Err("the tasks of one submitter do not end".to_owned())
}
