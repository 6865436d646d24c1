//! Many cores in one thread and virtual time, with links that all work and nothing checked, so that many of them and many tasks fit:
//! what things cost, where work goes, and in which order.

mod carry;
mod due;
mod machine;

pub use machine::{Job, Machine};

use crate::rng::Rng;
use crate::world::disk::Disk;
use due::{Due, Happens};
use rc_scheduler::{
    Blocked, Capacity, Command, Config, DeviceId, DeviceRecord, Durable, Epoch, Event, Incarnation, Input, Liveness,
    Member, Mono, NewTask, Now, Output, Priority, Scheduler, TaskId, TaskSpec,
};
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

pub use crate::clock::{MS, Micros, SECOND};

const LINK: Micros = MS;
const DISK: Micros = 2 * MS;
/// Until an attempt that is told to stop has let go.
const STOPS: Micros = 10 * MS;
/// Types that are warm on a device: as many as it tells of.
const WARM_MAX: usize = 8;
/// Tasks in one command.
const SUBMIT_MAX: usize = 10_000;
/// A record reaches everybody in so long; the network passes it on from device to device.
const GOSSIP: Micros = 50 * MS;
/// Between one device's coming and the next one's, and all of them together at most.
const COMES_EVERY: Micros = 20 * MS;
const ALL_COME: Micros = 3 * SECOND;
/// Nothing that is waited for takes longer.
const PATIENCE: Micros = 60 * SECOND;

/// Messages and their bytes on the wire, before encryption.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

/// By what they are for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    pub(crate) beats: Sum,
    /// Facts, their acknowledgements, progress.
    pub(crate) facts: Sum,
    /// Questions for room to lease, and answers.
    pub(crate) credit: Sum,
    /// Hellos, members, questions and answers, digests, records told at the beginning of a session.
    pub(crate) talk: Sum,
    /// Records, once for each device that one reaches.
    pub(crate) gossip: Sum,
}

/// An attempt that was made.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Of which task.
    pub task: TaskId,
    /// Its type.
    pub task_type: String,
    /// How urgent.
    pub priority: Priority,
    /// Where.
    pub device: usize,
    /// From when.
    pub started: Micros,
    /// Until when; the end of time if it has not ended.
    pub ended: Micros,
    /// It was stopped.
    pub stopped: bool,
}

/// The devices and what is under way.
pub struct Grid {
    /// The time.
    pub now: Micros,
    pub(crate) ended: usize,
    pub(crate) task_micros: Micros,
    cores: Vec<Scheduler>,
    ids: Vec<DeviceId>,
    index: BTreeMap<DeviceId, usize>,
    disks: Vec<Disk>,
    machines: Vec<Machine>,
    /// Types that each device lately ran to their end, the latest last.
    warm: Vec<VecDeque<String>>,
    /// How much longer the first attempt of a type takes on a device that has not lately run one.
    pub cold: Micros,
    /// Nobody hears where a type has lately run.
    pub hides_affinity: bool,
    /// Every attempt, in the order of the starts.
    pub ran: Vec<Ran>,
    running: BTreeMap<(TaskId, Epoch), (usize, usize)>,
    /// Of every task that has ended, when it was submitted and when its end was told where it was.
    pub told: BTreeMap<TaskId, (Micros, Micros)>,
    /// What devices said that an operator should know.
    pub notices: Vec<(Micros, usize, Event)>,
    /// The wake that each core asked for last, and which tick is meant for it.
    ticks: Vec<(Option<Mono>, u64)>,
    gone: Vec<bool>,
    queue: BinaryHeap<Due>,
    next: u64,
    count: Count,
    open: BTreeMap<TaskId, (usize, Micros)>,
    submitting: usize,
    rng: Rng,
}

impl Grid {
    /// So many devices that know of each other and are not linked.
    pub(crate) fn new(devices: usize) -> Self {
        let mut rng = Rng::new(17);
        Self::of((0..devices).map(|device| Machine::any(device, &mut rng)).collect())
    }

    /// These, which know of each other and are not linked.
    pub fn of(machines: Vec<Machine>) -> Self {
        let mut rng = Rng::new(7);
        let devices = machines.len();
        let ids: Vec<DeviceId> = (0..devices).map(|_| DeviceId(rng.bytes())).collect();
        let member =
            |device: &DeviceId| Member { device: *device, version: 0, keeps: true, retired: false, revoked: false };
        let members: Vec<_> = ids.iter().map(member).collect();
        let mut grid = Self {
            now: SECOND,
            ended: 0,
            task_micros: 0,
            cores: Vec::with_capacity(devices),
            index: ids.iter().enumerate().map(|(index, id)| (*id, index)).collect(),
            disks: vec![Disk::default(); devices],
            warm: vec![VecDeque::new(); devices],
            cold: 0,
            hides_affinity: false,
            ran: Vec::new(),
            running: BTreeMap::new(),
            told: BTreeMap::new(),
            notices: Vec::new(),
            machines,
            ticks: vec![(None, 0); devices],
            gone: vec![false; devices],
            queue: BinaryHeap::new(),
            next: 0,
            count: Count::default(),
            open: BTreeMap::new(),
            submitting: 0,
            rng,
            ids,
        };
        for device in 0..devices {
            let durable = Durable {
                incarnation: Incarnation { boots: 1, wakes: 0 },
                members: members.clone(),
                ..Durable::default()
            };
            let core = Scheduler::restore(grid.ids[device], Config::default(), grid.rng.bytes(), durable, grid.clock());
            grid.cores.push(core.expect("a life with a number"));
            grid.drain(device);
            grid.tell_capacity(device);
        }
        grid
    }

    /// A device comes: it is linked with all that have come before it.
    pub(crate) fn come(&mut self, device: usize) {
        for peer in 0..device {
            self.put(0, device, Happens::Up(peer));
            self.put(0, peer, Happens::Up(device));
        }
        self.run_to(self.now + COMES_EVERY.min(ALL_COME / self.cores.len() as u64));
    }

    /// Every device hears every other and has its record, and may act.
    pub(crate) fn is_whole(&self) -> bool {
        let others = self.cores.len() - 1;
        self.cores.iter().all(|core| {
            let view = core.view();
            let known = |peer: &rc_scheduler::PeerView<'_>| peer.liveness == Liveness::Up && peer.record.is_some();
            view.is_synced() && view.peers().filter(known).count() == others
        })
    }

    /// All come, and rest.
    ///
    /// # Errors
    /// They do not find each other.
    pub fn meet(&mut self) -> Result<(), String> {
        (0..self.cores.len()).for_each(|device| self.come(device));
        self.until("all know all", Self::is_whole)?;
        self.run_to(self.now + 3 * SECOND);
        Ok(())
    }

    /// A task at a device.
    pub(crate) fn submit(&mut self, device: usize) {
        self.submitting = device;
        let now = self.clock();
        self.cores[device].handle(now, submission());
        self.drain(device);
    }

    /// These tasks at a device, at once.
    pub fn submit_all(&mut self, device: usize, jobs: &[Job]) {
        self.submitting = device;
        for jobs in jobs.chunks(SUBMIT_MAX) {
            let tasks = jobs.iter().map(Job::task).collect();
            self.feed(device, Input::Command { id: 1, command: Command::Submit { tasks, disks: None } });
        }
    }

    /// What has been done so far is no part of what is counted from now on. Nothing may be under way.
    pub fn forget_what_was(&mut self) {
        self.ended = 0;
        self.ran.clear();
        self.told.clear();
        self.notices.clear();
    }

    /// How often devices said that, by the name of the event.
    #[must_use]
    pub fn count_of_notices(&self, name: &str) -> usize {
        self.notices.iter().filter(|(.., event)| format!("{event:?}").starts_with(name)).count()
    }

    /// What a device has changes.
    pub fn change(&mut self, device: usize, change: impl FnOnce(&mut Capacity)) {
        change(&mut self.machines[device].capacity);
        self.tell_capacity(device);
    }

    fn tell_capacity(&mut self, device: usize) {
        let capacity = Box::new(self.machines[device].capacity.clone());
        self.feed(device, Input::Capacity(capacity));
    }

    /// Lives until so many tasks in all have ended.
    ///
    /// # Errors
    /// They have not by then.
    pub fn until_ended(&mut self, tasks: usize, by: Micros) -> Result<(), String> {
        while self.ended < tasks {
            if self.now > by {
                return Err(format!("{} of {tasks} tasks have ended after {} s", self.ended, by / SECOND));
            }
            self.run_to(self.now + 10 * MS);
        }
        Ok(())
    }

    /// What it takes of the processor to accept a task and to place it, and nothing else: many times in one device that then is as it
    /// was. What the network and the disk would have to do is left out.
    pub(crate) fn time_submits(&self, times: usize) -> Vec<Duration> {
        let (mut core, now) = (self.cores[0].clone(), self.clock());
        let mut took = Vec::new();
        for _ in 0..times {
            let begun = Instant::now();
            core.handle(now, submission());
            took.push(begun.elapsed());
            while let Output::Effect(_) = core.poll() {}
        }
        took
    }

    /// The owner of a device pauses it.
    pub(crate) fn pause(&mut self, device: usize) {
        self.machines[device].capacity.blocked.insert(Blocked::Paused);
        self.tell_capacity(device);
    }

    pub(crate) fn know_paused(&self, device: usize) -> bool {
        self.all_but(device, |peer| peer.record.is_some_and(|record| !record.capacity.blocked.is_empty()))
    }

    /// From now on nothing comes from a device and nothing reaches it, and no link says so.
    pub(crate) fn vanish(&mut self, device: usize) {
        self.gone[device] = true;
    }

    pub(crate) fn know_gone(&self, device: usize) -> bool {
        let synced = |core: &Scheduler| core.view().is_synced();
        self.all_but(device, |peer| peer.liveness == Liveness::Dead)
            && self.cores.iter().zip(&self.gone).all(|(core, gone)| *gone || synced(core))
    }

    fn all_but(&self, device: usize, holds: impl Fn(&rc_scheduler::PeerView<'_>) -> bool) -> bool {
        let id = self.ids[device];
        let others = (0..self.cores.len()).filter(|other| *other != device && !self.gone[*other]);
        others.into_iter().all(|other| self.cores[other].view().peers().any(|peer| peer.device == id && holds(&peer)))
    }

    /// What the devices tell of themselves.
    pub(crate) fn records(&self) -> Vec<DeviceRecord> {
        let told = |core: &Scheduler| {
            let mut record = core.view().own().clone();
            record.capacity.blocked.clear();
            record
        };
        self.cores.iter().map(told).collect()
    }

    /// What was said since the last time this was asked.
    pub(crate) fn take(&mut self) -> Count {
        std::mem::take(&mut self.count)
    }

    /// Lives until something holds; how long that took. It is looked for every 10 ms.
    pub(crate) fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) -> Result<Micros, String> {
        let begun = self.now;
        while !holds(self) {
            if self.now - begun > PATIENCE {
                return Err(format!("{} devices: not in {} s: {what}", self.cores.len(), PATIENCE / SECOND));
            }
            self.run_to(self.now + 10 * MS);
        }
        Ok(self.now - begun)
    }

    /// Lives until then.
    pub fn run_to(&mut self, until: Micros) {
        while self.queue.peek().is_some_and(|due| due.at <= until)
            && let Some(due) = self.queue.pop()
        {
            self.now = due.at;
            if !self.gone[due.device] {
                self.happen(due.device, due.happens);
            }
        }
        self.now = until;
    }

    fn clock(&self) -> Now {
        Now { mono: Mono(self.now), wall_ms: 1_700_000_000_000 + self.now / MS }
    }

    fn put(&mut self, after: Micros, device: usize, happens: Happens) {
        self.next += 1;
        self.queue.push(Due { at: self.now + after, number: self.next, device, happens });
    }

    fn feed(&mut self, device: usize, input: Input) {
        let now = self.clock();
        self.cores[device].handle(now, input);
        self.drain(device);
    }

    fn drain(&mut self, device: usize) {
        loop {
            match self.cores[device].poll() {
                Output::Effect(effect) => self.carry_out(device, effect),
                Output::Idle { wake } => {
                    if self.ticks[device].0 != wake {
                        let stamp = self.next + 1;
                        self.ticks[device] = (wake, stamp);
                        if let Some(wake) = wake {
                            let after = wake.0.saturating_sub(self.now);
                            self.put(after, device, Happens::Tick(stamp));
                        }
                    }
                    return;
                }
            }
        }
    }
}

fn submission() -> Input {
    let spec = TaskSpec { task_type: "echo".to_owned(), ..TaskSpec::default() };
    let tasks = Vec::from([NewTask::new(spec, b"{\"message\":\"hi\"}".to_vec().into())]);
    Input::Command { id: 1, command: Command::Submit { tasks, disks: None } }
}
