//! A core from what is on disk.

use crate::config::Config;
use crate::core::Scheduler;
use crate::effect::Tomb;
use crate::id::{DeviceId, Incarnation, TaskId};
use crate::input::Durable;
use crate::member::Member;
use crate::record::{self, Fact, Record};
use crate::time::Now;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

/// Why a core cannot begin. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RestoreError {
    /// The incarnation must have been counted up and written before (rule 1).
    NoIncarnation,
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the boot counter must be on disk, and at least 1, before the core starts")
    }
}

impl core::error::Error for RestoreError {}

/// A core on its way up: it is given what is on disk record by record, so that it need never all be in memory at once.
#[derive(Debug)]
pub struct Restore {
    core: Scheduler,
    /// The latest lives that facts show.
    seen: BTreeMap<DeviceId, Incarnation>,
    newest: u64,
}

impl Restore {
    /// Begins with everything that is no record, and with those in `durable`.
    ///
    /// # Errors
    /// [`RestoreError::NoIncarnation`] if `durable.incarnation` has no boots.
    pub fn new(me: DeviceId, config: Config, seed: [u8; 32], durable: Durable, now: Now) -> Result<Self, RestoreError> {
        if durable.incarnation.boots == 0 {
            return Err(RestoreError::NoIncarnation);
        }
        let mut core = Scheduler::empty(me, config, seed, durable.incarnation, now);
        for member in durable.members {
            core.members.merge(member);
        }
        core.ran_us = durable.ran_s.saturating_mul(1_000_000);
        core.ran_s = u32::try_from(durable.ran_s).unwrap_or(u32::MAX);
        core.ran_saved_s = durable.ran_s;
        for (by, row) in durable.graves {
            core.graves.learn(by, &row);
        }
        let known = durable.series;
        core.series = known.unwrap_or_else(|| core.rng.next() as u32 >> 1);
        core.accepted = u64::from(core.series) << 32;
        if known.is_none() {
            core.save_clock();
        }
        let own = core.graves.last(me).filter(|last| last >> 32 == u64::from(core.series));
        core.accepted = core.accepted.max(own.unwrap_or_default());
        // Before the records: what they show of a device is noted with it.
        for device in core.members.iter().map(|member| member.device).collect::<Vec<_>>() {
            if device != me {
                core.peer_mut(device);
            }
        }
        let mut this = Self { core, seen: BTreeMap::new(), newest: 0 };
        let mut ended: BTreeMap<TaskId, u32> = durable.ended.into_iter().collect();
        let mut tasks: BTreeMap<TaskId, Vec<Fact>> = BTreeMap::new();
        for (task, fact) in durable.facts {
            tasks.entry(task).or_default().push(fact);
        }
        for (task, facts) in tasks {
            this.task(task, facts, ended.remove(&task));
        }
        for (task, tomb) in durable.tombs {
            this.tomb(task, &tomb);
        }
        Ok(this)
    }

    /// Takes what is left of a task that is over.
    pub fn tomb(&mut self, task: TaskId, tomb: &Tomb) {
        self.core.restore_tomb(task, tomb);
    }

    /// Takes all facts of a record, in any order, and when its end was known here, in seconds of running time.
    pub fn task(&mut self, task: TaskId, facts: Vec<Fact>, ended: Option<u32>) {
        for fact in &facts {
            self.note(task, fact);
        }
        self.core.restore_task(task, facts, ended);
    }

    /// Notes what a fact shows of its writer.
    fn note(&mut self, task: TaskId, fact: &Fact) {
        let mut note = |device: DeviceId, inc: Incarnation| {
            let latest = self.seen.entry(device).or_default();
            *latest = inc.max(*latest);
        };
        let core = &mut self.core;
        match fact {
            Fact::Submitted(f) => {
                note(f.by, f.by_inc);
                if f.by == core.me {
                    if f.number >> 32 == u64::from(core.series) {
                        core.accepted = core.accepted.max(f.number);
                    }
                    if f.number >= self.newest {
                        self.newest = f.number;
                        core.newest_accepted = Some(task);
                    }
                }
            }
            Fact::Leased(f) => {
                note(f.to, f.to_inc);
                note(f.by, f.by_inc);
                core.note_term(f.epoch.term(), f.by);
            }
            Fact::Settled(f) => {
                note(f.by, f.by_inc);
                core.note_term(f.term, f.by);
            }
            _ => {}
        }
    }

    /// Begins the life: not knowing who is alive, and not acting for others before it has asked.
    #[must_use]
    pub fn finish(self, now: Now) -> Scheduler {
        let Self { mut core, seen, .. } = self;
        let me = core.me;
        core.now = now;
        for (device, peer) in &mut core.peers {
            peer.inc = seen.get(device).copied();
        }
        core.learn_member(Member { device: me, version: 0, keeps: true, retired: false, revoked: false });
        core.start_sync();
        core.drop_covered();
        core.plan_burial();
        core.dirty.extend(core.tasks.keys().copied());
        core.finish();
        core
    }
}

impl Scheduler {
    /// Begins a life with what the device had on disk; see [`Restore`].
    ///
    /// # Errors
    /// [`RestoreError::NoIncarnation`] if `durable.incarnation` has no boots.
    pub fn restore(
        me: DeviceId,
        config: Config,
        seed: [u8; 32],
        durable: Durable,
        now: Now,
    ) -> Result<Self, RestoreError> {
        Ok(Restore::new(me, config, seed, durable, now)?.finish(now))
    }

    fn restore_task(&mut self, task: TaskId, mut facts: Vec<Fact>, ended: Option<u32>) {
        let ended = ended.unwrap_or(self.ran_s).min(self.ran_s);
        // `Submitted` first: what is sent of a record begins with it.
        facts.sort_by_key(|fact| !matches!(fact, Fact::Submitted(_)));
        let spec = facts.iter().find_map(|fact| match fact {
            Fact::Submitted(submitted) => record::verify(task, submitted),
            _ => None,
        });
        let Some(spec) = spec else {
            self.counters.refused_facts += facts.len() as u64;
            return;
        };
        let record = Record::from_facts(facts);
        if record.resolve().is_reportable() && self.rest_again(task, &record, ended) {
            self.batches.note(task, &spec);
            if let Some(key) = &spec.idempotency_key {
                self.keys.entry(key.clone()).or_insert(task);
            }
            return;
        }
        self.ensure_entry(task, Arc::new(spec));
        let now = self.now.mono;
        let Some(entry) = self.tasks.get_mut(&task) else { return };
        entry.record = record;
        entry.durable = entry.record.all();
        // A record that is not new is compared with the others' before it is sent to them.
        entry.changed = crate::time::Mono(0);
        entry.see_lease(now);
        entry.announced = entry.record.resolve().is_reportable();
        entry.ended = ended;
    }
}
