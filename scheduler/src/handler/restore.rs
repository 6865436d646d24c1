//! A core from what is on disk.

use crate::config::Config;
use crate::core::Scheduler;
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

impl Scheduler {
    /// Begins a life: with what the device had on disk, not knowing who is alive, and not acting for others before it has asked.
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
        if durable.incarnation.boots == 0 {
            return Err(RestoreError::NoIncarnation);
        }
        let mut core = Self::empty(me, config, seed, durable.incarnation, now);
        let mut seen = BTreeMap::new();
        for member in durable.members {
            core.members.merge(member);
        }
        let mut tasks: BTreeMap<TaskId, Vec<Fact>> = BTreeMap::new();
        for (task, fact) in durable.facts {
            tasks.entry(task).or_default().push(fact);
        }
        for (task, facts) in tasks {
            core.restore_task(task, facts, &mut seen);
        }
        for device in core.members.iter().map(|member| member.device).collect::<Vec<_>>() {
            if device != me {
                core.peer_mut(device).inc = seen.get(&device).copied();
            }
        }
        core.learn_member(Member { device: me, version: 0, keeps: true, retired: false, revoked: false });
        core.start_sync();
        core.dirty.extend(core.tasks.keys().copied());
        core.finish();
        Ok(core)
    }

    fn restore_task(&mut self, task: TaskId, mut facts: Vec<Fact>, seen: &mut BTreeMap<DeviceId, Incarnation>) {
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
        let mut note = |device: DeviceId, inc: Incarnation| {
            let latest = seen.entry(device).or_default();
            *latest = inc.max(*latest);
        };
        for fact in &facts {
            match fact {
                Fact::Submitted(f) => {
                    note(f.by, f.by_inc);
                    if f.by == self.me {
                        self.accepted = self.accepted.max(f.number);
                    }
                }
                Fact::Leased(f) => {
                    note(f.to, f.to_inc);
                    note(f.by, f.by_inc);
                    self.seen_term = self.seen_term.max((f.epoch.term(), f.by));
                }
                Fact::Settled(f) => {
                    note(f.by, f.by_inc);
                    self.seen_term = self.seen_term.max((f.term, f.by));
                }
                _ => {}
            }
        }
        self.ensure_entry(task, Arc::new(spec));
        let now = self.now.mono;
        let Some(entry) = self.tasks.get_mut(&task) else { return };
        entry.record = Record::from_facts(facts);
        entry.durable = entry.record.all();
        // A record that is not new is compared with the others' before it is sent to them.
        entry.changed = crate::time::Mono(0);
        let state = entry.record.resolve();
        entry.lease_seen = (state.lease.map(|lease| lease.epoch).unwrap_or_default(), now);
        entry.closed_seen = (state.closed.map(|closed| closed.epoch).unwrap_or_default(), now);
        entry.announced = state.is_reportable();
    }
}
