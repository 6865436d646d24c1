//! Why a task goes where it goes, in the same words on every device that sees the same: from the task's facts, from what the devices
//! have told of themselves, and from who is heard. What only the task's guardian knows (leases that no record shows yet, who has room)
//! is left out, and so is what runs at the moment.

use crate::device::DeviceRecord;
use crate::id::{DeviceId, TaskId};
use crate::placement::{Candidate, Row, explain, view_hash};
use crate::record::{Close, Fact, Record, Released};
use crate::session::Peer;
use crate::task::TaskSpec;
use crate::view::View;
use alloc::vec::Vec;

/// An explanation, and the name of what it was made from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explained {
    /// Devices with the same number give the same rows.
    pub view_hash: u64,
    /// Every device that is known, the best first.
    pub rows: Vec<Row>,
}

impl View<'_> {
    /// Every device's terms for a task, what it fails and what would help, the best first.
    #[must_use]
    pub fn explain(&self, task: TaskId, spec: &TaskSpec, record: &Record) -> Explained {
        let mut failed = alloc::collections::BTreeSet::new();
        let mut refused = Vec::new();
        for fact in record.facts() {
            let Fact::Closed(closed) = fact else { continue };
            match &closed.close {
                Close::Finished(outcome) if !outcome.is_ok() => drop(failed.insert(closed.by)),
                Close::Released(Released::Refused { record_sequence, .. }) => {
                    refused.push((closed.by, closed.by_inc, *record_sequence));
                }
                _ => {}
            }
        }
        let candidates: Vec<_> = self
            .told_by_all()
            .map(|(record, reachable)| {
                let is_refused = |(by, inc, sequence): &(DeviceId, _, u64)| {
                    *by == record.device && *inc == record.incarnation && record.sequence <= *sequence
                };
                let refused = refused.iter().any(is_refused);
                Candidate { reachable, refused, ..Candidate::new(record) }
            })
            .collect();
        let mut hasher = blake3::Hasher::new();
        hasher.update(&view_hash(candidates.iter().map(|candidate| candidate.record)).to_le_bytes());
        for candidate in &candidates {
            hasher.update(&candidate.record.device.0).update(&[u8::from(candidate.reachable)]);
        }
        hasher.update(&task.0).update(&record.hash().to_le_bytes());
        let mut head = [0; 8];
        head.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        Explained { view_hash: u64::from_le_bytes(head), rows: explain(task, spec, candidates, &failed) }
    }

    /// Where a task would go that nobody has submitted. Equal devices are told apart by the id, which it does not have yet: one is made
    /// up from what it asks.
    ///
    /// # Panics
    /// Never: a vector takes every specification's bytes.
    #[must_use]
    pub fn plan(&self, spec: &TaskSpec) -> Explained {
        let mut encoded = Vec::new();
        ciborium::into_writer(spec, &mut encoded).expect("a vector takes every specification's bytes");
        let mut id = [0; 16];
        id.copy_from_slice(&blake3::hash(&encoded).as_bytes()[..16]);
        self.explain(TaskId(id), spec, &Record::default())
    }

    /// What every device last told of itself, in order of their ids; and whether it is heard. What this one has not told yet the others
    /// hear within a second.
    fn told_by_all(&self) -> impl Iterator<Item = (&DeviceRecord, bool)> {
        let core = self.core();
        let mine = core::iter::once((self.own(), true));
        let others = core.devices.iter().filter(|(device, _)| **device != core.me);
        let gone = |device: &DeviceId| core.members.get(*device).is_some_and(|member| member.retired || member.revoked);
        let others = others
            .filter(move |(device, _)| !gone(device))
            .map(|(device, record)| (record, core.peers.get(device).is_some_and(Peer::is_up)));
        let mut all: Vec<_> = mine.chain(others).collect();
        all.sort_by_key(|(record, _)| record.device);
        all.into_iter()
    }
}
