//! The world: devices, the network between them, clients, and one queue of what happens next. One thread, virtual time, and no
//! randomness but the seed's.

mod clients;
mod device;
pub(crate) mod disk;
mod dispatch;
mod effects;
mod event;
mod executor;
mod faults;
mod heat;
mod laid_open;
mod life;
mod network;
mod transport;

pub use device::{Device, Doom};
pub use disk::Disk;
pub use event::{Event, Queue};
pub use executor::{Executor, Run, Stage};
pub use heat::Heat;
pub use network::Network;

use crate::class::Class;
use crate::clock::{Clock, MS, Micros, SECOND};
use crate::fault::{self, CALM_BEFORE, Fault};
use crate::names::Names;
use crate::oracle::Oracle;
use crate::plan::Plan;
use crate::rng::Rng;
use crate::trace::{Detail, Trace};
use crate::workload::{self, Op, Script};
use clients::Pending;
use rc_scheduler::{Capacity, Config, DeviceId, Member, Span};
use std::collections::BTreeMap;

/// A promise that was broken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// The invariant's name.
    pub invariant: &'static str,
    /// What happened.
    pub text: String,
}

/// Counts for budgets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Events that happened.
    pub steps: u64,
    /// Frames sent.
    pub frames: u64,
    /// Their bytes, about.
    pub bytes: u64,
    /// Gossiped records.
    pub gossip: u64,
    /// Leases written.
    pub leases: u64,
    /// Of those, copies beside another one.
    pub copies: u64,
    /// Leases handed back by devices with too much to do.
    pub moved: u64,
    /// Settlements written.
    pub settlements: u64,
    /// Attempts started.
    pub starts: u64,
    /// Entries given to disks.
    pub entries: u64,
    /// Persist effects.
    pub persists: u64,
    /// Attempts started while another of the same task, whose daemon was killed, lived on.
    pub beside_orphans: u64,
}

/// Randomness, apart for each part of the world.
pub(crate) struct Dice {
    pub(crate) net: Rng,
    pub(crate) disk: Rng,
    pub(crate) exec: Rng,
    pub(crate) order: Rng,
    pub(crate) clients: Rng,
}

/// What is wrong everywhere at the moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weather {
    pub(crate) frame_loss: u32,
    pub(crate) gossip_loss: u32,
    pub(crate) gossip_late: bool,
    pub(crate) hang: bool,
    pub(crate) stale_frames: bool,
    /// Nobody tells a core that a link is down.
    pub(crate) no_down: bool,
}

/// The world.
pub struct World {
    /// What kind of run this is.
    pub plan: Plan,
    /// True time.
    pub now: Micros,
    /// The devices.
    pub devices: Vec<Device>,
    /// The network.
    pub net: Network,
    /// The scripts.
    pub scripts: Vec<Script>,
    /// The task of each script, once one is known.
    pub tasks: BTreeMap<usize, rc_scheduler::TaskId>,
    /// Names for people.
    pub names: Names,
    /// What was told and done.
    pub oracle: Oracle,
    /// What happened.
    pub trace: Trace,
    /// Counts.
    pub stats: Stats,
    /// The first promise broken.
    pub failure: Option<Failure>,
    /// Who has left the cluster for good.
    pub left: Vec<bool>,
    /// Whose disk has forgotten what it had acknowledged: what it says itself may be old news for ever.
    pub forgetful: Vec<bool>,
    /// A device and the host that has its key, too.
    pub twins: Option<(usize, usize)>,
    /// Who runs a later version of the protocol than the others.
    pub newer: Vec<bool>,
    /// Messages go through their form on the wire.
    pub wire: bool,
    /// Everything is well now, and nothing more breaks.
    pub healed: bool,
    /// Faults that began.
    pub faults: u64,
    /// How often an owner wanted a device back.
    pub pauses: u32,
    /// Every accepted task must have been told as ended by then.
    pub told_by: Option<Micros>,
    /// The order in which a device that wakes hears its sources (see [`Event::meant_for`]); `None`: any, mixed.
    pub wake_order: Option<Vec<usize>>,
    pub(crate) queue: Queue,
    pub(crate) dice: Dice,
    pub(crate) weather: Weather,
    /// Hellos on each way in the second that is named.
    pub(crate) hellos: BTreeMap<(usize, usize), (Micros, u32)>,
    pub(crate) pending: BTreeMap<u64, Pending>,
    /// Of submits that were not answered: which earlier tasks of the same command a script waits for.
    pub(crate) after_new: BTreeMap<usize, Vec<u32>>,
    pub(crate) next_command: u64,
    pub(crate) next_stamp: u64,
    /// What clients last read of each task at each device.
    pub reads: BTreeMap<(rc_scheduler::TaskId, usize), rc_scheduler::Status>,
    /// What was known when somebody asked about a batch, by command.
    pub(crate) batch_asks: BTreeMap<u64, crate::invariants::what_is_said_of_a_batch_is_true::Asked>,
    /// How the batch that begins with a script stood at last, at each device, if all members had answered.
    pub batch_reads: BTreeMap<(usize, usize), Vec<Option<rc_scheduler::Status>>>,
}

impl World {
    /// The world of a plan, at its beginning, with nothing running yet.
    #[must_use]
    pub fn new(plan: Plan, detail: Detail, filter: Option<String>) -> Self {
        let mut rng = Rng::new(plan.seed);
        let n = plan.devices.unwrap_or_else(|| match plan.class {
            Class::None => rng.between(1, 6) as usize,
            Class::DiskDeath | Class::Bridge | Class::Leave | Class::Rollback => rng.between(3, 6) as usize,
            Class::JoinDeath | Class::Ring | Class::SplitRestart => rng.between(4, 8) as usize,
            Class::Twins => rng.between(2, 5) as usize + 1,
            _ => rng.between(2, 6) as usize,
        });
        let end = CALM_BEFORE + plan.seconds * SECOND;
        let tasks = plan.tasks.unwrap_or_else(|| rng.skewed(3, 40) as usize);
        let ids: Vec<DeviceId> = (0..n).map(|_| DeviceId(rng.bytes())).collect();
        let mut names = Names::default();
        ids.iter().enumerate().for_each(|(index, id)| names.device(*id, index));
        let joins = matches!(plan.class, Class::Join | Class::JoinDeath);
        let late = match plan.class {
            Class::Twins => 1,
            _ if joins && n > 1 => rng.between(1, n as u64 - 1) as usize,
            _ => 0,
        };
        let scripts =
            workload::scripts(plan.class, &ids[..n - late], tasks, end - 5 * SECOND.min(end / 4), &mut rng.fork());
        let all_known = !joins && plan.class != Class::Twins && rng.chance(500_000);
        let drift = matches!(plan.class, Class::Drift | Class::Mixed);
        let devices: Vec<Device> = (0..n)
            .map(|index| {
                let known: Vec<Member> = (0..n).filter(|i| all_known || *i == index).map(|i| member(ids[i])).collect();
                let clock = Clock {
                    base: rng.between(0, 1 << 40),
                    drift_ppm: if drift { rng.between(0, 20_000) as i64 - 10_000 } else { 0 },
                    wall_ms: 1_700_000_000_000 + rng.skewed(0, 2_000),
                };
                new_device(ids[index], &known, clock, &mut rng)
            })
            .collect();
        let mut devices = devices;
        if plan.class == Class::Retention {
            set_retention(&mut devices, plan.seed);
        }
        if plan.class == Class::QueueFull {
            devices.iter_mut().for_each(|device| device.config.queue_max = 6);
        }
        let dice = Dice { net: rng.fork(), disk: rng.fork(), exec: rng.fork(), order: rng.fork(), clients: rng.fork() };
        let mut world = Self {
            now: 0,
            net: Network::new(n),
            devices,
            scripts,
            tasks: BTreeMap::new(),
            names,
            oracle: Oracle::default(),
            trace: Trace::new(detail, filter),
            stats: Stats::default(),
            failure: None,
            left: vec![false; n],
            forgetful: vec![false; n],
            twins: None,
            newer: vec![false; n],
            wire: plan.seed.is_multiple_of(3),
            healed: false,
            faults: 0,
            pauses: 0,
            told_by: None,
            wake_order: None,
            queue: Queue::default(),
            dice,
            weather: Weather {
                gossip_late: matches!(plan.class, Class::Gossip | Class::Mixed),
                stale_frames: matches!(plan.class, Class::StaleFrames | Class::Mixed),
                no_down: plan.class == Class::NoDown,
                ..Weather::default()
            },
            hellos: BTreeMap::new(),
            pending: BTreeMap::new(),
            after_new: BTreeMap::new(),
            next_command: 0,
            next_stamp: 0,
            reads: BTreeMap::new(),
            batch_asks: BTreeMap::new(),
            batch_reads: BTreeMap::new(),
            plan,
        };
        for device in 0..n - usize::from(world.plan.class == Class::Twins) {
            let at = if device >= n - late { rng.between(CALM_BEFORE, end) } else { rng.between(0, SECOND) };
            world.queue.push(at, Event::Fault(Fault::Boot(device)));
        }
        for (at, fault) in fault::schedule(world.plan.class, n, end, &mut rng) {
            world.queue.push(at, Event::Fault(fault));
        }
        world.enlist();
        world
    }

    /// Puts the scripts' submits into the queue, in place of those that are there.
    pub fn enlist(&mut self) {
        self.queue.retain(|event| !matches!(event, Event::Client(_)));
        let mut index = 0;
        while index < self.scripts.len() {
            let script = &self.scripts[index];
            self.queue.push(script.at, Event::Client(Op::Submit(index, script.device, false)));
            if let Some((device, later)) = script.twice {
                self.queue.push(script.at + later, Event::Client(Op::Submit(index, device, true)));
            }
            index += script.batch + 1;
        }
    }

    /// Lets everything happen that is due by `until`, or as much of it as no promise is broken by.
    pub fn run_until(&mut self, until: Micros) {
        let mut at_this_time = 0u32;
        while self.failure.is_none() {
            let Some((at, event)) = self.queue.pop(until) else {
                break;
            };
            at_this_time = if at == self.now { at_this_time + 1 } else { 0 };
            if at_this_time > 20_000 {
                self.fail("time_goes_on", format!("20000 events at one moment, the last: {event:?}"));
            }
            self.now = at;
            self.stats.steps += 1;
            self.trace.word(at);
            self.dispatch(event);
        }
        self.now = self.now.max(until);
    }

    /// Notes a broken promise.
    pub fn fail(&mut self, invariant: &'static str, text: String) {
        if !self.plan.class.promises(invariant) {
            return;
        }
        self.trace.line(self.now, || format!("FAILED {invariant}: {text}"));
        self.failure.get_or_insert(Failure { invariant, text });
    }

    /// The device will never be back, nor will its disk.
    #[must_use]
    pub fn is_gone(&self, device: usize) -> bool {
        self.devices[device].disk.destroyed || self.left[device]
    }

    /// The other host with the key of this one.
    #[must_use]
    pub fn twin(&self, device: usize) -> Option<usize> {
        let (original, copy) = self.twins?;
        [(original, copy), (copy, original)].into_iter().find_map(|(a, b)| (a == device).then_some(b))
    }

    /// The host that `device` means by a key: of two with one, that to which it has a link.
    pub(crate) fn host(&self, device: usize, id: DeviceId) -> Option<usize> {
        let host = self.names.index(id)?;
        let linked = |twin: &usize| self.net.conn(device, *twin).is_some();
        Some(self.twin(host).filter(linked).unwrap_or(host))
    }

    /// How many devices there are.
    #[must_use]
    pub fn n(&self) -> usize {
        self.devices.len()
    }

    /// How many tasks were ever seen.
    #[must_use]
    pub fn names_of_tasks(&self) -> usize {
        self.names.tasks()
    }

    pub(crate) fn stamp(&mut self) -> u64 {
        self.next_stamp += 1;
        self.next_stamp
    }
}

/// Each device forgets after a time of its own, and some keep only a few.
fn set_retention(devices: &mut [Device], seed: u64) {
    let mut rng = Rng::new(seed ^ 0x7265_7465_6e74_696f);
    let crowded = rng.chance(400_000);
    for device in devices {
        device.config = Config {
            retention: Span(rng.skewed(8 * SECOND, 90 * SECOND)),
            keep_max: if crowded { rng.between(1, 8) as usize } else { 100_000 },
            clock_save: Span(rng.skewed(SECOND, 20 * SECOND)),
            ..Config::default()
        };
    }
}

/// How a device first appears in the members: it keeps.
fn member(device: DeviceId) -> Member {
    Member { device, version: 0, keeps: true, retired: false, revoked: false }
}

fn new_device(id: DeviceId, known: &[Member], clock: Clock, rng: &mut Rng) -> Device {
    let capacity = Capacity {
        name: format!("{id}"),
        platform: "linux".to_owned(),
        arch: "x86_64".to_owned(),
        cpu_cores_milli: Some(4_000),
        cpu_usage_ppm: Some(rng.between(0, 500_000) as u32),
        memory_total_bytes: Some(4 << 30),
        memory_available_bytes: Some(2 << 30),
        storage_total_bytes: Some(64 << 30),
        storage_available_bytes: Some(32 << 30),
        internet: Some(true),
        mains: true,
        max_concurrent_tasks: rng.between(1, 5) as u32,
        task_types: ["echo", "sleep"].map(str::to_owned).into(),
        ..Capacity::default()
    };
    Device {
        id,
        core: None,
        life: 0,
        disk: Disk::new(known),
        executor: Executor::default(),
        clock,
        joined: false,
        host_up: true,
        asleep_since: None,
        inbox: Vec::new(),
        tick_at: None,
        tick_stamp: 0,
        doom: None,
        unfinished: Vec::new(),
        waking: false,
        effects: 0,
        config: Config::default(),
        capacity,
        load: None,
        heat: Heat::default(),
        born: 0,
        paused: None,
        wanted_back: None,
        gossiped: Vec::new(),
    }
}

/// A driver wakes up to this late.
pub(crate) const TICK_LATE_MAX: Micros = 2 * MS;
