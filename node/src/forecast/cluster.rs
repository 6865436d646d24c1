//! A small cluster of real cores in virtual time: messages and writes take a millisecond, attempts as long as they are said to take.

use super::{Basis, ForecastError, WORK_TIME_MAX};
use rc_scheduler::{
    AttemptEvent, Bytes, Capacity, Command, Config, DeviceId, Durable, Effect, Entry, Epoch, ErrorClass, Fact, FactKey,
    Incarnation, Input, Member, Mono, NewTask, Now, Outcome, Output, Reply, Scheduler, Span, TaskId,
};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::time::Instant;

/// A message, or a write.
const HOP: Span = Span::from_ms(1);
/// The cluster finds itself together before anything is asked of it.
const CALM: Span = Span::from_secs(5);
/// Who is running already has begun by then.
const HEAD_START: Span = Span::from_secs(2);
/// When nothing has begun or ended for so long, and nothing is to come, what is left does not fit.
const STILL: Span = Span::from_secs(60);
/// Events between two looks at how long it has taken here.
const LOOK_EVERY: u64 = 4_096;

/// A device of it.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    pub(super) id: DeviceId,
    pub(super) capacity: Capacity,
    pub(super) like: Option<DeviceId>,
}

/// A task that comes.
#[derive(Debug, Clone)]
pub(super) struct Arrival {
    pub(super) task: NewTask,
    /// After the beginning.
    pub(super) at: Span,
    pub(super) acceptor: DeviceId,
    /// It runs already, and goes on.
    pub(super) is_running: bool,
    /// For so long.
    pub(super) ran: Span,
    /// Where it has run, and for how long, when that is played again.
    pub(super) own: Option<(DeviceId, Span)>,
    /// Arrivals that must have ended before it comes.
    pub(super) after: Vec<usize>,
}

/// What became of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Fate {
    /// Where; from when to when, milliseconds after the beginning.
    pub(super) runs: Option<(DeviceId, u64, u64)>,
    pub(super) misfit: Option<String>,
}

enum Happening {
    Input(Box<Input>),
    /// The end of an attempt that nobody has stopped.
    End(TaskId, Epoch),
    Wake,
}

struct Device {
    core: Scheduler,
    capacity: Capacity,
    disk: BTreeMap<TaskId, BTreeMap<FactKey, Fact>>,
    running: BTreeSet<(TaskId, Epoch)>,
    /// When its core wants to be called.
    wake: Option<Mono>,
}

/// The cores, and what is to come.
pub(super) struct Cluster {
    devices: BTreeMap<DeviceId, Device>,
    queue: BinaryHeap<Reverse<(Mono, u64, DeviceId, usize)>>,
    happenings: BTreeMap<usize, Happening>,
    sequence: u64,
    now: Mono,
    begin: Mono,
    wall_ms: u64,
    /// Which arrival a task is.
    tasks: BTreeMap<TaskId, usize>,
    fates: Vec<Fate>,
    /// For how many others an arrival waits.
    waits: Vec<usize>,
    /// Which arrivals wait for one.
    next: BTreeMap<usize, Vec<usize>>,
    /// When something began or ended last.
    moved: Mono,
    open: usize,
}

/// How long an arrival runs on a device.
type Run<'a> = &'a dyn Fn(&Arrival, DeviceId) -> (Span, Basis);

impl Cluster {
    /// Starts the cores, at this time on the wall, and lets them meet.
    pub(super) fn start(machines: &[Machine], wall_ms: u64) -> Result<Self, ForecastError> {
        let start = Mono(1_000_000);
        let begin = start + CALM;
        let mut this = Self {
            devices: BTreeMap::new(),
            queue: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            sequence: 0,
            now: start,
            begin,
            wall_ms: wall_ms.saturating_sub(CALM.as_ms()),
            tasks: BTreeMap::new(),
            fates: Vec::new(),
            waits: Vec::new(),
            next: BTreeMap::new(),
            moved: begin,
            open: 0,
        };
        let members: Vec<_> = machines
            .iter()
            .map(|machine| Member { device: machine.id, version: 0, keeps: true, retired: false, revoked: false })
            .collect();
        for machine in machines {
            let incarnation = Incarnation { boots: 1, wakes: 0 };
            let durable = Durable { incarnation, members: members.clone(), series: Some(1), ..Durable::default() };
            let mut seed = [0; 32];
            seed[..16].copy_from_slice(&machine.id.0);
            let core = Scheduler::restore(machine.id, Config::default(), seed, durable, this.at(start))
                .map_err(|error| ForecastError::Broken(error.to_string()))?;
            let capacity = machine.capacity.clone();
            let device = Device {
                core,
                capacity: capacity.clone(),
                disk: BTreeMap::new(),
                running: BTreeSet::new(),
                wake: None,
            };
            this.devices.insert(machine.id, device);
            this.push(start, machine.id, Happening::Input(Box::new(Input::Capacity(Box::new(capacity.clone())))));
            let mut free = capacity.clone();
            let mut ends: Vec<_> = capacity.blocked_until_wall_ms.iter().map(|(by, until)| (*until, *by)).collect();
            ends.sort_unstable();
            for (until, by) in ends {
                // Others of its reasons may go on.
                free.blocked.remove(&by);
                let at = begin + Span::from_ms(until.saturating_sub(wall_ms));
                this.push(at, machine.id, Happening::Input(Box::new(Input::Capacity(Box::new(free.clone())))));
            }
            for other in machines.iter().filter(|other| other.id != machine.id) {
                this.push(start + HOP, machine.id, Happening::Input(Box::new(Input::PeerUp(other.id))));
            }
        }
        Ok(this)
    }

    /// Lets tasks come and run, until all have ended or nothing moves any more.
    pub(super) fn play(&mut self, arrivals: &[Arrival], run: Run<'_>) -> Result<Vec<Fate>, ForecastError> {
        self.fates = vec![Fate::default(); arrivals.len()];
        self.open = arrivals.len();
        self.waits = arrivals.iter().map(|arrival| arrival.after.len()).collect();
        self.next.clear();
        let mut last = self.begin;
        for (index, arrival) in arrivals.iter().enumerate() {
            // Those that run have begun before the others come; these keep their order.
            let head = if arrival.is_running { Span(self.begin.0 - HEAD_START.0) } else { Span(self.begin.0) };
            let at = Mono(head.0 + arrival.at.0 + index as u64);
            last = last.max(at);
            for dep in &arrival.after {
                self.next.entry(*dep).or_default().push(index);
            }
            if arrival.after.is_empty() {
                self.come(index, arrival, at);
            }
        }
        for device in self.devices.values() {
            let until = device.capacity.blocked_until_wall_ms.values().max();
            let ms = until.map_or(0, |until| until.saturating_sub(self.wall_ms));
            last = last.max(self.begin + Span::from_ms(ms));
        }
        let began = Instant::now();
        let ids: Vec<_> = self.devices.keys().copied().collect();
        for id in ids {
            self.drain(id, arrivals, run);
        }
        let mut steps = 0_u64;
        while let Some(Reverse((at, _, device, slot))) = self.queue.pop() {
            steps += 1;
            if steps.is_multiple_of(LOOK_EVERY) && began.elapsed() > WORK_TIME_MAX {
                return Err(ForecastError::TooLong);
            }
            let busy = self.devices.values().any(|device| !device.running.is_empty());
            if self.open == 0 || (!busy && at > last.max(self.moved) + STILL) {
                break;
            }
            self.now = at;
            if let Some(happening) = self.happenings.remove(&slot) {
                self.happen(device, happening, arrivals, run);
            }
        }
        self.tell_misfits();
        Ok(std::mem::take(&mut self.fates))
    }

    fn at(&self, mono: Mono) -> Now {
        Now { mono, wall_ms: self.wall_ms + mono.0 / 1_000 }
    }

    fn push(&mut self, at: Mono, device: DeviceId, happening: Happening) {
        self.sequence += 1;
        let slot = self.sequence as usize;
        self.happenings.insert(slot, happening);
        self.queue.push(Reverse((at, self.sequence, device, slot)));
    }

    /// An arrival is handed in.
    fn come(&mut self, index: usize, arrival: &Arrival, at: Mono) {
        let command = Command::Submit { tasks: vec![arrival.task.clone()], disks: Some(1) };
        let input = Input::Command { id: index as u64 + 1, command };
        self.push(at, arrival.acceptor, Happening::Input(Box::new(input)));
    }

    /// What waited for no other comes, as soon as its guardian hears of the end.
    fn release(&mut self, ended: usize, arrivals: &[Arrival]) {
        for index in self.next.remove(&ended).unwrap_or_default() {
            self.waits[index] -= 1;
            if self.waits[index] == 0 {
                let due = Mono(self.begin.0 + arrivals[index].at.0);
                self.come(index, &arrivals[index], due.max(self.now + HOP));
            }
        }
    }

    fn happen(&mut self, id: DeviceId, happening: Happening, arrivals: &[Arrival], run: Run<'_>) {
        let input = match happening {
            Happening::Wake => match self.devices.get_mut(&id) {
                Some(device) if device.wake.is_some_and(|wake| wake <= self.now) => {
                    device.wake = None;
                    Input::Tick
                }
                // It has thought better of it.
                _ => return,
            },
            Happening::Input(input) => *input,
            Happening::End(task, epoch) => {
                let Some(device) = self.devices.get_mut(&id) else { return };
                if !device.running.remove(&(task, epoch)) {
                    return;
                }
                self.moved = self.now;
                self.open = self.open.saturating_sub(1);
                let fate = self.tasks.get(&task).and_then(|index| self.fates.get_mut(*index));
                let begin = fate
                    .as_ref()
                    .and_then(|fate| fate.runs)
                    .map_or(self.now, |(_, from, _)| Mono(self.begin.0 + from * 1_000));
                if let Some((_, _, until)) = fate.and_then(|fate| fate.runs.as_mut()) {
                    *until = self.now.0.saturating_sub(self.begin.0) / 1_000;
                }
                if let Some(index) = self.tasks.get(&task).copied() {
                    self.release(index, arrivals);
                }
                let ended = ended(None, self.now.since(begin));
                Input::Attempt { task, epoch, event: AttemptEvent::Ended(ended) }
            }
        };
        let now = self.at(self.now);
        if let Some(device) = self.devices.get_mut(&id) {
            device.core.handle(now, input);
        }
        self.drain(id, arrivals, run);
    }

    fn drain(&mut self, id: DeviceId, arrivals: &[Arrival], run: Run<'_>) {
        loop {
            let Some(device) = self.devices.get_mut(&id) else { return };
            match device.core.poll() {
                Output::Effect(effect) => self.carry_out(id, effect, arrivals, run),
                Output::Idle { wake } => {
                    let wake = wake.map(|wake| wake.max(self.now));
                    if wake != device.wake {
                        device.wake = wake;
                        wake.into_iter().for_each(|wake| self.push(wake, id, Happening::Wake));
                    }
                    return;
                }
            }
        }
    }

    fn carry_out(&mut self, id: DeviceId, effect: Effect, arrivals: &[Arrival], run: Run<'_>) {
        let soon = self.now + HOP;
        match effect {
            Effect::Persist { upto, entries } => {
                let Some(device) = self.devices.get_mut(&id) else { return };
                entries.into_iter().for_each(|entry| device.keep(entry));
                self.push(soon, id, Happening::Input(Box::new(Input::Persisted { upto })));
            }
            Effect::Load { task } => {
                let facts = self.devices.get(&id).and_then(|device| device.disk.get(&task));
                let facts = facts.map_or_else(Vec::new, |facts| facts.values().cloned().collect());
                self.push(soon, id, Happening::Input(Box::new(Input::Loaded { task, facts })));
            }
            Effect::Send { to, message } if self.devices.contains_key(&to) => {
                self.push(soon, to, Happening::Input(Box::new(Input::Message { from: id, message })));
            }
            Effect::Gossip(record) => {
                let others: Vec<_> = self.devices.keys().copied().filter(|other| *other != id).collect();
                for other in others {
                    self.push(soon, other, Happening::Input(Box::new(Input::Device(record.clone()))));
                }
            }
            Effect::Start(start) => {
                let (task, epoch) = (start.task, start.epoch);
                let index = self.tasks.get(&task).copied().or_else(|| index_of(&start.payload, arrivals));
                let Some(index) = index else { return };
                self.tasks.insert(task, index);
                let (length, _) = run(&arrivals[index], id);
                let from = self.now.0.saturating_sub(self.begin.0) / 1_000;
                self.fates[index].runs = Some((id, from, from));
                self.moved = self.now;
                if let Some(device) = self.devices.get_mut(&id) {
                    device.running.insert((task, epoch));
                }
                let started = Input::Attempt { task, epoch, event: AttemptEvent::Started };
                self.push(self.now, id, Happening::Input(Box::new(started)));
                self.push(self.now + Span(length.0.max(1)), id, Happening::End(task, epoch));
            }
            Effect::Stop { task, epoch, .. } => {
                let stopped = self.devices.get_mut(&id).is_some_and(|device| device.running.remove(&(task, epoch)));
                if stopped {
                    let ended = ended(Some(ErrorClass::Preempted), Span(0));
                    let input = Input::Attempt { task, epoch, event: AttemptEvent::Ended(ended) };
                    self.push(soon, id, Happening::Input(Box::new(input)));
                }
            }
            Effect::Reply { id: command, reply: Reply::Accepted { tasks, .. } } => {
                if let Some(task) = tasks.first() {
                    self.tasks.insert(*task, command as usize - 1);
                }
            }
            Effect::Reply { id: command, reply: Reply::Refused(refusal) } => {
                self.fates[command as usize - 1].misfit = Some(format!("refused: {refusal:?}"));
                self.open = self.open.saturating_sub(1);
            }
            Effect::Send { .. } | Effect::Reply { .. } | Effect::Notify(_) => {}
        }
    }

    /// Asks those that keep what has not begun why it has not.
    fn tell_misfits(&mut self) {
        for (task, index) in &self.tasks {
            let fate = &mut self.fates[*index];
            if fate.runs.is_none() && self.waits[*index] == 0 {
                let keeper = self.devices.values().find(|device| device.core.view().record(*task).is_some());
                let why = keeper.and_then(|device| device.core.view().waiting_reason(*task));
                fate.misfit = Some(why.map_or_else(|| "no device fits".to_owned(), |(_, why)| why));
            }
        }
        for fate in self.fates.iter_mut().filter(|fate| fate.runs.is_none() && fate.misfit.is_none()) {
            fate.misfit = Some("nobody took it in".to_owned());
        }
    }
}

impl Device {
    fn keep(&mut self, entry: Entry) {
        match entry {
            Entry::Fact(task, fact) | Entry::Ended(task, fact, _) => {
                self.disk.entry(task).or_default().insert(fact.key(), fact);
            }
            Entry::Forget(task, key) => drop(self.disk.get_mut(&task).and_then(|facts| facts.remove(&key))),
            Entry::Drop(task) | Entry::Bury(task, _) => drop(self.disk.remove(&task)),
            Entry::Graves(..) | Entry::Clock { .. } | Entry::Member(_) => {}
        }
    }
}

/// A task may begin before its submit is answered; its payload tells which one it is.
fn index_of(payload: &Bytes, arrivals: &[Arrival]) -> Option<usize> {
    arrivals.iter().position(|arrival| arrival.task.payload == *payload)
}

fn ended(error: Option<ErrorClass>, run: Span) -> Outcome {
    Outcome {
        error: error.map(|class| (class, String::new())),
        body: Bytes::default(),
        started_wall_ms: 0,
        finished_wall_ms: 0,
        run,
    }
}
