//! What becomes of what a core wants done, and of what happens to it.

use super::due::Happens;
use super::machine::length_of;
use super::{DISK, GOSSIP, Grid, LINK, Ran, STOPS, WARM_MAX};
use crate::clock::Micros;
use rc_scheduler::{
    AttemptEvent, DeviceRecord, Effect, Epoch, ErrorClass, Event, Input, Message, Outcome, Span, Start, TaskId, wire,
};
use std::sync::Arc;

impl Grid {
    pub(super) fn happen(&mut self, device: usize, happens: Happens) {
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
            Happens::Started(task, epoch) => {
                self.feed(device, Input::Attempt { task, epoch, event: AttemptEvent::Started });
            }
            Happens::End(task, epoch) => self.end(task, epoch, false),
            Happens::Stopped(task, epoch) => self.end(task, epoch, true),
        }
    }

    fn begin(&mut self, device: usize, start: &Start) {
        let task_type = start.spec.task_type.clone();
        let mut takes = self.machines[device].takes(length_of(&start.payload));
        if !self.warm[device].contains(&task_type) {
            takes += self.machines[device].takes(self.cold);
        }
        self.running.insert((start.task, start.epoch), (device, self.ran.len()));
        let (task, priority, started) = (start.task, start.spec.priority, self.now);
        self.ran.push(Ran { task, task_type, priority, device, started, ended: Micros::MAX, stopped: false });
        if start.spec.speculative {
            // How long it runs matters before its end.
            self.put(0, device, Happens::Started(task, start.epoch));
        }
        self.put(takes, device, Happens::End(task, start.epoch));
    }

    fn end(&mut self, task: TaskId, epoch: Epoch, stopped: bool) {
        let Some((device, index)) = self.running.remove(&(task, epoch)) else { return };
        let ran = &mut self.ran[index];
        (ran.ended, ran.stopped) = (self.now, stopped);
        let (run, task_type) = (Span(ran.ended - ran.started), ran.task_type.clone());
        if !stopped && self.warm[device].back() != Some(&task_type) {
            self.warm[device].retain(|old| *old != task_type);
            self.warm[device].push_back(task_type);
            if self.warm[device].len() > WARM_MAX {
                self.warm[device].pop_front();
            }
        }
        self.feed(device, Input::Attempt { task, epoch, event: AttemptEvent::Started });
        let outcome = Outcome {
            error: stopped.then(|| (ErrorClass::Preempted, "stopped".to_owned())),
            body: b"{\"result\":{\"message\":\"hi\"}}".to_vec().into(),
            started_wall_ms: 0,
            finished_wall_ms: 0,
            run,
        };
        self.feed(device, Input::Attempt { task, epoch, event: AttemptEvent::Ended(outcome) });
    }

    pub(super) fn carry_out(&mut self, device: usize, effect: Effect) {
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
                    Message::Want(_) | Message::Grant(_) | Message::Move(_) => &mut self.count.credit,
                    _ => &mut self.count.talk,
                };
                sum.messages += 1;
                sum.bytes += wire::encode(&message).len() as u64;
                if let Some(to) = self.index.get(&to).copied() {
                    self.put(LINK, to, Happens::Frame(device, Box::new(message)));
                }
            }
            Effect::Gossip(mut record) => {
                if self.hides_affinity {
                    record.affinity.clear();
                }
                let (bytes, record) = (wire::encode_record(&record).len() as u64, Arc::<DeviceRecord>::from(record));
                for to in (0..self.cores.len()).filter(|to| *to != device) {
                    self.count.gossip.messages += 1;
                    self.count.gossip.bytes += bytes;
                    self.put(GOSSIP, to, Happens::Gossip(Arc::clone(&record)));
                }
            }
            Effect::Start(start) => self.begin(device, &start),
            Effect::Stop { task, epoch, .. } => self.put(STOPS, device, Happens::Stopped(task, epoch)),
            Effect::Notify(Event::Submitted { task }) if device == self.submitting => {
                self.open.entry(task).or_insert((device, self.now));
            }
            Effect::Notify(Event::Settled { task }) => {
                if let Some((_, begun)) = self.open.get(&task).copied().filter(|(acceptor, _)| *acceptor == device) {
                    self.open.remove(&task);
                    self.ended += 1;
                    self.task_micros += self.now - begun;
                    self.told.insert(task, (begun, self.now));
                }
            }
            Effect::Notify(notice @ (Event::AddDevice { .. } | Event::Overloaded { .. })) => {
                self.notices.push((self.now, device, notice))
            }
            Effect::Reply { .. } | Effect::Notify(_) => {}
        }
    }
}
