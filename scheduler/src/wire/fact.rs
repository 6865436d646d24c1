//! Facts as `(kind, body)`; the body is a CBOR array of the fields in order.

use super::{WireError, from_cbor, to_cbor};
use crate::bytes::Bytes;
use crate::record::{
    CancelAsked, Close, Closed, DepDone, Fact, Leased, Outcome, Released, Reopened, Settled, Stable, Submitted, Verdict,
};
use crate::task::ErrorClass;
use crate::time::Span;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

const SUBMITTED: u8 = 1;
const LEASED: u8 = 2;
const CLOSED: u8 = 3;
const CANCEL_ASKED: u8 = 4;
const REOPENED: u8 = 5;
const DEP_DONE: u8 = 6;
const SETTLED: u8 = 7;
const STABLE: u8 = 8;

#[derive(Serialize, Deserialize)]
enum WireClose {
    #[serde(rename = "f")]
    Finished(Option<(ErrorClass, String)>, Bytes, u64, u64, Span),
    #[serde(rename = "r")]
    Released(u8, u64),
}

#[derive(Serialize, Deserialize)]
enum WireVerdict {
    #[serde(rename = "r")]
    Result(crate::id::Epoch),
    #[serde(rename = "f")]
    Failed(ErrorClass, String, Option<crate::id::Epoch>),
    #[serde(rename = "c")]
    Cancelled,
    #[serde(rename = "t")]
    Timeout(crate::id::Epoch),
}

/// Kind and body of a fact.
#[must_use]
pub fn encode_fact(fact: &Fact) -> (u8, Vec<u8>) {
    match fact {
        Fact::Submitted(f) => {
            (SUBMITTED, to_cbor(&(f.by, f.by_inc, f.number, f.nonce, f.wall_ms, &f.spec, &f.payload)))
        }
        Fact::Leased(f) => {
            (LEASED, to_cbor(&(f.epoch, f.to, f.to_inc, f.by, f.by_inc, f.attempt, f.losses, f.score_ppm)))
        }
        Fact::Closed(f) => {
            let close = match &f.close {
                Close::Finished(o) => {
                    WireClose::Finished(o.error.clone(), o.body.clone(), o.started_wall_ms, o.finished_wall_ms, o.run)
                }
                Close::Released(why) => match *why {
                    Released::Superseded => WireClose::Released(0, 0),
                    Released::Stale => WireClose::Released(1, 0),
                    Released::Refused { record_sequence } => WireClose::Released(2, record_sequence),
                    Released::Isolated => WireClose::Released(3, 0),
                    Released::Drained => WireClose::Released(4, 0),
                },
            };
            (CLOSED, to_cbor(&(f.epoch, f.by, f.by_inc, close)))
        }
        Fact::CancelAsked(f) => (CANCEL_ASKED, to_cbor(&(f.by,))),
        Fact::Reopened(f) => (REOPENED, to_cbor(&(f.round, f.by, f.settled_term))),
        Fact::DepDone(f) => (DEP_DONE, to_cbor(&(f.dep, f.by, f.status, &f.values))),
        Fact::Settled(f) => {
            let verdict = match &f.verdict {
                Verdict::Result(epoch) => WireVerdict::Result(*epoch),
                Verdict::Failed { class, message, epoch } => WireVerdict::Failed(*class, message.clone(), *epoch),
                Verdict::Cancelled => WireVerdict::Cancelled,
                Verdict::Timeout(epoch) => WireVerdict::Timeout(*epoch),
            };
            (SETTLED, to_cbor(&(f.round, f.term, f.by, f.by_inc, verdict)))
        }
        Fact::Stable(f) => (STABLE, to_cbor(&(f.round, f.term, f.by, f.disks))),
        Fact::Unknown { kind, body } => (*kind, body.to_vec()),
    }
}

/// Reads a fact back.
///
/// # Errors
/// [`WireError::Malformed`] if a known kind has a body of another shape.
pub fn decode_fact(kind: u8, body: &[u8]) -> Result<Fact, WireError> {
    Ok(match kind {
        SUBMITTED => {
            let (by, by_inc, number, nonce, wall_ms, spec, payload) = from_cbor(body)?;
            Fact::Submitted(Submitted { by, by_inc, number, nonce, wall_ms, spec, payload })
        }
        LEASED => {
            let (epoch, to, to_inc, by, by_inc, attempt, losses, score_ppm) = from_cbor(body)?;
            Fact::Leased(Leased { epoch, to, to_inc, by, by_inc, attempt, losses, score_ppm })
        }
        CLOSED => {
            let (epoch, by, by_inc, close) = from_cbor(body)?;
            let close = match close {
                WireClose::Finished(error, body, started_wall_ms, finished_wall_ms, run) => {
                    Close::Finished(Outcome { error, body, started_wall_ms, finished_wall_ms, run })
                }
                WireClose::Released(why, number) => Close::Released(match why {
                    0 => Released::Superseded,
                    1 => Released::Stale,
                    2 => Released::Refused { record_sequence: number },
                    3 => Released::Isolated,
                    _ => Released::Drained,
                }),
            };
            Fact::Closed(Closed { epoch, by, by_inc, close })
        }
        CANCEL_ASKED => {
            let (by,) = from_cbor(body)?;
            Fact::CancelAsked(CancelAsked { by })
        }
        REOPENED => {
            let (round, by, settled_term) = from_cbor(body)?;
            Fact::Reopened(Reopened { round, by, settled_term })
        }
        DEP_DONE => {
            let (dep, by, status, values) = from_cbor(body)?;
            Fact::DepDone(DepDone { dep, by, status, values })
        }
        SETTLED => {
            let (round, term, by, by_inc, verdict) = from_cbor(body)?;
            let verdict = match verdict {
                WireVerdict::Result(epoch) => Verdict::Result(epoch),
                WireVerdict::Failed(class, message, epoch) => Verdict::Failed { class, message, epoch },
                WireVerdict::Cancelled => Verdict::Cancelled,
                WireVerdict::Timeout(epoch) => Verdict::Timeout(epoch),
            };
            Fact::Settled(Settled { round, term, by, by_inc, verdict })
        }
        STABLE => {
            let (round, term, by, disks) = from_cbor(body)?;
            Fact::Stable(Stable { round, term, by, disks })
        }
        _ => Fact::Unknown { kind, body: body.into() },
    })
}
