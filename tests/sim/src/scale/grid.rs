//! Cores, links that all work, and one queue of what happens next.

use crate::rng::Rng;
use crate::world::disk::Disk;
use rc_scheduler::{
    AttemptEvent, Blocked, Capacity, Command, Config, DeviceId, DeviceRecord, Durable, Effect, Epoch, Event,
    Incarnation, Input, Liveness, Member, Message, Mono, NewTask, Now, Outcome, Output, Scheduler, Span, TaskId,
    TaskSpec, wire,
};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Virtual time.
pub(super) type Micros = u64;
pub(super) const MS: Micros = 1_000;
pub(super) const SECOND: Micros = 1_000 * MS;

const LINK: Micros = MS;
const DISK: Micros = 2 * MS;
const RUN: Micros = 5 * MS;
/// A record reaches everybody in so long; the network passes it on from device to device.
const GOSSIP: Micros = 50 * MS;
/// Between one device's coming and the next one's, and all of them together at most.
const COMES_EVERY: Micros = 20 * MS;
const ALL_COME: Micros = 3 * SECOND;
/// Nothing that is waited for takes longer.
const PATIENCE: Micros = 60 * SECOND;

/// Messages and their bytes on the wire, before encryption.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    pub(super) messages: u64,
    pub(super) bytes: u64,
}

/// By what they are for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    pub(super) beats: Sum,
    /// Facts, their acknowledgements, progress.
    pub(super) facts: Sum,
    /// Questions for room to lease, and answers.
    pub(super) credit: Sum,
    /// Hellos, members, questions and answers, digests, records told at the beginning of a session.
    pub(super) talk: Sum,
    /// Records, once for each device that one reaches.
    pub(super) gossip: Sum,
}

enum Happens {
    Tick(u64),
    Persisted(u64),
    Loaded(TaskId),
    Frame(usize, Box<Message>),
    Up(usize),
    Gossip(Arc<DeviceRecord>),
    End(TaskId, Epoch),
}

/// Something that happens to a device; of two at the same time the one that was put first is first.
struct Due {
    at: Micros,
    number: u64,
    device: usize,
    happens: Happens,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        // The greatest of a heap comes out first.
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

/// The devices and what is under way.
pub(super) struct Grid {
    pub(super) now: Micros,
    pub(super) ended: usize,
    pub(super) task_micros: Micros,
    cores: Vec<Scheduler>,
    ids: Vec<DeviceId>,
    index: BTreeMap<DeviceId, usize>,
    disks: Vec<Disk>,
    capacities: Vec<Capacity>,
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
    pub(super) fn new(devices: usize) -> Self {
        let mut rng = Rng::new(7);
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
            capacities: Vec::with_capacity(devices),
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
            let capacity = capacity(device, &mut grid.rng);
            grid.capacities.push(capacity.clone());
            grid.drain(device);
            grid.feed(device, Input::Capacity(Box::new(capacity)));
        }
        grid
    }

    /// A device comes: it is linked with all that have come before it.
    pub(super) fn come(&mut self, device: usize) {
        for peer in 0..device {
            self.put(0, device, Happens::Up(peer));
            self.put(0, peer, Happens::Up(device));
        }
        self.run_to(self.now + COMES_EVERY.min(ALL_COME / self.cores.len() as u64));
    }

    /// Every device hears every other and has its record, and may act.
    pub(super) fn is_whole(&self) -> bool {
        let others = self.cores.len() - 1;
        self.cores.iter().all(|core| {
            let view = core.view();
            let known = |peer: &rc_scheduler::PeerView<'_>| peer.liveness == Liveness::Up && peer.record.is_some();
            view.is_synced() && view.peers().filter(known).count() == others
        })
    }

    /// A task at a device.
    pub(super) fn submit(&mut self, device: usize) {
        self.submitting = device;
        let now = self.clock();
        self.cores[device].handle(now, submission());
        self.drain(device);
    }

    /// What it takes of the processor to accept a task and to place it, and nothing else: many times in one device that then is as it
    /// was. What the network and the disk would have to do is left out.
    pub(super) fn time_submits(&self, times: usize) -> Vec<Duration> {
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
    pub(super) fn pause(&mut self, device: usize) {
        self.capacities[device].blocked.insert(Blocked::Paused);
        self.feed(device, Input::Capacity(Box::new(self.capacities[device].clone())));
    }

    pub(super) fn know_paused(&self, device: usize) -> bool {
        self.all_but(device, |peer| peer.record.is_some_and(|record| !record.capacity.blocked.is_empty()))
    }

    /// From now on nothing comes from a device and nothing reaches it, and no link says so.
    pub(super) fn vanish(&mut self, device: usize) {
        self.gone[device] = true;
    }

    pub(super) fn know_gone(&self, device: usize) -> bool {
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
    pub(super) fn records(&self) -> Vec<DeviceRecord> {
        let told = |core: &Scheduler| {
            let mut record = core.view().own().clone();
            record.capacity.blocked.clear();
            record
        };
        self.cores.iter().map(told).collect()
    }

    /// What was said since the last time this was asked.
    pub(super) fn take(&mut self) -> Count {
        std::mem::take(&mut self.count)
    }

    /// Lives until something holds; how long that took. It is looked for every 10 ms.
    pub(super) fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) -> Result<Micros, String> {
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
    pub(super) fn run_to(&mut self, until: Micros) {
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

    fn happen(&mut self, device: usize, happens: Happens) {
        match happens {
            Happens::Tick(stamp) if stamp == self.ticks[device].1 => {
                self.ticks[device].0 = None;
                self.feed(device, Input::Tick);
            }
            Happens::Tick(_) => {}
            Happens::Persisted(upto) => self.feed(device, Input::Persisted { upto }),
            Happens::Loaded(task) => {
                let facts =
                    self.disks[device].records.get(&task).map_or_else(Vec::new, |r| r.values().cloned().collect());
                self.feed(device, Input::Loaded { task, facts });
            }
            Happens::Frame(from, message) => {
                self.feed(device, Input::Message { from: self.ids[from], message: *message });
            }
            Happens::Up(peer) => self.feed(device, Input::PeerUp(self.ids[peer])),
            Happens::Gossip(record) => self.feed(device, Input::Device(Box::new((*record).clone()))),
            Happens::End(task, epoch) => {
                self.feed(device, Input::Attempt { task, epoch, event: AttemptEvent::Started });
                let outcome = Outcome {
                    error: None,
                    body: b"{\"result\":{\"message\":\"hi\"}}".to_vec().into(),
                    started_wall_ms: 0,
                    finished_wall_ms: 0,
                    run: Span(RUN),
                };
                self.feed(device, Input::Attempt { task, epoch, event: AttemptEvent::Ended(outcome) });
            }
        }
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

    fn carry_out(&mut self, device: usize, effect: Effect) {
        match effect {
            Effect::Persist { upto, entries } => {
                // No device dies in the middle of it, so it may be there at once.
                let disk = &mut self.disks[device];
                disk.write(upto, entries);
                disk.begin();
                disk.finish();
                self.put(DISK, device, Happens::Persisted(upto));
            }
            Effect::Load { task } => self.put(DISK, device, Happens::Loaded(task)),
            Effect::Send { to, message } => {
                let sum = match &message {
                    Message::Beat(_) => &mut self.count.beats,
                    Message::Facts(_) | Message::Stored(_) | Message::Live(_) => &mut self.count.facts,
                    Message::Want(_) | Message::Grant(_) => &mut self.count.credit,
                    _ => &mut self.count.talk,
                };
                sum.messages += 1;
                sum.bytes += wire::encode(&message).len() as u64;
                if let Some(to) = self.index.get(&to).copied() {
                    self.put(LINK, to, Happens::Frame(device, Box::new(message)));
                }
            }
            Effect::Gossip(record) => {
                let (bytes, record) = (wire::encode_record(&record).len() as u64, Arc::<DeviceRecord>::from(record));
                for to in (0..self.cores.len()).filter(|to| *to != device) {
                    self.count.gossip.messages += 1;
                    self.count.gossip.bytes += bytes;
                    self.put(GOSSIP, to, Happens::Gossip(Arc::clone(&record)));
                }
            }
            Effect::Start(start) => self.put(RUN, device, Happens::End(start.task, start.epoch)),
            Effect::Notify(Event::Submitted { task }) if device == self.submitting => {
                self.open.entry(task).or_insert((device, self.now));
            }
            Effect::Notify(Event::Settled { task }) => {
                if let Some((_, begun)) = self.open.get(&task).copied().filter(|(acceptor, _)| *acceptor == device) {
                    self.open.remove(&task);
                    self.ended += 1;
                    self.task_micros += self.now - begun;
                }
            }
            Effect::Stop { .. } | Effect::Reply { .. } | Effect::Notify(_) => {}
        }
    }
}

fn submission() -> Input {
    let spec = TaskSpec { task_type: "echo".to_owned(), ..TaskSpec::default() };
    let tasks = Vec::from([NewTask::new(spec, b"{\"message\":\"hi\"}".to_vec().into())]);
    Input::Command { id: 1, command: Command::Submit { tasks, disks: None } }
}

/// Devices of many kinds.
fn capacity(device: usize, rng: &mut Rng) -> Capacity {
    Capacity {
        name: format!("device-{device}"),
        platform: "linux".to_owned(),
        arch: "aarch64".to_owned(),
        cpu_cores_milli: Some(4_000),
        cpu_usage_ppm: Some(rng.between(0, 900_000) as u32),
        memory_total_bytes: Some(4 << 30),
        memory_available_bytes: Some(rng.between(1 << 28, 4 << 30)),
        storage_total_bytes: Some(64 << 30),
        storage_available_bytes: Some(32 << 30),
        max_concurrent_tasks: 5,
        task_types: ["echo", "sleep"].map(str::to_owned).into(),
        ..Capacity::default()
    }
}
