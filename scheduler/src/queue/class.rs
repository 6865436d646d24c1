//! What tasks of one line have in common: whatever a filter looks at.

use crate::id::DeviceId;
use crate::task::{Priority, TaskSpec};
use core::num::NonZeroU64;

/// On whose account a task runs: those who submit share what there is (rule 22a).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Share(u64);

impl Share {
    /// That of whom the task names, else of the device that accepted it.
    pub(crate) fn of(spec: &TaskSpec, acceptor: Option<DeviceId>) -> Self {
        let mut hasher = blake3::Hasher::new();
        match &spec.submitter {
            Some(name) => hasher.update(b"n").update(name.as_bytes()),
            None => hasher.update(b"d").update(&acceptor.unwrap_or_default().0),
        };
        Self(short(&hasher))
    }
}

/// Tasks that were handed in together, as a batch: who did that waits for the last of them, and for none before (rule 22b).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Lot(NonZeroU64);

impl Lot {
    fn of(spec: &TaskSpec) -> Option<Self> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&spec.batch?.batch.0);
        NonZeroU64::new(short(&hasher)).map(Self)
    }
}

/// A line: tasks in it differ only in what no filter looks at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Class {
    pub(super) priority: Priority,
    pub(super) share: Share,
    pub(super) lot: Option<Lot>,
    hash: u64,
}

impl Class {
    /// The class of a specification; a task that some devices have failed or given back is of a class of its own, and so are those of a
    /// batch.
    pub(crate) fn of(spec: &TaskSpec, share: Share, past: &[DeviceId]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(spec.task_type.as_bytes());
        let written = ciborium::into_writer(&(&spec.requirements, &spec.required_permissions), HashWriter(&mut hasher));
        debug_assert!(written.is_ok(), "hashing cannot fail");
        past.iter().for_each(|device| _ = hasher.update(&device.0));
        Self { priority: spec.priority, share, lot: Lot::of(spec), hash: short(&hasher) }
    }
}

impl Class {
    /// The same of this batch, or of none.
    pub(super) const fn in_lot(self, lot: Option<Lot>) -> Self {
        Self { lot, ..self }
    }
}

fn short(hasher: &blake3::Hasher) -> u64 {
    let mut short = [0; 8];
    short.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(short)
}

struct HashWriter<'a>(&'a mut blake3::Hasher);

impl ciborium_io::Write for HashWriter<'_> {
    type Error = core::convert::Infallible;
    fn write_all(&mut self, data: &[u8]) -> Result<(), Self::Error> {
        self.0.update(data);
        Ok(())
    }
    fn flush(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}
