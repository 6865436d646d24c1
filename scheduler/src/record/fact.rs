//! The facts a record is made of. Each is written once, by one device, under a key that contains the writer and its incarnation (or
//! something only that writer can have), so that a key has one honest value and merging is set union.

use crate::bytes::Bytes;
use crate::id::{DeviceId, Epoch, Incarnation, TaskId, Term};
use crate::task::{ErrorClass, Status};
use crate::time::Span;
use alloc::string::String;

/// The acceptor holds the task on disk and answers for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Submitted {
    /// The device that accepted it.
    pub by: DeviceId,
    /// Its incarnation then.
    pub by_inc: Incarnation,
    /// The number of the task among those `by` accepted.
    pub number: u64,
    /// Makes two equal submits two tasks; zero for a keyed one.
    pub nonce: u64,
    /// When it was accepted, as `by` believed, milliseconds since 1970. For people.
    pub wall_ms: u64,
    /// [`crate::task::TaskSpec`] in CBOR; the id is a hash of it, the payload, and `by` and `nonce` or the key.
    pub spec: Bytes,
    /// The payload as it was given; JSON text.
    pub payload: Bytes,
}

/// A guardian gave the task to a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Leased {
    /// The fencing token; greater than every earlier lease's.
    pub epoch: Epoch,
    /// The device that shall run it.
    pub to: DeviceId,
    /// Its incarnation; another one must not start it.
    pub to_inc: Incarnation,
    /// The guardian.
    pub by: DeviceId,
    /// Its incarnation.
    pub by_inc: Incarnation,
    /// The number of the attempt, from 1. A lease after a loss or a release has its predecessor's.
    pub attempt: u32,
    /// How many leases so far ended without the task's fault.
    pub losses: u32,
    /// The score the device had, parts per million.
    pub score_ppm: u32,
    /// This is a copy: it runs beside the lease of that epoch, which it does not end (rule 28c).
    pub beside: Option<Epoch>,
}

/// The holder let go of a lease.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Closed {
    /// The lease.
    pub epoch: Epoch,
    /// The holder.
    pub by: DeviceId,
    /// Its incarnation, as in the lease.
    pub by_inc: Incarnation,
    /// How.
    pub close: Close,
}

/// How a lease ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Close {
    /// The attempt ran to an end, good or bad.
    Finished(Outcome),
    /// It did not run, or was stopped on the way.
    Released(Released),
}

/// What an attempt left behind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// `None` is success.
    pub error: Option<(ErrorClass, String)>,
    /// Result, output, resource usage: JSON text that the core does not read.
    pub body: Bytes,
    /// When the attempt began, as the holder believed, milliseconds since 1970.
    pub started_wall_ms: u64,
    /// When it ended, as the holder believed.
    pub finished_wall_ms: u64,
    /// How long it ran.
    pub run: Span,
}

impl Outcome {
    /// The attempt succeeded.
    #[must_use]
    pub const fn is_ok(&self) -> bool {
        self.error.is_none()
    }
}

/// Why a holder gave a lease back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Released {
    /// A later lease, a settlement or a cancel made it pointless.
    Superseded,
    /// The lease is of another incarnation of the device, or of its granter.
    Stale,
    /// The device will not run it now (paused, policy, full); not offered again before its record says something new.
    Refused {
        /// The sequence of the device record that the refusal is based on.
        record_sequence: u64,
        /// Why.
        grounds: Grounds,
    },
    /// The device was cut off from the cluster, or slept.
    Isolated,
    /// The device is being emptied or shut down, or its owner wants it.
    Drained,
    /// The device's process ended with it in hand; its next life says so.
    Died,
}

impl Released {
    /// It says nothing against the task nor for how long devices last: owners take their devices back, and work moves from busy devices to
    /// free ones, as often as they like.
    #[must_use]
    pub const fn is_free(&self) -> bool {
        matches!(self, Self::Drained | Self::Refused { grounds: Grounds::Busy, .. })
    }
}

/// Why a device does not run what it was leased.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Grounds {
    /// It has too much to do, or takes nothing on now; a freer device can start it sooner.
    Busy,
    /// Its owner does not let it run this type, or it has no handler for it.
    TaskType,
    /// Its owner does not grant what the task requires.
    Permissions,
    /// It cannot hold the task to the limits that the task asks for.
    Sandbox,
}

/// Somebody asked that the task not run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CancelAsked {
    /// The device where it was asked.
    pub by: DeviceId,
    /// The round that shall not go on.
    pub round: u32,
}

/// Somebody asked that a task that ended without a result begin again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reopened {
    /// The new round, one above the settled one.
    pub round: u32,
    /// The device where it was asked.
    pub by: DeviceId,
    /// The term of the `Settled` that it reopens.
    pub settled_term: Term,
    /// The highest lease of the rounds before; zero if there was none. It and those below count no more.
    pub epoch: Epoch,
}

/// A dependency has completed, or all of a group of them (see [`crate::task::dependency_groups`]); written by the guardian of the task
/// that waits. That one has ended otherwise is not written down: it ends the task that waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DepDone {
    /// The dependency, or the first of the group.
    pub dep: TaskId,
    /// The guardian that saw it.
    pub by: DeviceId,
    /// How it ended.
    pub status: Status,
    /// The body of its outcome, if the waiting task uses it.
    pub values: Bytes,
}

/// The guardian decided how the task ended. Never re-derived.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settled {
    /// The round that it ends.
    pub round: u32,
    /// The guardian's term; the highest wins.
    pub term: Term,
    /// The guardian.
    pub by: DeviceId,
    /// Its incarnation.
    pub by_inc: Incarnation,
    /// The decision.
    pub verdict: Verdict,
}

/// How a task ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// With the outcome of this lease, which is the `Closed` of the same epoch.
    Result(Epoch),
    /// With an error; `epoch` is the lease whose outcome tells more, if there is one.
    Failed {
        /// The class.
        class: ErrorClass,
        /// For people.
        message: String,
        /// The last attempt.
        epoch: Option<Epoch>,
    },
    /// On request.
    Cancelled,
    /// The last attempt ran out of time.
    Timeout(Epoch),
}

/// Two devices hold the settlement on disk (or its writer is alone): it may be reported. True for ever once true.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stable {
    /// The round of the settlement.
    pub round: u32,
    /// Its term.
    pub term: Term,
    /// Its writer.
    pub by: DeviceId,
    /// On how many disks it was when it became stable.
    pub disks: u32,
}

/// One fact.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "each variant wraps the documented type of its name")]
pub enum Fact {
    Submitted(Submitted),
    Leased(Leased),
    Closed(Closed),
    CancelAsked(CancelAsked),
    Reopened(Reopened),
    DepDone(DepDone),
    Settled(Settled),
    Stable(Stable),
    /// From a newer version: kept and passed on, not understood.
    Unknown {
        /// Its kind's number on the wire.
        kind: u8,
        /// Its bytes.
        body: Bytes,
    },
}

/// What makes a fact this fact and no other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[expect(missing_docs, reason = "each variant names the fields that make up the key of the fact of its name")]
pub enum FactKey {
    Submitted(DeviceId),
    Leased(Epoch),
    Closed(Epoch, DeviceId, Incarnation),
    CancelAsked(DeviceId, u32),
    Reopened(u32, DeviceId),
    DepDone(TaskId, DeviceId),
    Settled(u32, Term, DeviceId, Incarnation),
    Stable(u32, Term, DeviceId),
    /// Kind and hash of the body.
    Unknown(u8, [u8; 16]),
}

impl Fact {
    /// The key under which the record keeps it.
    #[must_use]
    pub fn key(&self) -> FactKey {
        match self {
            Self::Submitted(f) => FactKey::Submitted(f.by),
            Self::Leased(f) => FactKey::Leased(f.epoch),
            Self::Closed(f) => FactKey::Closed(f.epoch, f.by, f.by_inc),
            Self::CancelAsked(f) => FactKey::CancelAsked(f.by, f.round),
            Self::Reopened(f) => FactKey::Reopened(f.round, f.by),
            Self::DepDone(f) => FactKey::DepDone(f.dep, f.by),
            Self::Settled(f) => FactKey::Settled(f.round, f.term, f.by, f.by_inc),
            Self::Stable(f) => FactKey::Stable(f.round, f.term, f.by),
            Self::Unknown { kind, body } => {
                let mut hash = [0; 16];
                hash.copy_from_slice(&blake3::hash(body).as_bytes()[..16]);
                FactKey::Unknown(*kind, hash)
            }
        }
    }
}

impl Fact {
    /// The number of the kind of its key, from 0.
    #[must_use]
    pub const fn kind(&self) -> usize {
        match self {
            Self::Submitted(_) => 0,
            Self::Leased(_) => 1,
            Self::Closed(_) => 2,
            Self::CancelAsked(_) => 3,
            Self::Reopened(_) => 4,
            Self::DepDone(_) => 5,
            Self::Settled(_) => 6,
            Self::Stable(_) => 7,
            Self::Unknown { .. } => 8,
        }
    }

    /// Who wrote it; `None` if this version does not understand it.
    #[must_use]
    pub const fn writer(&self) -> Option<DeviceId> {
        match self {
            Self::Submitted(f) => Some(f.by),
            Self::Leased(f) => Some(f.by),
            Self::Closed(f) => Some(f.by),
            Self::CancelAsked(f) => Some(f.by),
            Self::Reopened(f) => Some(f.by),
            Self::DepDone(f) => Some(f.by),
            Self::Settled(f) => Some(f.by),
            Self::Stable(f) => Some(f.by),
            Self::Unknown { .. } => None,
        }
    }

    /// A hash of the whole fact, to choose between two values of one key in the same way everywhere.
    #[must_use]
    pub fn content_hash(&self) -> [u8; 32] {
        *blake3::hash(&crate::wire::encode_fact(self).1).as_bytes()
    }

    /// Which of two values of one key stays: a good outcome, which a settlement may name, then an outcome, then the smaller hash.
    #[must_use]
    pub fn is_kept_before(&self, other: &Self) -> bool {
        let rank = |fact: &Self| match fact {
            Self::Closed(Closed { close: Close::Finished(outcome), .. }) => u8::from(!outcome.is_ok()),
            _ => 2,
        };
        (rank(self), self.content_hash()) < (rank(other), other.content_hash())
    }
}

impl FactKey {
    /// How many kinds of keys there are.
    pub const KINDS: usize = 9;

    /// The number of its kind, from 0.
    #[must_use]
    pub const fn kind(&self) -> usize {
        match self {
            Self::Submitted(..) => 0,
            Self::Leased(..) => 1,
            Self::Closed(..) => 2,
            Self::CancelAsked(..) => 3,
            Self::Reopened(..) => 4,
            Self::DepDone(..) => 5,
            Self::Settled(..) => 6,
            Self::Stable(..) => 7,
            Self::Unknown(..) => 8,
        }
    }

    /// A 64-bit hash for digests. Not cryptographic: digests repair, they prove nothing.
    #[must_use]
    pub fn hash(&self) -> u64 {
        let mut mix = Mix(0x9e37_79b9_7f4a_7c15);
        match self {
            Self::Submitted(by) => mix.tag(1).id(&by.0),
            Self::Leased(epoch) => mix.tag(2).word(epoch.0),
            Self::Closed(epoch, by, inc) => mix.tag(3).word(epoch.0).id(&by.0).inc(*inc),
            Self::CancelAsked(by, 0) => mix.tag(4).id(&by.0),
            Self::CancelAsked(by, round) => mix.tag(4).id(&by.0).word(u64::from(*round)),
            Self::Reopened(round, by) => mix.tag(5).word(u64::from(*round)).id(&by.0),
            Self::DepDone(dep, by) => mix.tag(6).id(&dep.0).id(&by.0),
            Self::Settled(round, term, by, inc) => {
                mix.tag(7).word(u64::from(*round)).word(u64::from(*term)).id(&by.0).inc(*inc)
            }
            Self::Stable(round, term, by) => mix.tag(8).word(u64::from(*round)).word(u64::from(*term)).id(&by.0),
            Self::Unknown(kind, body) => mix.tag(9).word(u64::from(*kind)).id(body),
        };
        mix.0
    }
}

/// A small multiplicative hash (the finaliser of SplitMix64 over a running sum).
struct Mix(u64);

impl Mix {
    fn word(&mut self, word: u64) -> &mut Self {
        let mut z = (self.0 ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        self.0 = z ^ (z >> 31);
        self
    }

    fn tag(&mut self, tag: u8) -> &mut Self {
        self.word(u64::from(tag))
    }

    fn id(&mut self, id: &[u8; 16]) -> &mut Self {
        let (low, high) = (u128::from_le_bytes(*id) as u64, (u128::from_le_bytes(*id) >> 64) as u64);
        self.word(low).word(high)
    }

    fn inc(&mut self, inc: Incarnation) -> &mut Self {
        self.word(u64::from(inc.boots) << 32 | u64::from(inc.wakes))
    }
}
