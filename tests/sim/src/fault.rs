//! Faults and when they happen: for each class a schedule drawn from the seed.

pub mod absurd;
mod cuts;
mod members;

use crate::class::Class;
use crate::clock::{MS, Micros, SECOND};
use crate::rng::Rng;
use serde::{Deserialize, Serialize};

/// One thing that goes wrong, or comes right again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Fault {
    /// Nothing gets from one device to another any more. Counted: as many `Mend` end it.
    Cut(usize, usize),
    /// Ends one `Cut`.
    Mend(usize, usize),
    /// The link between two devices closes on both sides; both may dial again.
    Close(usize, usize),
    /// `SIGKILL` after so many more effects: the kernel closes the links.
    Kill(usize, u32),
    /// The power goes after so many more effects: silence.
    PowerOff(usize, u32),
    /// This device meets this fate after so many more effects, and is back so long after that.
    Meet(usize, u32, Fate, Micros),
    /// The device starts (again).
    Boot(usize),
    /// The device is gone, with its disk.
    Destroy(usize),
    /// Core and attempts stop.
    Suspend(usize),
    /// The core stops.
    Freeze(usize),
    /// The attempts stop.
    Stall(usize),
    /// What was stopped goes on.
    Wake(usize),
    /// From now on a flush takes up to this long.
    Disk(usize, Micros),
    /// The disk refuses, or takes again.
    Full(usize, bool),
    /// The wall clock shows this many milliseconds since 1970.
    Wall(usize, u64),
    /// From now on one way takes up to this long on this direction.
    Latency(usize, usize, Micros),
    /// This many of a million frames vanish, and a quarter as many come twice.
    FrameLoss(u32),
    /// This many of a million gossiped records vanish.
    GossipLoss(u32),
    /// Old gossip comes again.
    GossipReplay(usize),
    /// Attempts hang.
    Hang(bool),
    /// The owner wants the device back; the flag: at once, else when what runs is done.
    Pause(usize, bool),
    /// The owner gives it again.
    Resume(usize),
    /// The device lives off its battery from now on, or off the mains.
    Battery(usize, bool),
    /// From now on the processor is found to be so busy, parts per million; zero: as it happens.
    Load(usize, u32),
    /// The process is killed, and its attempts live on.
    Orphan(usize),
    /// The disk is remembered as it is now.
    Snapshot(usize),
    /// The device dies, and its disk is what was remembered; the flag: its boot counter, too.
    Rollback(usize, bool),
    /// The second host is given a copy of the first one's disk, key included, and starts.
    Copy(usize, usize),
    /// The first device hears something absurd from the second; the number says what.
    Absurd(usize, usize, u8),
    /// One device learns that another one is a member of this kind.
    Member {
        /// Who learns it.
        at: usize,
        /// Of whom.
        of: usize,
        /// It keeps tasks of others.
        keeps: bool,
        /// It has left.
        retired: bool,
        /// It was thrown out.
        revoked: bool,
    },
}

/// What can become of a device between two of its effects.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Fate {
    /// `SIGKILL`: the kernel closes the links.
    Kill,
    /// No power: silence.
    PowerOff,
    /// Core and attempts stop.
    Suspend,
    /// The core stops.
    Freeze,
    /// The attempts stop.
    Stall,
}

impl Fate {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Kill, Self::PowerOff, Self::Suspend, Self::Freeze, Self::Stall];
}

/// A fault and its time.
pub type Timed = (Micros, Fault);

/// The time at which devices are settled in and work begins.
pub const CALM_BEFORE: Micros = 4 * SECOND;

/// Draws what goes wrong among `n` devices up to `end`.
#[must_use]
pub fn schedule(class: Class, n: usize, end: Micros, rng: &mut Rng) -> Vec<Timed> {
    let mut out = Vec::new();
    if class == Class::Mixed {
        for _ in 0..rng.between(2, 6) {
            let class = rng.pick(Class::ALL);
            if !matches!(class, Class::Mixed | Class::DiskDeath | Class::Rollback | Class::Leave | Class::Twins) {
                draw(class, n, end, rng, &mut out);
            }
        }
    } else {
        draw(class, n, end, rng, &mut out);
    }
    out.sort_by_key(|(at, _)| *at);
    out
}

fn draw(class: Class, n: usize, end: Micros, rng: &mut Rng, out: &mut Vec<Timed>) {
    let moment = |rng: &mut Rng| rng.between(CALM_BEFORE, end);
    match class {
        Class::None
        | Class::WallClock
        | Class::Drift
        | Class::Join
        | Class::Mixed
        | Class::StaleFrames
        | Class::QueueFull
        | Class::Clients
        | Class::Spurious => {}
        Class::Absurd => {
            for _ in 0..rng.between(1, 12) {
                let (a, b) = two(n, rng);
                out.push((moment(rng), Fault::Absurd(a, b, rng.index(absurd::KINDS) as u8)));
            }
        }
        Class::Bridge | Class::Ring | Class::TakeoverCut | Class::SplitRestart => cuts::draw(class, n, end, rng, out),
        Class::JoinDeath | Class::Leave | Class::Rollback | Class::Twins => members::draw(class, n, end, rng, out),
        Class::Latency => {
            for _ in 0..rng.between(1, 6) {
                let (a, b) = two(n, rng);
                let at = moment(rng);
                out.push((at, Fault::Latency(a, b, rng.skewed(20 * MS, 8 * SECOND))));
                out.push((at + rng.skewed(SECOND, 20 * SECOND), Fault::Latency(a, b, 0)));
            }
        }
        Class::FrameLoss => {
            for _ in 0..rng.between(1, 4) {
                let at = moment(rng);
                out.push((at, Fault::FrameLoss(rng.skewed(1_000, 300_000) as u32)));
                out.push((at + rng.skewed(SECOND, 20 * SECOND), Fault::FrameLoss(0)));
            }
        }
        Class::OneWay | Class::PairCut => {
            let mut apart = Vec::new();
            for _ in 0..rng.between(1, 3) {
                let (a, b) = two(n, rng);
                let at = moment(rng);
                let mend = at + rng.skewed(SECOND, 40 * SECOND);
                apart.push((a, b, at, mend));
                // Of three or more devices none is left without any other: that would be a split.
                if n > 2 && [a, b].iter().any(|device| cuts::is_alone(*device, n, &apart)) {
                    apart.pop();
                } else {
                    cut(&[(a, b)], class == Class::OneWay, at, mend, out);
                }
            }
        }
        Class::Partition => {
            for _ in 0..rng.between(1, 2) {
                let pairs = split(n, rng);
                let at = moment(rng);
                let mend = at + rng.skewed(SECOND, 60 * SECOND);
                cut(&pairs, rng.chance(100_000), at, mend, out);
            }
        }
        Class::Flap => {
            let pairs = if rng.chance(500_000) { vec![two(n, rng)] } else { split(n, rng) };
            let one_way = rng.chance(200_000);
            let mut at = moment(rng);
            for _ in 0..rng.between(2, 8) {
                let mend = at + rng.between(2 * SECOND, 7 * SECOND);
                cut(&pairs, one_way, at, mend, out);
                at = mend + rng.between(SECOND / 5, 7 * SECOND);
            }
        }
        Class::CrashOne
        | Class::PowerOne
        | Class::Suspend
        | Class::Freeze
        | Class::NoDown
        | Class::Orphans
        | Class::StoppedClock => {
            one_at_a_time(class, n, end, rng, out);
        }
        Class::Retention => {
            one_at_a_time(Class::PowerOne, n, end, rng, out);
            for _ in 0..rng.between(0, 2) {
                let device = rng.index(n);
                let at = moment(rng);
                out.push((at, Fault::Disk(device, rng.skewed(50 * MS, 2 * SECOND))));
                out.push((at + rng.skewed(SECOND, 20 * SECOND), Fault::Disk(device, 0)));
            }
        }
        Class::Crash => {
            for _ in 0..rng.between(2, 8) {
                let device = rng.index(n);
                let at = moment(rng);
                out.push((at, die(device, rng)));
                out.push((at + down_for(rng), Fault::Boot(device)));
            }
        }
        Class::Blackout => {
            let at = moment(rng);
            for device in 0..n {
                out.push((at + rng.skewed(0, 300 * MS), Fault::PowerOff(device, 0)));
                out.push((at + SECOND + down_for(rng), Fault::Boot(device)));
            }
        }
        Class::DiskDeath => {
            out.push((moment(rng), Fault::Destroy(rng.index(n))));
            if n > 3 && rng.chance(500_000) {
                out.push((moment(rng), Fault::Destroy(rng.index(n))));
            }
        }
        Class::SlowDisk => {
            for _ in 0..rng.between(1, 4) {
                let device = rng.index(n);
                let at = moment(rng);
                let never = rng.chance(200_000);
                let flush = if never { 25 * SECOND } else { rng.skewed(50 * MS, 4 * SECOND) };
                out.push((at, Fault::Disk(device, flush)));
                out.push((at + rng.skewed(SECOND, 30 * SECOND), Fault::Disk(device, 0)));
            }
        }
        Class::FullDisk => {
            for _ in 0..rng.between(1, 3) {
                let device = rng.index(n);
                let at = moment(rng);
                out.push((at, Fault::Full(device, true)));
                out.push((at + rng.skewed(SECOND, 30 * SECOND), Fault::Full(device, false)));
            }
        }
        Class::Gossip => {
            for _ in 0..rng.between(1, 4) {
                let at = moment(rng);
                out.push((at, Fault::GossipLoss(rng.pick(&[300_000, 900_000, 1_000_000]))));
                out.push((at + rng.skewed(SECOND, 60 * SECOND), Fault::GossipLoss(0)));
                out.push((moment(rng), Fault::GossipReplay(rng.index(n))));
            }
        }
        Class::Owners => {
            for _ in 0..rng.between(1, 12) {
                let device = rng.index(n);
                let at = moment(rng);
                out.push((at, Fault::Pause(device, rng.chance(700_000))));
                out.push((at + rng.skewed(100 * MS, 30 * SECOND), Fault::Resume(device)));
            }
        }
        Class::Hang => {
            out.push((moment(rng), Fault::Hang(true)));
            out.push((end, Fault::Hang(false)));
        }
    }
    match class {
        Class::WallClock => {
            for _ in 0..rng.between(1, 4) {
                let wall = rng.pick(&[0, 1, 4_102_444_800_000, 1_700_000_000_000, 1_699_999_000_000]);
                out.push((moment(rng), Fault::Wall(rng.index(n), wall)));
            }
        }
        Class::Spurious => {
            for _ in 0..rng.between(1, 10) {
                let (a, b) = two(n, rng);
                out.push((moment(rng), Fault::Close(a, b)));
            }
        }
        Class::StaleFrames => {
            for _ in 0..rng.between(1, 10) {
                let (a, b) = two(n, rng);
                let at = moment(rng);
                out.push((at, Fault::Latency(a, b, rng.skewed(20 * MS, 3 * SECOND))));
                out.push((at + rng.skewed(SECOND, 6 * SECOND), Fault::Close(a, b)));
                out.push((at + 8 * SECOND, Fault::Latency(a, b, 0)));
            }
        }
        _ => {}
    }
}

/// One device after the other, each well again, and asked by all, before the next: failures that never overlap.
fn one_at_a_time(class: Class, n: usize, end: Micros, rng: &mut Rng, out: &mut Vec<Timed>) {
    let mut at = rng.between(CALM_BEFORE, end / 2);
    while at < end {
        let device = rng.index(n);
        let back = match class {
            Class::CrashOne => {
                out.push((at, Fault::Kill(device, rng.skewed(0, 60) as u32)));
                let back = at + SECOND + down_for(rng);
                out.push((back, Fault::Boot(device)));
                back
            }
            Class::PowerOne | Class::NoDown => {
                out.push((at, Fault::PowerOff(device, rng.skewed(0, 60) as u32)));
                let back = at + SECOND + down_for(rng);
                out.push((back, Fault::Boot(device)));
                back
            }
            Class::Orphans => {
                out.push((at, Fault::Orphan(device)));
                let back = at + down_for(rng);
                out.push((back, Fault::Boot(device)));
                back
            }
            _ => {
                let fault = if class != Class::Freeze { Fault::Suspend(device) } else { Fault::Freeze(device) };
                out.push((at, fault));
                let back = at + rng.skewed(SECOND / 2, 60 * SECOND);
                out.push((back, Fault::Wake(device)));
                back
            }
        };
        at = back + rng.between(30 * SECOND, 40 * SECOND);
    }
}

fn die(device: usize, rng: &mut Rng) -> Fault {
    let effects = rng.skewed(0, 60) as u32;
    if rng.chance(500_000) { Fault::Kill(device, effects) } else { Fault::PowerOff(device, effects) }
}

fn down_for(rng: &mut Rng) -> Micros {
    match rng.index(4) {
        0 => rng.between(0, 500 * MS),
        1 => rng.between(0, 6 * SECOND),
        _ => rng.skewed(SECOND, 90 * SECOND),
    }
}

fn two(n: usize, rng: &mut Rng) -> (usize, usize) {
    let a = rng.index(n);
    let b = (a + 1 + rng.index(n.saturating_sub(1))) % n.max(1);
    (a, b)
}

/// The pairs between two groups.
fn split(n: usize, rng: &mut Rng) -> Vec<(usize, usize)> {
    let mut order: Vec<usize> = (0..n).collect();
    rng.shuffle(&mut order);
    let left = rng.between(1, (n as u64 - 1).max(1)) as usize;
    let (left, right) = order.split_at(left.min(n));
    left.iter().flat_map(|a| right.iter().map(move |b| (*a, *b))).collect()
}

fn cut(pairs: &[(usize, usize)], one_way: bool, at: Micros, mend: Micros, out: &mut Vec<Timed>) {
    for (a, b) in pairs.iter().copied().filter(|(a, b)| a != b) {
        out.push((at, Fault::Cut(a, b)));
        out.push((mend, Fault::Mend(a, b)));
        if !one_way {
            out.push((at, Fault::Cut(b, a)));
            out.push((mend, Fault::Mend(b, a)));
        }
    }
}
