//! One event at a time: to whom it goes and what it means there.

use super::event::Event;
use super::executor::Stage;
use super::{TICK_LATE_MAX, World};
use crate::clock::{MS, SECOND};
use crate::invariants;
use crate::workload::Plot;
use rc_scheduler::{AttemptEvent, Effect, Epoch, ErrorClass, Input, Outcome, Output, TaskId};

impl World {
    pub(crate) fn dispatch(&mut self, event: Event) {
        if let Some((device, source)) = event.meant_for()
            && self.devices[device].asleep_since.is_some()
        {
            // An attempt that sleeps too gets a new time when it wakes.
            if !self.is_attempt_asleep(&event) {
                self.devices[device].inbox.push((source, event));
            }
            return;
        }
        if self.is_attempt_asleep(&event) {
            return;
        }
        match event {
            Event::Tick { device, stamp } => {
                if self.devices[device].tick_stamp == stamp {
                    self.devices[device].tick_at = None;
                    self.feed(device, Input::Tick);
                }
            }
            Event::Flushed { device, life } => self.flushed(device, life),
            Event::Loaded { device, life, task } => self.loaded(device, life, task),
            Event::Frame { from, to, link, message } => self.frame_arrives(from, to, link, message),
            Event::Fin { from, to, link } => self.fin_arrives(from, to, link),
            Event::Up { device, peer, link } => self.link_up(device, peer, link),
            Event::Down { device, peer, link } => self.link_down(device, peer, link),
            Event::Refused { device, peer } => self.link_refused(device, peer),
            Event::Dial { a, b } => self.dial(a, b),
            Event::Probe { device, peer, link } => self.probe(device, peer, link),
            Event::Gossip { to, record } => self.feed(to, Input::Device(record)),
            Event::Stage { device, task, epoch, stamp } => self.next_stage(device, task, epoch, stamp),
            Event::Progress { device, task, epoch, stamp } => self.progress(device, task, epoch, stamp),
            Event::Measure { device, life } => self.measure(device, life),
            Event::Client(op) => self.client(op),
            Event::Fault(fault) => self.fault(fault),
        }
    }

    fn is_attempt_asleep(&self, event: &Event) -> bool {
        matches!(event, Event::Stage { device, .. } if self.devices[*device].executor.asleep_since.is_some())
    }

    /// Gives an input to a core and carries out what it wants done.
    pub(crate) fn feed(&mut self, device: usize, input: Input) {
        let now = self.devices[device].clock.read(self.now);
        let names = &self.names;
        let Some(core) = self.devices[device].core.as_mut() else {
            return;
        };
        self.trace.line(self.now, || format!("d{device} < {}", names.input(&input)));
        self.trace.word(device as u64);
        core.handle(now, input);
        self.drain(device);
    }

    /// Polls a core until it is idle.
    pub(crate) fn drain(&mut self, device: usize) {
        let Some(core) = self.devices[device].core.as_mut() else {
            return;
        };
        let mut effects = Vec::new();
        let wake = loop {
            match core.poll() {
                Output::Effect(effect) => effects.push(effect),
                Output::Idle { wake } => break wake,
            }
            if effects.len() > 200_000 {
                self.fail("a_core_comes_to_rest", format!("d{device} has more than 200000 effects after one input"));
                return;
            }
        };
        if self.plan.check_every > 0
            && self.stats.steps.is_multiple_of(self.plan.check_every)
            && let Err(violation) = core.check_invariants()
        {
            let text = format!("d{device}: {violation}");
            self.fail("a_core_agrees_with_itself", text);
            return;
        }
        let life = self.devices[device].life;
        let mut effects = self.in_some_order(effects).into_iter();
        while let Some(effect) = effects.next() {
            if self.is_doomed_now(device) {
                self.devices[device].unfinished = std::iter::once(effect).chain(effects).collect();
                self.meet_doom(device);
                if !self.devices[device].is_awake() || self.devices[device].life != life {
                    return;
                }
                break;
            }
            self.take_effect(device, effect);
            if self.failure.is_some() || self.devices[device].life != life {
                return;
            }
        }
        let mono = wake.map(|wake| self.devices[device].clock.when(wake).max(self.now + 1));
        if mono != self.devices[device].tick_at {
            self.devices[device].tick_at = mono;
            self.devices[device].tick_stamp += 1;
            let stamp = self.devices[device].tick_stamp;
            if let Some(at) = mono {
                let late = self.dice.order.skewed(0, TICK_LATE_MAX);
                self.queue.push(at + late, Event::Tick { device, stamp });
            }
        }
    }

    /// Carries one effect out.
    pub(crate) fn take_effect(&mut self, device: usize, effect: Effect) {
        self.trace.word(crate::digest::effect(&effect));
        let names = &self.names;
        self.trace.line(self.now, || format!("d{device}   > {}", names.effect(&effect)));
        self.devices[device].effects += 1;
        self.carry_out(device, effect);
    }

    /// Any order that a driver may carry effects out in: disk, each peer, each attempt and the watchers keep theirs.
    fn in_some_order(&mut self, effects: Vec<Effect>) -> Vec<Effect> {
        if effects.len() < 2 || self.dice.order.chance(500_000) {
            return effects;
        }
        let mut lanes: Vec<(Lane, std::collections::VecDeque<Effect>)> = Vec::new();
        for effect in effects {
            let lane = lane(&effect);
            match lanes.iter_mut().find(|(other, _)| *other == lane) {
                Some((_, queue)) => queue.push_back(effect),
                None => lanes.push((lane, [effect].into())),
            }
        }
        let mut out = Vec::new();
        while !lanes.is_empty() {
            let pick = self.dice.order.index(lanes.len());
            out.extend(lanes[pick].1.pop_front());
            if lanes[pick].1.is_empty() {
                lanes.swap_remove(pick);
            }
        }
        out
    }

    fn flushed(&mut self, device: usize, life: u32) {
        if self.devices[device].life != life || self.devices[device].core.is_none() {
            return;
        }
        if let Some(upto) = self.devices[device].disk.finish() {
            self.feed(device, Input::Persisted { upto });
        }
        self.flush(device);
    }

    fn loaded(&mut self, device: usize, life: u32, task: TaskId) {
        if self.devices[device].life == life && self.devices[device].core.is_some() {
            let facts = self.devices[device].disk.facts(task).cloned().collect();
            self.feed(device, Input::Loaded { task, facts });
        }
    }

    fn measure(&mut self, device: usize, life: u32) {
        if self.devices[device].life != life || self.devices[device].core.is_none() {
            return;
        }
        let usage = self.dice.exec.between(0, 600_000) as u32;
        self.devices[device].capacity.cpu_usage_ppm = Some(self.devices[device].load.unwrap_or(usage));
        self.queue.push(self.now + 10 * SECOND, Event::Measure { device, life });
        self.tell_capacity(device);
    }

    fn progress(&mut self, device: usize, task: TaskId, epoch: Epoch, stamp: u64) {
        let Some(run) = self.devices[device].executor.runs.get(&(task, epoch)) else { return };
        if run.stamp != stamp || run.stage != Stage::Running {
            return;
        }
        if let Some(every) = self.scripts[run.script].progress_every {
            self.queue.push(self.now + every, Event::Progress { device, task, epoch, stamp });
            let done = (self.now - run.started).saturating_mul(100) / run.length.max(1);
            let event = AttemptEvent::Progress { percent: Some(done.min(100) as u8), text: format!("{done} of 100") };
            self.feed(device, Input::Attempt { task, epoch, event });
        }
    }

    fn next_stage(&mut self, device: usize, task: TaskId, epoch: Epoch, stamp: u64) {
        let now = self.now;
        let Some(run) = self.devices[device].executor.runs.get_mut(&(task, epoch)) else {
            return;
        };
        if run.stamp != stamp {
            return;
        }
        if run.stage == Stage::Running && self.scripts[run.script].plot == Plot::Kills {
            self.taken_down(device, task);
            return;
        }
        let event = match run.stage {
            Stage::Starting => {
                run.stage = Stage::Running;
                run.at = now + run.length;
                let (at, script) = (run.at, run.script);
                self.queue.push(at, Event::Stage { device, task, epoch, stamp });
                if let Some(every) = self.scripts[script].progress_every {
                    self.queue.push(now + every, Event::Progress { device, task, epoch, stamp });
                }
                if let Some(around) = self.scripts[script].cancel_at_end
                    && !self.healed
                {
                    let client = self.dice.clients.index(self.n());
                    let when = (at + around).saturating_sub(20 * MS).max(now);
                    self.queue.push(when, Event::Client(crate::workload::Op::Cancel(task, client)));
                }
                AttemptEvent::Started
            }
            Stage::Running => {
                let mut outcome = run.outcome.clone();
                outcome.finished_wall_ms = outcome.started_wall_ms + run.length / MS;
                outcome.run = rc_scheduler::Span(run.length);
                self.devices[device].executor.runs.remove(&(task, epoch));
                AttemptEvent::Ended(outcome)
            }
            Stage::Stopping => {
                let outcome = Outcome {
                    error: Some((ErrorClass::Preempted, "stopped".to_owned())),
                    run: rc_scheduler::Span(now - run.started),
                    ..run.outcome.clone()
                };
                self.devices[device].executor.runs.remove(&(task, epoch));
                AttemptEvent::Ended(outcome)
            }
        };
        if matches!(event, AttemptEvent::Ended(_)) {
            self.cool(device);
        }
        let twice = self.weather.hang && matches!(event, AttemptEvent::Ended(_)) && self.dice.exec.chance(200_000);
        self.feed(device, Input::Attempt { task, epoch, event });
        if twice {
            // An executor that says the end twice, and the second time something else.
            let outcome = Outcome {
                error: None,
                body: b"twice".to_vec().into(),
                started_wall_ms: 0,
                finished_wall_ms: 0,
                run: rc_scheduler::Span::ZERO,
            };
            self.feed(device, Input::Attempt { task, epoch, event: AttemptEvent::Started });
            self.feed(device, Input::Attempt { task, epoch, event: AttemptEvent::Ended(outcome) });
        }
        invariants::after_attempt(self, device);
    }
}

/// Things that keep their order among themselves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lane {
    Disk,
    Peer(rc_scheduler::DeviceId),
    Attempt(TaskId),
    Gossip,
    Reply(u64),
    Watchers,
}

fn lane(effect: &Effect) -> Lane {
    match effect {
        Effect::Persist { .. } | Effect::Load { .. } => Lane::Disk,
        Effect::Send { to, .. } => Lane::Peer(*to),
        Effect::Gossip(_) => Lane::Gossip,
        Effect::Start(start) => Lane::Attempt(start.task),
        Effect::Stop { task, .. } => Lane::Attempt(*task),
        Effect::Reply { id, .. } => Lane::Reply(*id),
        Effect::Notify(_) => Lane::Watchers,
    }
}
