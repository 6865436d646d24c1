//! Which task names which blobs: a blob is kept as long as a record on this disk names it. In memory, built anew at every start.

use rc_scheduler::{BlobHash, BlobRef, Close, Fact, TaskId, wire};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// How the body of an outcome begins that names blobs: no other body does.
const BODY_MARK: &[u8] = b"{\"blob";
/// What the specification of a task that names blobs contains: the key of a reference.
const SPEC_MARK: &[u8] = b"blob";

/// The beginning of an outcome's body that names blobs; the rest of it is somebody else's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodyBlobs {
    /// The whole body, if it was too long to travel inside.
    #[serde(rename = "blob_body", default, skip_serializing_if = "Option::is_none")]
    pub body: Option<BlobRef>,
    /// On how many disks that was when it was reported.
    #[serde(rename = "blob_disks", default, skip_serializing_if = "Option::is_none")]
    pub disks: Option<u32>,
    /// What the attempt made.
    #[serde(rename = "blobs", default, skip_serializing_if = "Vec::is_empty")]
    pub made: Vec<BlobRef>,
}

impl BodyBlobs {
    /// Of an outcome's body, whatever else is in it.
    #[must_use]
    pub fn of(body: &[u8]) -> Self {
        if body.starts_with(BODY_MARK) { serde_json::from_slice(body).unwrap_or_default() } else { Self::default() }
    }

    fn all(&self) -> impl Iterator<Item = BlobRef> + '_ {
        self.body.iter().chain(&self.made).copied()
    }
}

/// The blobs that a fact names.
pub(crate) fn named_by(fact: &Fact) -> Vec<BlobRef> {
    match fact {
        Fact::Submitted(submitted) if submitted.spec.windows(SPEC_MARK.len()).any(|part| part == SPEC_MARK) => {
            let spec = wire::decode_spec(&submitted.spec);
            spec.map(|spec| spec.all_blobs().collect()).unwrap_or_default()
        }
        Fact::Closed(closed) => match &closed.close {
            Close::Finished(outcome) => BodyBlobs::of(&outcome.body).all().collect(),
            Close::Released(_) => Vec::new(),
        },
        Fact::DepDone(done) => BodyBlobs::of(&done.values).all().collect(),
        _ => Vec::new(),
    }
}

/// The references.
#[derive(Debug, Default)]
pub(super) struct Refs {
    tasks: HashMap<TaskId, Vec<BlobRef>>,
    blobs: HashMap<BlobHash, (u64, usize)>,
}

impl Refs {
    /// A task names a blob; `true` if none did before.
    pub(super) fn add(&mut self, task: TaskId, blob: BlobRef) -> bool {
        let named = self.tasks.entry(task).or_default();
        if named.iter().any(|other| other.hash == blob.hash) {
            return false;
        }
        named.push(blob);
        let (_, count) = self.blobs.entry(blob.hash).or_insert((blob.bytes, 0));
        *count += 1;
        *count == 1
    }

    /// A task's record is gone; returns the blobs that no task names any more.
    pub(super) fn drop_task(&mut self, task: TaskId) -> Vec<BlobHash> {
        let mut free = Vec::new();
        for blob in self.tasks.remove(&task).unwrap_or_default() {
            if let Some((_, count)) = self.blobs.get_mut(&blob.hash) {
                *count -= 1;
                if *count == 0 {
                    self.blobs.remove(&blob.hash);
                    free.push(blob.hash);
                }
            }
        }
        free
    }

    /// How many tasks name it.
    pub(super) fn count(&self, hash: &BlobHash) -> usize {
        self.blobs.get(hash).map_or(0, |(_, count)| *count)
    }

    /// All that are named.
    pub(super) fn named(&self) -> impl Iterator<Item = BlobRef> + '_ {
        self.blobs.iter().map(|(hash, (bytes, _))| BlobRef { hash: *hash, bytes: *bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rc_scheduler::{Closed, DeviceId, Epoch, Incarnation, Outcome, Span, Submitted, TaskSpec};

    fn blob(n: u8) -> BlobRef {
        BlobRef { hash: BlobHash([n; 32]), bytes: 100_000 + u64::from(n) }
    }

    #[test]
    fn a_blob_is_free_when_the_last_task_that_names_it_is_gone() {
        let [one, two] = [1, 2].map(|n| TaskId([n; 16]));
        let mut refs = Refs::default();
        assert!(refs.add(one, blob(1)));
        assert!(!refs.add(one, blob(1)), "named twice by the same task counts once");
        assert!(!refs.add(two, blob(1)));
        assert!(refs.add(two, blob(2)));
        assert_eq!((refs.count(&blob(1).hash), refs.named().count()), (2, 2));
        assert_eq!(refs.drop_task(one), []);
        assert_eq!(refs.drop_task(one), []);
        assert_eq!(refs.drop_task(two), [blob(1).hash, blob(2).hash]);
        assert_eq!(refs.named().count(), 0);
    }

    #[test]
    fn facts_name_their_blobs() {
        let spec = TaskSpec { payload_blob: Some(blob(1)), blobs: vec![blob(2), blob(3)], ..TaskSpec::default() };
        let submitted = |spec: &TaskSpec| {
            Fact::Submitted(Submitted {
                by: DeviceId([1; 16]),
                by_inc: Incarnation::default(),
                number: 1,
                nonce: 1,
                wall_ms: 1,
                spec: wire::encode_spec(spec),
                payload: rc_scheduler::Bytes::default(),
            })
        };
        assert_eq!(named_by(&submitted(&spec)), [blob(1), blob(2), blob(3)]);
        assert_eq!(named_by(&submitted(&TaskSpec { task_type: "blob".into(), ..TaskSpec::default() })), []);
        let closed = |body: Vec<u8>| {
            let outcome =
                Outcome { error: None, body: body.into(), started_wall_ms: 0, finished_wall_ms: 0, run: Span(0) };
            Fact::Closed(Closed {
                epoch: Epoch(1),
                by: DeviceId([1; 16]),
                by_inc: Incarnation::default(),
                close: Close::Finished(outcome),
            })
        };
        let body = BodyBlobs { body: Some(blob(4)), disks: Some(2), made: vec![blob(5)] };
        assert_eq!(named_by(&closed(serde_json::to_vec(&body).unwrap())), [blob(4), blob(5)]);
        let made = BodyBlobs { made: vec![blob(5)], ..BodyBlobs::default() };
        assert_eq!(named_by(&closed(serde_json::to_vec(&made).unwrap())), [blob(5)]);
        for other in [&b""[..], b"{}", b"{\"result\":{\"blobs\":[]}}", b"{\"blob nonsense"] {
            assert_eq!(named_by(&closed(other.to_vec())), []);
        }
    }
}
