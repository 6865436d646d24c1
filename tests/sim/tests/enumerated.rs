//! Small cases, every one of them: three devices, one or two tasks, and a device that dies, sleeps or stalls after each of its effects in
//! turn. Sampling finds what is common; here nothing between two effects is left out.

use rc_sim::clock::{MS, Micros, SECOND};
use rc_sim::fault::{CALM_BEFORE, Fate, Fault, Timed};
use rc_sim::world::World;
use rc_sim::{Class, Plan, stage};
use std::sync::atomic::{AtomicUsize, Ordering};

/// When the device's effects begin to count: a moment before the first submit.
const FROM: Micros = CALM_BEFORE - 10 * MS;

fn plan(seed: u64, class: Class, devices: usize, tasks: usize, seconds: u64) -> Plan {
    let plan = Plan { devices: Some(devices), tasks: Some(tasks), seconds, check_every: 4, ..Plan::of_seed(seed) };
    plan.with_class(class)
}

/// Everything happens at once and is over soon: what a seed draws beside that makes the cases differ.
fn hurry(world: &mut World) {
    for (index, script) in world.scripts.iter_mut().enumerate() {
        script.at = CALM_BEFORE + index as u64 * 40 * MS;
        script.length = script.length.min(600 * MS);
        script.spec.side_effects = true;
        script.cancel_after = script.cancel_after.map(|after| after.min(SECOND));
    }
}

fn play(plan: &Plan, faults: &[Timed], prepare: impl FnOnce(&mut World)) -> World {
    let faults = faults.to_vec();
    let shown = format!("{faults:?}");
    match stage(plan, faults, prepare) {
        Ok(world) => world,
        Err(failure) => panic!("{plan}, {shown}\n    {}: {}", failure.invariant, failure.text),
    }
}

/// How many effects each device has while the tasks of `plan` are submitted, run and settle.
fn effects(plan: &Plan) -> Vec<u32> {
    let mut world = World::new(Plan { seconds: 10, ..plan.clone() }, rc_sim::Detail::Hash, None);
    hurry(&mut world);
    world.enlist();
    world.restage(Vec::new());
    world.run_until(FROM);
    let before: Vec<u64> = world.devices.iter().map(|device| device.effects).collect();
    world.run_until(CALM_BEFORE + 3 * SECOND);
    world.devices.iter().zip(before).map(|(device, before)| (device.effects - before) as u32).collect()
}

/// Runs `case` for all numbers below `count`, on all processors; panics as the first that does.
fn all(count: usize, case: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    case(number);
                }
            });
        }
    });
}

const fn class_of(fate: Fate) -> Class {
    match fate {
        Fate::Kill => Class::CrashOne,
        Fate::PowerOff => Class::PowerOne,
        Fate::Suspend => Class::Suspend,
        Fate::Freeze => Class::Freeze,
        Fate::Stall => Class::Hang,
    }
}

/// One device after each of its effects, back after each of `backs`.
fn one(fates: &[Fate], sizes: &[(usize, usize)], seeds: std::ops::Range<u64>, backs: &[Micros]) {
    let mut cases = Vec::new();
    for (devices, tasks) in sizes.iter().copied() {
        for seed in seeds.clone() {
            let counts = effects(&plan(seed, Class::CrashOne, devices, tasks, 10));
            assert!(counts.iter().sum::<u32>() > 5, "something happens: {counts:?}");
            for fate in fates.iter().copied() {
                for back in backs.iter().copied() {
                    for (device, count) in counts.iter().enumerate() {
                        let after = 0..=*count;
                        cases.extend(after.map(|effect| (devices, tasks, seed, fate, back, device, effect)));
                    }
                }
            }
        }
    }
    println!("{} cases", cases.len());
    all(cases.len(), |number| {
        let (devices, tasks, seed, fate, back, device, effect) = cases[number];
        let seconds = 14 + back / SECOND;
        let plan = plan(seed, class_of(fate), devices, tasks, seconds);
        play(&plan, &[(FROM, Fault::Meet(device, effect, fate, back))], hurry);
    });
}

#[test]
fn a_crash_after_every_effect() {
    one(&[Fate::Kill, Fate::PowerOff], &[(3, 1), (3, 2)], 0..3, &[0, SECOND, 10 * SECOND]);
}

#[test]
fn a_sleep_after_every_effect() {
    let backs = [4 * SECOND, 7 * SECOND, 40 * SECOND];
    one(&[Fate::Suspend, Fate::Freeze, Fate::Stall], &[(3, 1), (3, 2)], 0..3, &backs);
}

/// Two devices, each after every `stride`-th of its effects, the second one while the first is down or soon after.
fn two(seeds: std::ops::Range<u64>, stride: usize, pairs: &[(Fate, Fate)]) {
    let backs = [(10 * SECOND, 2 * SECOND), (SECOND, 12 * SECOND)];
    let mut cases = Vec::new();
    for seed in seeds {
        let counts = effects(&plan(seed, Class::Crash, 3, 1, 10));
        for (first, second) in [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)] {
            for k in (0..=counts[first]).step_by(stride) {
                // The second one goes on counting for as long as giving up and asking takes.
                for j in (0..=counts[second] + 60).step_by(stride) {
                    for fates in pairs.iter().copied() {
                        cases.extend(backs.map(|backs| (seed, first, k, second, j, fates, backs)));
                    }
                }
            }
        }
    }
    println!("{} cases", cases.len());
    all(cases.len(), |number| {
        let (seed, first, k, second, j, fates, backs) = cases[number];
        let faults =
            [(FROM, Fault::Meet(first, k, fates.0, backs.0)), (FROM, Fault::Meet(second, j, fates.1, backs.1))];
        play(&plan(seed, Class::Crash, 3, 1, 36), &faults, hurry);
    });
}

#[test]
fn two_crashes_after_many_pairs_of_effects() {
    two(0..1, 5, &[(Fate::Kill, Fate::PowerOff), (Fate::PowerOff, Fate::Suspend)]);
}

#[test]
#[ignore = "takes many minutes"]
fn two_fates_after_every_pair_of_effects() {
    let fates = [Fate::Kill, Fate::PowerOff, Fate::Suspend, Fate::Freeze];
    let pairs: Vec<_> = fates.iter().flat_map(|a| fates.iter().map(move |b| (*a, *b))).collect();
    two(0..6, 2, &pairs);
}

/// The sources of what a device finds when it wakes: two peers, its own clock, its disk, its measurements, gossip, its attempts.
const SOURCES: [usize; 7] = [0, 1, 2, 1_000, 1_001, 1_003, 1_004];

/// Every order of `items`.
fn orders(items: &[usize]) -> Vec<Vec<usize>> {
    if items.is_empty() {
        return vec![Vec::new()];
    }
    let mut out = Vec::new();
    for (at, first) in items.iter().enumerate() {
        let rest: Vec<usize> = items.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, item)| *item).collect();
        for mut order in orders(&rest) {
            order.insert(0, *first);
            out.push(order);
        }
    }
    out
}

/// A device sleeps after every `stride`-th of its effects, and hears its sources in every order when it wakes.
fn wakes(seeds: std::ops::Range<u64>, stride: usize, sleeps: &[Micros]) {
    let mut cases = Vec::new();
    for seed in seeds {
        let counts = effects(&plan(seed, Class::Suspend, 3, 2, 10));
        for (device, count) in counts.iter().enumerate() {
            let heard: Vec<usize> = SOURCES.into_iter().filter(|source| *source != device).collect();
            let orders = orders(&heard);
            for (number, after) in (0..=*count).step_by(stride).enumerate() {
                for fate in [Fate::Suspend, Fate::Freeze] {
                    for sleep in sleeps.iter().copied() {
                        // All orders for some effects, some orders for all.
                        let every = if stride == 1 || number % 8 == 0 { 1 } else { 37 };
                        let some = orders.iter().skip(number % every).step_by(every).cloned();
                        cases.extend(some.map(|order| (seed, device, after, fate, sleep, order)));
                    }
                }
            }
        }
    }
    println!("{} cases", cases.len());
    all(cases.len(), |number| {
        let (seed, device, after, fate, sleep, order) = &cases[number];
        let faults = [(FROM, Fault::Meet(*device, *after, *fate, *sleep))];
        let plan = plan(*seed, class_of(*fate), 3, 2, 14 + sleep / SECOND);
        play(&plan, &faults, |world| {
            hurry(world);
            world.wake_order = Some(order.clone());
        });
    });
}

#[test]
fn a_device_that_wakes_hears_its_sources_in_any_order() {
    wakes(0..1, 12, &[7 * SECOND]);
}

#[test]
#[ignore = "takes many minutes"]
fn every_order_of_waking_after_every_effect() {
    wakes(0..3, 1, &[4 * SECOND, 7 * SECOND, 40 * SECOND]);
}

#[test]
#[ignore = "takes minutes"]
fn every_effect_of_clusters_of_all_sizes() {
    let backs = [0, SECOND, 4 * SECOND, 7 * SECOND, 10 * SECOND, 40 * SECOND, 3_600 * SECOND];
    one(&Fate::ALL, &[(1, 2), (2, 2), (3, 2), (4, 2), (8, 2)], 0..12, &backs);
}
