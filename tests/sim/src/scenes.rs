//! Scenes: runs that a class draws too rarely, each drawn from a seed around one course of events.

mod crashes;
mod flows;
mod losses;
mod order;
mod owners;
mod stragglers;

use crate::class::Class;
use crate::clock::{MS, Micros, SECOND};
use crate::fault::{CALM_BEFORE, Fault};
use crate::plan::Plan;
use crate::rng::Rng;
use crate::scenario::Scenario;
use crate::workload::{Plot, Script};
use rc_scheduler::Span;

/// A scene: its name, what happens, and how it is drawn.
pub struct Scene {
    /// Its name.
    pub name: &'static str,
    /// What happens.
    pub about: &'static str,
    draw: fn(u64) -> Scenario,
}

/// Every scene.
pub const ALL: &[Scene] = &[
    Scene {
        name: "slow-disks-and-a-kill",
        about: "flushes take seconds, and one process is killed in the middle of its work",
        draw: slow_disks_and_a_kill,
    },
    Scene {
        name: "slow-links-and-a-kill",
        about: "links take up to half a second, and one process is killed in the middle of its work",
        draw: slow_links_and_a_kill,
    },
    Scene {
        name: "a-disk-falls-silent",
        about: "a disk does not answer any more, and what its device had accepted must be done by the others meanwhile",
        draw: a_disk_falls_silent,
    },
    Scene {
        name: "a-holder-that-keeps-dying",
        about: "the only device that may run a task dies again and again",
        draw: crashes::a_holder_that_keeps_dying,
    },
    Scene {
        name: "heirs-at-once",
        about: "a disk that was silent answers, and several devices learn at the same moment of what its device had accepted",
        draw: heirs_at_once,
    },
    Scene {
        name: "failing-link",
        about: "disks are slow, one device's frames stop reaching some of the others, and then its power goes",
        draw: losses::failing_link,
    },
    Scene {
        name: "dies-at-its-end",
        about: "a device dies at any effect around the ends of its attempts, others begin again, and it returns",
        draw: losses::dies_at_its_end,
    },
    Scene {
        name: "a-holder-is-back-soon",
        about: "a holder loses power while the ends of its attempts are on their way to its disk, and is back before it is missed",
        draw: losses::a_holder_is_back_soon,
    },
    Scene {
        name: "two-die-at-once",
        about: "of four devices that work two lose their power at the same moment: what only one of the others has, the last one gets",
        draw: two_die_at_once,
    },
    Scene {
        name: "an-old-image",
        about: "a device's disk is put back to an image that knows nothing of its last lives, and the others may have given it up or not",
        draw: losses::an_old_image,
    },
    Scene {
        name: "the-last-copy",
        about: "two devices are cut off, one has accepted tasks and dies with its disk, and the other meets those who are to keep them",
        draw: losses::the_last_copy,
    },
    Scene {
        name: "long-work-behind-short",
        about: "devices that have completed many short tasks are given long ones, so that some wait where others could begin them",
        draw: order::long_work_behind_short,
    },
    Scene {
        name: "two-who-submit",
        about: "one who submits has many tasks in line and another one comes with a few, at one device, which or whose neighbour may fail",
        draw: order::two_who_submit,
    },
    Scene {
        name: "a-batch-of-long-and-short",
        about: "a batch of tasks that take long and of such as do not, and tasks of the same types that came alone",
        draw: order::a_batch_of_long_and_short,
    },
    Scene {
        name: "urgent-among-others",
        about: "two devices have urgent tasks and such as only one device may run, and each has room in hand that the other one wants",
        draw: order::urgent_among_others,
    },
    Scene {
        name: "too-much-to-do",
        about: "a device has too much to do while it works, another one is kept busy by others for good, and one may fail",
        draw: order::too_much_to_do,
    },
    Scene {
        name: "frames-vanish",
        about: "a fifth of all frames vanishes on links that stay up",
        draw: losses::frames_vanish,
    },
    Scene {
        name: "long-work-kill",
        about: "as crash-one, with long attempts",
        draw: |seed| long(seed, Class::CrashOne),
    },
    Scene {
        name: "long-work-power",
        about: "as power-one, with long attempts",
        draw: |seed| long(seed, Class::PowerOne),
    },
    Scene {
        name: "long-work-suspend",
        about: "as suspend, with long attempts",
        draw: |seed| long(seed, Class::Suspend),
    },
    Scene { name: "long-work-cut", about: "as pair-cut, with long attempts", draw: |seed| long(seed, Class::PairCut) },
    Scene {
        name: "long-work-slow-disk",
        about: "as slow-disk, with long attempts",
        draw: |seed| long(seed, Class::SlowDisk),
    },
    Scene {
        name: "cut-off",
        about: "one device is cut off from all others for about as long as they take to give it up",
        draw: cut_off,
    },
    Scene {
        name: "back-through-one",
        about: "one device loses the others one after the other, and finds one of them again, through whom it could reach the rest",
        draw: back_through_one,
    },
    Scene {
        name: "a-device-is-wanted-back",
        about: "an owner takes a device back that works for others and has accepted work itself, and does not give it again",
        draw: owners::a_device_is_wanted_back,
    },
    Scene {
        name: "a-stream-is-wanted-back",
        about: "a device is taken back while many tiny tasks stream through it, so that some wait there",
        draw: owners::a_stream_is_wanted_back,
    },
    Scene {
        name: "a-device-is-shut-down",
        about: "a device hands back what it has and ends, at any moment after that, and is back later",
        draw: owners::a_device_is_shut_down,
    },
    Scene {
        name: "an-owner-who-cannot-decide",
        about: "the only device that may run a task is taken back and given again, again and again",
        draw: owners::an_owner_who_cannot_decide,
    },
    Scene {
        name: "a-task-that-kills",
        about: "a task takes down every device that runs it, and the devices come back",
        draw: crashes::a_task_that_kills,
    },
    Scene {
        name: "holders-out-of-reach",
        about: "the devices that may run a task are cut off one after the other, and go on with it",
        draw: crashes::holders_out_of_reach,
    },
    Scene {
        name: "a-flow",
        about: "tasks wait for others, many of them in one command, and one device fails at a time",
        draw: flows::a_flow,
    },
    Scene {
        name: "a-chain",
        about: "each task waits for the one before, which other devices keep",
        draw: flows::a_chain,
    },
    Scene {
        name: "stragglers",
        about: "attempts take a hundred times as long on one device, and must end soon all the same",
        draw: stragglers::stragglers,
    },
    Scene {
        name: "stragglers-of-all-kinds",
        about: "some ask for copies and some do not, some fail on one device or on all, some are cancelled, and power fails",
        draw: stragglers::of_all_kinds,
    },
    Scene {
        name: "stragglers-kill",
        about: "the holder of a straggler, that of its copy or their guardian is killed, and starts again",
        draw: stragglers::kill,
    },
    Scene { name: "stragglers-power", about: "the same, and power fails in place of a kill", draw: stragglers::power },
    Scene { name: "stragglers-cut", about: "the same, and the device is cut off for a while", draw: stragglers::cut },
    Scene {
        name: "stragglers-clocks",
        about: "clocks jump, drift or stop, or a device sleeps, while stragglers and their copies run",
        draw: stragglers::clocks,
    },
    Scene {
        name: "a-batch-is-asked-about",
        about: "two batches, whose acceptor dies or is cut off, and everybody asks how they stand",
        draw: flows::a_batch_is_asked_about,
    },
];

/// What a scene draws from a seed.
#[must_use]
pub fn draw(name: &str, seed: u64) -> Option<Scenario> {
    ALL.iter().find(|scene| scene.name == name).map(|scene| (scene.draw)(seed))
}

/// The devices and tasks of a class's seed, without the faults that it draws, and randomness for the scene's own.
fn stage(seed: u64, class: Class, devices: usize, seconds: u64) -> (Scenario, Rng) {
    stage_with(seed, Plan { devices: Some(devices), seconds, ..Plan::of_seed(seed).with_class(class) })
}

/// The same for a plan that says more.
fn stage_with(seed: u64, plan: Plan) -> (Scenario, Rng) {
    let mut scenario = Scenario::of(&plan);
    let devices = scenario.devices.len();
    let mut first = vec![true; devices];
    scenario.faults.retain(|(_, fault)| matches!(fault, Fault::Boot(d) if std::mem::take(&mut first[*d])));
    (scenario, Rng::new(seed ^ 0x5ce7e))
}

fn put(scenario: &mut Scenario, at: Micros, fault: Fault) {
    scenario.faults.push((at, fault));
    scenario.faults.sort_by_key(|(at, _)| *at);
}

/// Lets all work begin within `within` of the end of the calm.
fn crowd(scenario: &mut Scenario, within: Micros, rng: &mut Rng) {
    for script in scenario.scripts.values_mut() {
        script.at = CALM_BEFORE + rng.between(0, within);
    }
}

fn kill_one(scenario: &mut Scenario, device: usize, rng: &mut Rng) {
    let at = CALM_BEFORE + rng.between(SECOND / 2, 8 * SECOND);
    put(scenario, at, Fault::Kill(device, rng.skewed(0, 40) as u32));
    put(scenario, at + rng.between(12 * SECOND, 30 * SECOND), Fault::Boot(device));
}

fn slow_disks_and_a_kill(seed: u64) -> Scenario {
    let devices = 3 + seed as usize % 3;
    let (mut scenario, mut rng) = stage(seed, Class::CrashOne, devices, 60);
    crowd(&mut scenario, 8 * SECOND, &mut rng);
    let slow = rng.between(0, devices as u64 - 1) as usize;
    for device in (0..devices).filter(|d| *d == slow || rng.chance(600_000)).collect::<Vec<_>>() {
        put(&mut scenario, CALM_BEFORE, Fault::Disk(device, rng.between(200 * MS, 4 * SECOND)));
    }
    let dies = (slow + 1 + rng.index(devices - 1)) % devices;
    kill_one(&mut scenario, dies, &mut rng);
    scenario
}

fn slow_links_and_a_kill(seed: u64) -> Scenario {
    let devices = 3 + seed as usize % 3;
    let (mut scenario, mut rng) = stage(seed, Class::CrashOne, devices, 60);
    crowd(&mut scenario, 8 * SECOND, &mut rng);
    for from in 0..devices {
        for to in (0..devices).filter(|to| *to != from) {
            if rng.chance(600_000) {
                put(&mut scenario, CALM_BEFORE, Fault::Latency(from, to, rng.between(20 * MS, 240 * MS)));
            }
        }
    }
    let dies = rng.index(devices);
    kill_one(&mut scenario, dies, &mut rng);
    scenario
}

fn a_disk_falls_silent(seed: u64) -> Scenario {
    let devices = 3 + seed as usize % 2;
    let (mut scenario, mut rng) = stage(seed, Class::SlowDisk, devices, 100);
    let silent = rng.index(devices);
    crowd(&mut scenario, SECOND / 2, &mut rng);
    for script in scenario.scripts.values_mut() {
        brief(script, silent, &mut rng);
    }
    put(&mut scenario, CALM_BEFORE + rng.between(SECOND / 2, 2 * SECOND), Fault::Disk(silent, 400 * SECOND));
    scenario.told_by = Some(CALM_BEFORE + 80 * SECOND);
    scenario
}

fn two_die_at_once(seed: u64) -> Scenario {
    let (mut scenario, mut rng) = stage(seed, Class::Crash, 4, 60);
    let (one, next) = (rng.index(4), 1 + rng.index(3));
    crowd(&mut scenario, SECOND / 2, &mut rng);
    for script in scenario.scripts.values_mut() {
        let device = rng.index(4);
        brief(script, device, &mut rng);
    }
    let at = CALM_BEFORE + rng.between(6 * SECOND / 10, SECOND);
    for device in [one, (one + next) % 4] {
        put(&mut scenario, at, Fault::PowerOff(device, 0));
        put(&mut scenario, at + 40 * SECOND, Fault::Boot(device));
    }
    // Five seconds for the loss, and some for what was to be run again.
    scenario.told_by = Some(at + 25 * SECOND);
    scenario
}

/// A task that anybody can do in a moment, accepted at one device.
fn brief(script: &mut Script, device: usize, rng: &mut Rng) {
    script.device = device;
    script.length = rng.between(5 * MS, SECOND);
    script.spec.timeout = Span::from_secs(5);
    script.spec.requirements.only_devices.clear();
    script.plot = Plot::Ok;
    (script.twice, script.after, script.batch) = (None, None, 0);
}

fn heirs_at_once(seed: u64) -> Scenario {
    let devices = 3 + seed as usize % 4;
    let (mut scenario, mut rng) = stage(seed, Class::SlowDisk, devices, 60);
    let slow = rng.index(devices);
    crowd(&mut scenario, 10 * SECOND, &mut rng);
    for script in scenario.scripts.values_mut() {
        script.device = slow;
        script.twice = None;
        script.spec.side_effects = true;
        script.spec.idempotency_key = None;
    }
    put(&mut scenario, CALM_BEFORE, Fault::Disk(slow, rng.between(14 * SECOND, 30 * SECOND)));
    put(&mut scenario, CALM_BEFORE + rng.between(12 * SECOND, 20 * SECOND), Fault::Disk(slow, 0));
    scenario
}

fn cut_off(seed: u64) -> Scenario {
    let devices = 3 + seed as usize % 3;
    let (mut scenario, mut rng) = stage(seed, Class::Partition, devices, 60);
    let alone = rng.index(devices);
    crowd(&mut scenario, 5 * SECOND, &mut rng);
    for script in scenario.scripts.values_mut() {
        lengthen(script, &mut rng);
        script.device = (alone + 1) % devices;
        (script.spec.idempotency_key, script.twice) = (None, None);
    }
    let at = CALM_BEFORE + rng.between(3 * SECOND, 8 * SECOND);
    let mend = at + rng.between(5 * SECOND, 9 * SECOND);
    for other in (0..devices).filter(|other| *other != alone) {
        for (from, to) in [(alone, other), (other, alone)] {
            put(&mut scenario, at, Fault::Cut(from, to));
            put(&mut scenario, mend, Fault::Mend(from, to));
        }
    }
    scenario
}

fn back_through_one(seed: u64) -> Scenario {
    let devices = 3 + seed as usize % 2;
    let (mut scenario, mut rng) = stage(seed, Class::PairCut, devices, 60);
    let alone = rng.index(devices);
    let mut at = CALM_BEFORE;
    let others: Vec<_> = (0..devices).filter(|other| *other != alone).collect();
    for other in &others {
        at += rng.between(0, 8 * SECOND);
        for (from, to) in [(alone, *other), (*other, alone)] {
            put(&mut scenario, at, Fault::Cut(from, to));
        }
    }
    // It has given up the last one by then, and asked whoever was left.
    let back = at + rng.between(8 * SECOND, 14 * SECOND);
    let through = rng.pick(&others);
    for (from, to) in [(alone, through), (through, alone)] {
        put(&mut scenario, back, Fault::Mend(from, to));
    }
    for script in scenario.scripts.values_mut() {
        lengthen(script, &mut rng);
        script.at = back + rng.between(3 * SECOND, 12 * SECOND);
        script.device = rng.pick(&others);
    }
    scenario
}

/// An attempt that takes long, and must not run twice at once.
fn lengthen(script: &mut Script, rng: &mut Rng) {
    script.length = rng.between(6 * SECOND, 15 * SECOND);
    script.spec.timeout = Span(script.length + 20 * SECOND);
    script.spec.side_effects = true;
    if script.plot == Plot::Overrun {
        script.plot = Plot::Ok;
    }
}

/// What a class draws, with long attempts that overlap what goes wrong.
fn long(seed: u64, class: Class) -> Scenario {
    let plan = Plan { devices: Some(2 + seed as usize % 4), ..Plan::of_seed(seed).with_class(class) };
    let mut scenario = Scenario::of(&plan);
    let mut rng = Rng::new(seed ^ 0x10f6);
    scenario.scripts.values_mut().for_each(|script| lengthen(script, &mut rng));
    scenario
}
