//! What went wrong in earlier drafts of the protocol, each as a scene. The numbers are those of the lessons.

mod facts;
mod keeping;

use rc_scheduler::{DeviceId, Status};
use rc_sim::clock::{Micros, SECOND};
use rc_sim::fault::{CALM_BEFORE, Fault, Timed};
use rc_sim::world::World;
use rc_sim::{Class, Plan, stage};

fn plan(seed: u64, class: Class, devices: usize, tasks: usize) -> Plan {
    Plan { devices: Some(devices), tasks: Some(tasks), ..Plan::of_seed(seed).with_class(class) }
}

fn play(plan: &Plan, faults: Vec<Timed>, prepare: impl FnOnce(&mut World)) -> World {
    let shown = format!("{faults:?}");
    match stage(plan, faults, prepare) {
        Ok(world) => world,
        Err(failure) => panic!("{plan}, {shown}\n    {}: {}", failure.invariant, failure.text),
    }
}

/// Cuts every device of `left` off from every other one.
fn apart(n: usize, left: &[usize], at: Micros, mend: Micros) -> Vec<Timed> {
    let mut faults = Vec::new();
    for a in left.iter().copied() {
        for b in (0..n).filter(|b| !left.contains(b)) {
            for (from, to) in [(a, b), (b, a)] {
                faults.push((at, Fault::Cut(from, to)));
                faults.push((mend, Fault::Mend(from, to)));
            }
        }
    }
    faults
}

/// 1: a device dies at every one of its effects while it works, for long enough that others take over, and returns with what it had
/// not told anybody. What was told stays.
#[test]
fn lesson_1_what_a_returning_device_brings_overturns_nothing() {
    for device in 0..3 {
        for effects in 0..40 {
            for power in [false, true] {
                let at = CALM_BEFORE + SECOND / 2;
                let (class, dies) = match power {
                    false => (Class::CrashOne, Fault::Kill(device, effects)),
                    true => (Class::PowerOne, Fault::PowerOff(device, effects)),
                };
                let faults = vec![(at, dies), (at + 40 * SECOND, Fault::Boot(device))];
                play(&plan(u64::from(effects), class, 3, 6), faults, |_| {});
            }
        }
    }
}

/// 3: a cancel is asked while the holder is frozen: nobody is told `cancelled` before the holder has let go or is given up, and
/// nothing starts after that.
#[test]
fn lesson_3_a_cancel_is_a_request_until_the_holder_has_let_go() {
    let mut cancelled = 0;
    for seed in 0..60 {
        let device = seed as usize % 3;
        let at = CALM_BEFORE + SECOND;
        let faults = vec![(at, Fault::Suspend(device)), (at + 30 * SECOND, Fault::Wake(device))];
        let world = play(&plan(seed, Class::Suspend, 3, 8), faults, |world| {
            for script in &mut world.scripts {
                script.cancel_after = Some(2 * SECOND);
            }
        });
        cancelled += world.oracle.told.values().flatten().filter(|told| told.status == Status::Cancelled).count();
    }
    assert!(cancelled > 20, "the scene is about cancels: {cancelled}");
}

/// 4: all lose power in the middle of their work, and one of them is late.
#[test]
fn lesson_4_a_house_that_boots_after_a_power_cut_asks_before_it_acts() {
    for seed in 0..60 {
        let late = seed as usize % 4;
        let at = CALM_BEFORE + 2 * SECOND;
        let mut faults = Vec::new();
        for device in 0..4 {
            faults.push((at, Fault::PowerOff(device, 0)));
            let wait = if device == late { seed % 20 * SECOND } else { SECOND };
            faults.push((at + SECOND + wait, Fault::Boot(device)));
        }
        play(&plan(seed, Class::Blackout, 4, 12), faults, |_| {});
    }
}

/// 8: tasks that nobody can run wait while a device comes and goes every few seconds. That writes nothing.
#[test]
fn lesson_8_a_takeover_writes_nothing() {
    let entries = |flaps: u64| {
        let faults = (0..flaps)
            .flat_map(|flap| {
                let at = CALM_BEFORE + 15 * SECOND + flap * 9 * SECOND;
                apart(3, &[0], at, at + 6 * SECOND)
            })
            .collect();
        let plan = Plan { seconds: 120, ..plan(5, Class::Flap, 3, 30) };
        let world = play(&plan, faults, |world| {
            for script in &mut world.scripts {
                script.at = CALM_BEFORE;
                script.cancel_after = None;
                script.spec.requirements.exclude_devices.clear();
                script.spec.requirements.only_devices = [DeviceId([0xee; 16])].into();
            }
        });
        assert_eq!(world.stats.starts, 0);
        world.stats.entries
    };
    let calm = entries(0);
    assert_eq!(entries(10), calm, "flapping must not cost writes");
}

/// 9: everything is submitted at once at one device of six; nobody is given more than it takes, and no lease is in vain.
#[test]
fn lesson_9_old_gossip_overloads_nobody() {
    for seed in 0..20 {
        let world = play(&plan(seed, Class::None, 6, 76), Vec::new(), |world| {
            world.scripts.iter_mut().for_each(|script| script.cancel_after = None);
        });
        assert!(world.stats.leases <= world.stats.starts * 12 / 10 + 20, "{:?}", world.stats);
    }
}

/// 10: a cluster of one never waits for anybody, and the last of two goes on.
#[test]
fn lesson_10_the_last_one_goes_on() {
    for seed in 0..20 {
        play(&plan(seed, Class::None, 1, 10), Vec::new(), |_| {});
        let faults = vec![(CALM_BEFORE + 3 * SECOND, Fault::Destroy(seed as usize % 2))];
        play(&plan(seed, Class::DiskDeath, 2, 10), faults, |_| {});
    }
}

/// 13: frames vanish on links that stay up, a third of them: counts, hashes and acknowledgements find what is missing.
#[test]
fn lesson_13_lost_frames_under_a_living_session_are_found() {
    for seed in 0..40 {
        let faults = vec![(CALM_BEFORE, Fault::FrameLoss(333_000)), (CALM_BEFORE + 30 * SECOND, Fault::FrameLoss(0))];
        play(&plan(seed, Class::FrameLoss, 4, 15), faults, |_| {});
    }
}

/// 14: a disk that does not answer for half a minute makes no guardian that nobody can replace, nor one that comes back blind.
#[test]
fn lesson_14_a_silent_disk_makes_no_zombie() {
    for seed in 0..60 {
        let device = seed as usize % 3;
        let faults = vec![
            (CALM_BEFORE + SECOND, Fault::Disk(device, 50 * SECOND)),
            (CALM_BEFORE + 3 * SECOND, Fault::Disk(device, 0)),
        ];
        play(&plan(seed, Class::SlowDisk, 3, 12), faults, |_| {});
    }
}
