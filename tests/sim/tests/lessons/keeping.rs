//! Lessons about who keeps a task.

use super::{plan, play};
use rc_scheduler::{Requirements, Status};
use rc_sim::clock::{MS, SECOND};
use rc_sim::fault::{CALM_BEFORE, Fault};
use rc_sim::world::World;
use rc_sim::{Class, Detail, Plan};

/// Everything is submitted at once at `device`, and nothing is in its way.
fn simply(world: &mut World, device: usize) {
    for (index, script) in world.scripts.iter_mut().enumerate() {
        script.at = CALM_BEFORE + SECOND + index as u64 * 5 * MS;
        script.device = device;
        script.length = 300 * MS;
        script.batch = 0;
        script.after = None;
        script.twice = None;
        script.spec.idempotency_key = None;
        (script.cancel_after, script.cancel_at_end, script.again_after) = (None, None, None);
        script.spec.requirements = Requirements::default();
    }
}

/// 5: tasks wait for a device that is away, while the disks that keep them die one after the other, each after the last one's copies
/// had time to move. Whoever has one keeps it and passes it on, whatever the ranks say now; in the end all run.
///
#[test]
fn lesson_5_duty_follows_possession() {
    for seed in 0..12 {
        let away = seed as usize % 6;
        let from = (away + 1) % 6;
        let mut faults = vec![(CALM_BEFORE, Fault::PowerOff(away, 0))];
        for (turn, device) in (0..6).filter(|device| *device != away).take(3).enumerate() {
            faults.push((CALM_BEFORE + (40 + 50 * turn as u64) * SECOND, Fault::Destroy(device)));
        }
        faults.push((CALM_BEFORE + 160 * SECOND, Fault::Boot(away)));
        let plan = Plan { seconds: 200, ..plan(seed, Class::DiskDeath, 6, 12) };
        let world = play(&plan, faults, |world| {
            simply(world, from);
            let needed = world.devices[away].id;
            world.scripts.iter_mut().for_each(|script| {
                script.spec.requirements.only_devices = [needed].into();
            });
        });
        assert_eq!(world.oracle.accepted.len(), 12, "seed {seed}");
        for task in world.oracle.accepted.keys() {
            let starts = world.oracle.starts.get(task).map_or(0, Vec::len);
            assert!(starts > 0, "seed {seed}: {task} never ran, on no disk that is left");
        }
    }
}

/// 6: a lid closes, for less and for more than anybody waits, and opens again. Of what is settled nothing moves.
#[test]
fn lesson_6_a_closed_lid_moves_nothing() {
    for seed in 0..12 {
        let lid = seed as usize % 6;
        let plan = Plan { seconds: 200, ..plan(seed, Class::Suspend, 6, 30) };
        let mut world = World::new(plan, Detail::Hash, None);
        let (short, long) = (CALM_BEFORE + 40 * SECOND, CALM_BEFORE + 80 * SECOND);
        world.restage(vec![
            (short, Fault::Suspend(lid)),
            (short + 10 * SECOND, Fault::Wake(lid)),
            (long, Fault::Suspend(lid)),
            (long + 60 * SECOND, Fault::Wake(lid)),
        ]);
        simply(&mut world, 0);
        world.enlist();
        world.run_until(short - SECOND);
        let settled = world.oracle.told.len();
        assert_eq!(settled, 30, "seed {seed}: all have ended before the lid closes");
        let before = (world.stats.entries, world.stats.leases, world.stats.settlements);
        world.run_until(CALM_BEFORE + 190 * SECOND);
        assert_eq!(world.failure, None, "seed {seed}");
        let after = (world.stats.entries, world.stats.leases, world.stats.settlements);
        assert_eq!(before, after, "seed {seed}: nothing was written for it");
    }
}

/// 11: a program that keeps nothing for others submits, hears that its tasks are stored, and is gone for good. All of them run.
#[test]
fn lesson_11_who_submits_and_leaves_leaves_no_task_that_nobody_holds() {
    for seed in 0..20 {
        let (embedded, now) = (seed as usize % 4, CALM_BEFORE);
        let no_keeper = Fault::Member { at: embedded, of: embedded, keeps: false, retired: false, revoked: false };
        let faults = vec![(now, no_keeper), (now + SECOND + 200 * MS + seed * 40 * MS, Fault::Destroy(embedded))];
        let world = play(&plan(seed, Class::DiskDeath, 4, 12), faults, |world| simply(world, embedded));
        assert!(world.oracle.accepted.len() >= 3, "seed {seed}: {}", world.oracle.accepted.len());
        for (task, accepted) in &world.oracle.accepted {
            assert!(accepted.disks.0 & !(1 << embedded) != 0, "seed {seed}: {task} is stored by nobody who stays");
            let ends = world.oracle.told.get(&(*task, 0)).into_iter().flatten();
            let ends: Vec<Status> = ends.map(|told| told.status).collect();
            assert!(!ends.is_empty(), "seed {seed}: {task} never ended");
        }
    }
}

/// 12: a device is switched off with open copies, for longer than anything is kept, and has no idea for how long. What was settled
/// and buried meanwhile it neither runs nor gives back to the others; what only it has runs, however old it is.
#[test]
fn lesson_12_what_is_over_is_known_by_name_not_by_age() {
    for seed in 0..12_u64 {
        let at = |seconds: u64| CALM_BEFORE + seconds * SECOND;
        let (away, lone) = (2, seed.is_multiple_of(2));
        // They are accepted and stored by the first second's end; those that sleep end after the device is gone.
        let mut faults = vec![(at(2), Fault::PowerOff(away, 0)), (at(70), Fault::Boot(away))];
        if lone {
            faults.extend([(at(1), Fault::PowerOff(0, 0)), (at(1), Fault::PowerOff(1, 0))]);
            faults.extend([(at(75), Fault::Boot(0)), (at(75), Fault::Boot(1))]);
        }
        let plan = Plan { seconds: 80, ..plan(seed, Class::Retention, 3, 8) };
        let world = play(&plan, faults, |world| {
            let from = if lone { away } else { 0 };
            simply(world, from);
            for script in &mut world.scripts {
                script.at = CALM_BEFORE + 500 * MS;
                script.length = 4 * SECOND;
            }
            for device in &mut world.devices {
                device.config.retention = rc_scheduler::Span::from_secs(20);
                device.config.keep_max = 100_000;
            }
        });
        assert_eq!(world.oracle.accepted.len(), 8, "seed {seed}");
        for task in world.oracle.accepted.keys() {
            assert!(world.oracle.told.contains_key(&(*task, 0)), "seed {seed}: {task} never ended");
            let late = world.oracle.starts[task].iter().any(|start| start.device == away && start.at > at(70));
            assert!(lone || !late, "seed {seed}: {task} began again where its end had not been heard");
        }
    }
}
