//! Where work goes and in which order, in virtual time: evenly, in proportion to what devices complete, the urgent first, and nobody
//! never.

use rc_scheduler::{OVERLOAD_LOOKS, Priority};
use rc_sim::balance::order::{background_under, shared, urgent_behind};
use rc_sim::balance::warm::types_come_and_go;
use rc_sim::balance::{bound, in_a_batch, mixed, twelve_types, unlike, work_off};
use rc_sim::grid::{Grid, Job, MS, Machine, Micros, SECOND};
use rc_sim::rng::Rng;

fn equal(devices: usize, slots: u32) -> Vec<Machine> {
    (0..devices).map(|device| Machine::equal(device, slots)).collect()
}

#[test]
fn thirty_tasks_on_three_equal_idle_devices_are_ten_for_each() {
    for length in [10 * MS, 100 * MS, SECOND, 10 * SECOND] {
        for at in 0..3 {
            let bag = work_off(&equal(3, 5), &vec![Job::new("sleep", length); 30], at).unwrap();
            assert_eq!(bag.done, [10, 10, 10], "{} ms at {at}", length / MS);
        }
    }
}

#[test]
fn unlike_devices_do_work_in_proportion_to_what_they_complete() {
    let speeds = [(5, 250), (5, 1_000), (2, 1_000), (5, 4_000)];
    let machines: Vec<_> =
        speeds.iter().enumerate().map(|(at, (slots, speed))| Machine::equal(at, *slots).speed(*speed)).collect();
    let all: u64 = speeds.iter().map(|(slots, speed)| u64::from(*slots) * speed).sum();
    for (length, at) in [(10 * MS, 0), (100 * MS, 1), (SECOND, 3)] {
        let bag = work_off(&machines, &vec![Job::new("sleep", length); 2_000], at).unwrap();
        for (done, (slots, speed)) in bag.done.iter().zip(speeds) {
            let share = 2_000 * slots as usize * speed as usize / all as usize;
            let off = done.abs_diff(share);
            assert!(off <= 5 + share / 8, "{} ms: {:?}, and one should have {share}", length / MS, bag.done);
        }
    }
}

#[test]
fn a_mixed_bag_is_worked_off_nearly_as_fast_as_it_can_be() {
    for seed in 0..3 {
        let mut rng = Rng::new(seed);
        let machines = unlike(8, 2_000, &mut rng);
        let bag = work_off(&machines, &mixed(3_000, &mut rng), 0).unwrap();
        assert!(bag.makespan * 10 <= bag.bound * 13, "seed {seed}: {} of {} ms", bag.makespan / MS, bag.bound / MS);
        assert_eq!(bag.extra, 0, "nothing runs twice");
    }
}

/// Nobody knows at first how long each type takes, nor how fast the devices are, which differ by 4 and by 16.
#[test]
fn a_batch_of_many_types_is_worked_off_nearly_as_fast_as_it_can_be() {
    for (fastest, seed) in [2_000, 4_000].into_iter().flat_map(|fastest| (0..6).map(move |seed| (fastest, seed))) {
        let (machines, jobs) = twelve_types(fastest, 1_000, seed);
        let bag = work_off(&machines, &in_a_batch(jobs), 0).unwrap();
        let (took, best) = (bag.makespan / MS, bag.bound / MS);
        assert!(took * 10 <= best * 13, "up to {fastest} permille, seed {seed}: {took} of {best} ms");
        assert_eq!(bag.extra, 0, "nothing runs twice");
    }
}

/// Devices that have completed many short tasks in the last second are given as many long ones, which must not stay in line there.
#[test]
fn long_tasks_do_not_wait_behind_a_window_that_short_ones_have_made() {
    let machines = equal(4, 2);
    let mut jobs = vec![Job::new("echo", 5 * MS); 800];
    jobs.extend(vec![Job::new("sleep", 4 * SECOND); 24]);
    let bag = work_off(&machines, &jobs, 0).unwrap();
    // Three rounds, and one more for those that had to move.
    assert!(bag.makespan <= bound(&machines, &jobs) + 5 * SECOND, "{} ms", bag.makespan / MS);
    assert_eq!(bag.extra, 0, "nothing runs twice");
}

#[test]
fn an_urgent_task_overtakes_a_hundred_thousand_that_wait_within_the_length_of_one() {
    let length = 100 * MS;
    for wait in urgent_behind(100_000, length).unwrap() {
        // A round of questions for room, and two disks.
        assert!(wait <= length + 100 * MS, "{} ms", wait / MS);
    }
}

/// Urgent tasks that came more than 900 × (1 + mean run) seconds after it no longer go first: with twice as many as the devices can
/// do, those that do are done after twice that time.
#[test]
fn a_background_task_starts_under_an_endless_stream_of_urgent_ones() {
    for at in 0..2 {
        let most: Micros = 2 * 900 * (SECOND + SECOND) + 10 * SECOND;
        let found = background_under(SECOND, at, 2 * most).unwrap();
        assert!(found.waited <= most, "submitted at {at} it waited for {} s", found.waited / SECOND);
        assert!(found.overtook >= 100, "the stream was none: {found:?}");
    }
}

/// Whoever has more in line has no more of what there is, be it at the same device or at another.
#[test]
fn submitters_of_the_same_priority_share_evenly() {
    for same_device in [true, false] {
        let others = shared(2_000, 100, same_device).unwrap();
        assert!((60..=160).contains(&others), "{others} of the others beside 100, same device: {same_device}");
    }
}

/// A device whose processor has too much to do takes nothing new, and what waits there goes elsewhere, until it has less to do or what
/// ran there has ended: then it is not our work that keeps it busy, and it is not left out for ever.
#[test]
fn an_overloaded_device_takes_nothing_until_it_is_not() {
    let mut grid = Grid::of(equal(3, 4));
    grid.meet().unwrap();
    let measure = |grid: &mut Grid, ppm| {
        grid.change(1, |capacity| capacity.cpu_usage_ppm = Some(ppm));
        grid.run_to(grid.now + SECOND);
    };
    let on_it = |grid: &Grid, before: usize| grid.ran[before..].iter().any(|ran| ran.device == 1);
    (0..2 * OVERLOAD_LOOKS).for_each(|_| measure(&mut grid, 900_000));
    assert_eq!(grid.count_of_notices("Overloaded"), 0, "what keeps it busy is not ours");
    measure(&mut grid, 200_000);
    grid.submit_all(0, &vec![Job::new("sleep", 20 * SECOND); 6]);
    grid.run_to(grid.now + 100 * MS);
    (0..OVERLOAD_LOOKS).for_each(|_| measure(&mut grid, 900_000));
    assert_eq!(grid.count_of_notices("Overloaded"), 1);
    let (from, before) = (grid.now, grid.ran.len());
    grid.submit_all(0, &vec![Job::new("sleep", 500 * MS); 20]);
    grid.until_ended(20, from + 12 * SECOND).unwrap();
    assert!(!on_it(&grid, before), "it takes work");
    measure(&mut grid, 200_000);
    let before = grid.ran.len();
    grid.submit_all(0, &vec![Job::new("sleep", 500 * MS); 12]);
    grid.until_ended(32, grid.now + 8 * SECOND).unwrap();
    assert!(on_it(&grid, before), "it takes no work");
    (0..OVERLOAD_LOOKS).for_each(|_| measure(&mut grid, 900_000));
    assert_eq!(grid.count_of_notices("Overloaded"), 3);
    grid.until_ended(38, from + 60 * SECOND).unwrap();
    assert_eq!(grid.count_of_notices("Overloaded"), 4);
    let before = grid.ran.len();
    grid.submit_all(0, &vec![Job::new("sleep", 500 * MS); 40]);
    grid.until_ended(78, grid.now + 60 * SECOND).unwrap();
    assert!(on_it(&grid, before), "what ran there has ended, and it still takes no work");
}

/// Where a type has lately run, the next of its kind goes if all else is equal; and not all of them.
#[test]
fn affinity_helps_and_never_piles_up() {
    let run = |cold: Micros| {
        let mut grid = Grid::of(equal(6, 2));
        grid.cold = cold;
        grid.meet().unwrap();
        let types: Vec<_> = ["echo", "sleep"].to_vec();
        for round in 0..60 {
            grid.submit_all(0, &[Job::new(types[round % 2], 300 * MS)]);
            grid.run_to(grid.now + 700 * MS);
        }
        grid
    };
    let grid = run(SECOND);
    let cold = grid.ran.iter().filter(|ran| ran.ended - ran.started > SECOND).count();
    assert!(cold <= 6, "{cold} of 60 found nothing ready");
    // The same type in a crowd goes to all devices.
    let bag = work_off(&equal(6, 2), &vec![Job::new("sleep", SECOND); 60], 0).unwrap();
    assert_eq!(bag.done, [10; 6]);
    let mut grid = run(0);
    let before = grid.ran.len();
    grid.submit_all(0, &vec![Job::new("sleep", SECOND); 12]);
    grid.until_ended(72, grid.now + 60 * SECOND).unwrap();
    let on = |device| grid.ran[before..].iter().filter(|ran| ran.device == device).count();
    assert_eq!((0..6).map(on).collect::<Vec<_>>(), [2; 6]);
}

/// With many types and little to do fewer tasks find their type not ready, and all of them end sooner on the whole.
#[test]
fn affinity_is_worth_its_weight() {
    let [with, without] = [true, false].map(|affinity| types_come_and_go(24, 300, 400 * MS, affinity).unwrap());
    assert!(with.cold * 2 <= without.cold, "{with:?}, {without:?}");
    assert!(with.response < without.response, "{with:?}, {without:?}");
    assert!(with.most <= 2 * 300 / 6, "it piles up: {with:?}");
}

/// Tasks that wait where every device is busy are a reason to say that one is missing; tasks that nobody can run are none.
#[test]
fn a_cluster_that_has_too_little_says_so_once_a_minute() {
    let mut grid = Grid::of(equal(2, 2));
    grid.meet().unwrap();
    let mut nobody = Job::new("sleep", SECOND);
    nobody.spec.requirements.required_tags.insert("gold".to_owned());
    grid.submit_all(0, &[nobody]);
    grid.run_to(grid.now + 20 * SECOND);
    assert_eq!(grid.count_of_notices("AddDevice"), 0);
    grid.submit_all(0, &vec![Job::new("sleep", 5 * SECOND).priority(Priority::High); 200]);
    grid.run_to(grid.now + 90 * SECOND);
    assert_eq!(grid.count_of_notices("AddDevice"), 2);
}

/// The best device of an urgent task may have room, and is asked; meanwhile a less urgent one does not take the last room that is in hand
/// elsewhere, and if the best device has room it is not held up for longer than the question takes.
#[test]
fn a_less_urgent_task_does_not_take_the_room_that_an_urgent_one_may_need() {
    for best_is_full in [true, false] {
        // One that accepts and runs nothing, the best device, a slower one, and another one that accepts.
        let mut machines = vec![Machine::equal(0, 0), Machine::equal(1, 1), Machine::equal(2, 1), Machine::equal(3, 0)];
        machines[2].capacity.cpu_usage_ppm = Some(990_000);
        for (device, machine) in machines.iter_mut().enumerate() {
            machine.capacity.tags = [format!("d{device}")].into();
        }
        let mut grid = Grid::of(machines);
        grid.meet().unwrap();
        let on = |device: usize, length| {
            let mut job = Job::new("sleep", length);
            job.spec.requirements.required_tags.insert(format!("d{device}"));
            job
        };
        if best_is_full {
            grid.submit_all(3, &[on(1, 30 * SECOND)]);
            grid.run_to(grid.now + 4 * SECOND);
        }
        // Leaves room in hand on the slower one.
        grid.submit_all(0, &[on(2, 5 * MS), on(2, 5 * MS)]);
        grid.run_to(grid.now + 60 * MS);
        let (begun, before) = (grid.now, grid.ran.len());
        let slow = on(2, 20 * SECOND).priority(Priority::Background);
        grid.submit_all(0, &[slow, Job::new("echo", SECOND).priority(Priority::Urgent)]);
        grid.run_to(grid.now + 25 * SECOND);
        let start = |priority| {
            let ran = grid.ran[before..].iter().find(|ran| ran.priority == priority).expect("it has begun");
            (ran.device, (ran.started - begun) / MS)
        };
        let (urgent, background) = (start(Priority::Urgent), start(Priority::Background));
        assert_eq!(urgent.0, if best_is_full { 2 } else { 1 }, "{best_is_full}");
        assert!(urgent.1 <= 50, "an urgent task waits for {} ms", urgent.1);
        let most = if best_is_full { 1_100 } else { 50 };
        assert!(background.1 <= most, "and the other one for {} ms", background.1);
    }
}
