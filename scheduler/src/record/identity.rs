//! A task's id is a hash of what was asked, so that two specifications can never share one (rule 2).

use super::Submitted;
use crate::blob::BLOBS_PER_TASK_MAX;
use crate::bytes::Bytes;
use crate::id::{DeviceId, TaskId};
use crate::task::{SPEC_BYTES_MAX, TaskSpec};

fn hash(domain: &[u8], spec: &Bytes, payload: &Bytes, rest: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for part in [domain, spec, payload].into_iter().chain(rest.iter().copied()) {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    *hasher.finalize().as_bytes()
}

/// The id of an unkeyed task.
#[must_use]
pub fn task_id(wall_ms: u64, spec: &Bytes, payload: &Bytes, by: DeviceId, nonce: u64) -> TaskId {
    TaskId::new(wall_ms & 0xffff_ffff_ffff, &hash(b"task", spec, payload, &[&by.0, &nonce.to_le_bytes()]))
}

/// The id of a task with an idempotency key: the same wherever and whenever it is submitted.
#[must_use]
pub fn keyed_task_id(key: &str, spec: &Bytes, payload: &Bytes) -> TaskId {
    TaskId::new(0, &hash(b"keyed", spec, payload, &[key.as_bytes()]))
}

fn unkeyed(task: TaskId, submitted: &Submitted) -> TaskId {
    task_id(task.wall_ms(), &submitted.spec, &submitted.payload, submitted.by, submitted.nonce)
}

/// Whether a `Submitted` that was found to belong to this id before is still the same. To parse it would cost more than all else that
/// is done when a record is read; only a key has to be looked up in it.
#[must_use]
pub(crate) fn is_still(task: TaskId, submitted: &Submitted) -> bool {
    unkeyed(task, submitted) == task || verify(task, submitted).is_some()
}

/// Whether a `Submitted` belongs to the id it came under, and is of a size that a device may have accepted; the parsed specification if
/// so.
#[must_use]
pub fn verify(task: TaskId, submitted: &Submitted) -> Option<TaskSpec> {
    if submitted.spec.len() > SPEC_BYTES_MAX {
        return None;
    }
    let spec = crate::wire::decode_spec(&submitted.spec).ok()?;
    let id = match &spec.idempotency_key {
        Some(key) => keyed_task_id(key, &submitted.spec, &submitted.payload),
        None => unkeyed(task, submitted),
    };
    let placed = spec.batch.is_none_or(|place| place.is_sound());
    (id == task && spec.blobs.len() <= BLOBS_PER_TASK_MAX && placed).then_some(spec)
}
