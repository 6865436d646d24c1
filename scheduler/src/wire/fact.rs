//! Facts as `(kind, body)`; the body is a CBOR array of the fields in order.

use super::cbor::{Reader, Writer};
use super::{WireError, from_cbor};
use crate::bytes::Bytes;
use crate::id::{DeviceId, Epoch, Incarnation};
use crate::record::{
    CancelAsked, Close, Closed, DepDone, Fact, Grounds, Leased, Outcome, Released, Reopened, Settled, Stable,
    Submitted, Verdict,
};
use crate::task::ErrorClass;
use crate::time::Span;
use alloc::string::String;
use alloc::vec::Vec;
use serde::Deserialize;

const SUBMITTED: u8 = 1;
const LEASED: u8 = 2;
const CLOSED: u8 = 3;
const CANCEL_ASKED: u8 = 4;
const REOPENED: u8 = 5;
const DEP_DONE: u8 = 6;
const SETTLED: u8 = 7;
const STABLE: u8 = 8;
/// A lease beside another one. A kind of its own: a version that knows of no copies keeps it and passes it on, and acts on none.
const COPIED: u8 = 9;

#[derive(Deserialize)]
enum WireClose {
    #[serde(rename = "f")]
    Finished(Option<(ErrorClass, String)>, Bytes, u64, u64, Span),
    #[serde(rename = "r")]
    Released(u8, u64),
}

#[derive(Deserialize)]
enum WireVerdict {
    #[serde(rename = "r")]
    Result(Epoch),
    #[serde(rename = "f")]
    Failed(ErrorClass, String, Option<Epoch>),
    #[serde(rename = "c")]
    Cancelled,
    #[serde(rename = "t")]
    Timeout(Epoch),
}

/// Kind and body of a fact.
#[must_use]
pub fn encode_fact(fact: &Fact) -> (u8, Vec<u8>) {
    let mut body = Vec::with_capacity(192);
    let kind = write_fact(fact, &mut body);
    (kind, body)
}

/// Appends the body of a fact and returns its kind.
pub fn write_fact(fact: &Fact, body: &mut Vec<u8>) -> u8 {
    let mut out = Writer(body);
    match fact {
        Fact::Submitted(f) => {
            inc(out.array(7).bytes(&f.by.0), f.by_inc).uint(f.number).uint(f.nonce).uint(f.wall_ms);
            out.bytes(&f.spec).bytes(&f.payload);
            SUBMITTED
        }
        Fact::Leased(f) => {
            inc(out.array(if f.beside.is_some() { 9 } else { 8 }).uint(f.epoch.0).bytes(&f.to.0), f.to_inc);
            inc(out.bytes(&f.by.0), f.by_inc).uint(f.attempt).uint(f.losses).uint(f.score_ppm);
            match f.beside {
                Some(first) => {
                    out.uint(first.0);
                    COPIED
                }
                None => LEASED,
            }
        }
        Fact::Closed(f) => {
            inc(out.array(4).uint(f.epoch.0).bytes(&f.by.0), f.by_inc);
            match &f.close {
                Close::Finished(o) => {
                    out.variant("f").array(5);
                    match &o.error {
                        Some((class, message)) => out.array(2).uint(u8::from(*class)).text(message),
                        None => out.null(),
                    };
                    out.bytes(&o.body).uint(o.started_wall_ms).uint(o.finished_wall_ms).uint(o.run.0);
                }
                Close::Released(why) => {
                    let (why, number) = match *why {
                        Released::Superseded => (0u8, 0),
                        Released::Stale => (1, 0),
                        Released::Refused { record_sequence, grounds } => {
                            let why = match grounds {
                                Grounds::Busy => 2,
                                Grounds::TaskType => 5,
                                Grounds::Permissions => 6,
                                Grounds::Sandbox => 7,
                            };
                            (why, record_sequence)
                        }
                        Released::Isolated => (3, 0),
                        Released::Drained => (4, 0),
                        Released::Died => (8, 0),
                    };
                    out.variant("r").array(2).uint(why).uint(number);
                }
            }
            CLOSED
        }
        Fact::CancelAsked(f) => {
            match f.round {
                0 => out.array(1).bytes(&f.by.0),
                round => out.array(2).bytes(&f.by.0).uint(round),
            };
            CANCEL_ASKED
        }
        Fact::Reopened(f) => {
            let parts = if f.epoch.0 == 0 { 3 } else { 4 };
            out.array(parts).uint(f.round).bytes(&f.by.0).uint(f.settled_term);
            if f.epoch.0 != 0 {
                out.uint(f.epoch.0);
            }
            REOPENED
        }
        Fact::DepDone(f) => {
            out.array(4).bytes(&f.dep.0).bytes(&f.by.0).uint(u8::from(f.status)).bytes(&f.values);
            DEP_DONE
        }
        Fact::Settled(f) => {
            inc(out.array(5).uint(f.round).uint(f.term).bytes(&f.by.0), f.by_inc);
            match &f.verdict {
                Verdict::Result(epoch) => out.variant("r").uint(epoch.0),
                Verdict::Failed { class, message, epoch } => {
                    out.variant("f").array(3).uint(u8::from(*class)).text(message);
                    match epoch {
                        Some(epoch) => out.uint(epoch.0),
                        None => out.null(),
                    }
                }
                Verdict::Cancelled => out.text("c"),
                Verdict::Timeout(epoch) => out.variant("t").uint(epoch.0),
            };
            SETTLED
        }
        Fact::Stable(f) => {
            out.array(4).uint(f.round).uint(f.term).bytes(&f.by.0).uint(f.disks);
            STABLE
        }
        Fact::Unknown { kind, body: unknown } => {
            body.extend_from_slice(unknown);
            *kind
        }
    }
}

fn inc<'a, 'b>(out: &'a mut Writer<'b>, inc: Incarnation) -> &'a mut Writer<'b> {
    out.map(2).text("boots").uint(inc.boots).text("wakes").uint(inc.wakes)
}

fn read_inc(body: &mut Reader<'_>) -> Option<Incarnation> {
    body.map(2)?;
    body.word("boots")?;
    let boots = body.uint()?;
    body.word("wakes")?;
    Some(Incarnation { boots, wakes: body.uint()? })
}

fn read_id(body: &mut Reader<'_>) -> Option<DeviceId> {
    body.id().map(DeviceId)
}

/// Reads the facts of a task that goes well, which are nearly all, as this version writes them.
fn read_fact(kind: u8, body: &[u8]) -> Option<Fact> {
    let body = &mut Reader(body);
    Some(match kind {
        SUBMITTED => {
            body.array(7)?;
            Fact::Submitted(Submitted {
                by: read_id(body)?,
                by_inc: read_inc(body)?,
                number: body.uint()?,
                nonce: body.uint()?,
                wall_ms: body.uint()?,
                spec: body.bytes()?.into(),
                payload: body.bytes()?.into(),
            })
        }
        LEASED => {
            body.array(8)?;
            Fact::Leased(Leased {
                epoch: Epoch(body.uint()?),
                to: read_id(body)?,
                to_inc: read_inc(body)?,
                by: read_id(body)?,
                by_inc: read_inc(body)?,
                attempt: body.uint()?,
                losses: body.uint()?,
                score_ppm: body.uint()?,
                beside: None,
            })
        }
        CLOSED => {
            body.array(4)?;
            let (epoch, by, by_inc) = (Epoch(body.uint()?), read_id(body)?, read_inc(body)?);
            body.variant("f")?;
            body.array(5)?;
            body.null()?;
            let outcome = Outcome {
                error: None,
                body: body.bytes()?.into(),
                started_wall_ms: body.uint()?,
                finished_wall_ms: body.uint()?,
                run: Span(body.uint()?),
            };
            Fact::Closed(Closed { epoch, by, by_inc, close: Close::Finished(outcome) })
        }
        SETTLED => {
            body.array(5)?;
            let (round, term, by, by_inc) = (body.uint()?, body.uint()?, read_id(body)?, read_inc(body)?);
            body.variant("r")?;
            Fact::Settled(Settled { round, term, by, by_inc, verdict: Verdict::Result(Epoch(body.uint()?)) })
        }
        STABLE => {
            body.array(4)?;
            let (round, term, by, disks) = (body.uint()?, body.uint()?, read_id(body)?, body.uint()?);
            Fact::Stable(Stable { round, term, by, disks })
        }
        _ => return None,
    })
}

/// Reads a fact back.
///
/// # Errors
/// [`WireError::Malformed`] if a known kind has a body of another shape.
pub fn decode_fact(kind: u8, body: &[u8]) -> Result<Fact, WireError> {
    match read_fact(kind, body) {
        Some(fact) => Ok(fact),
        None => parse_fact(kind, body),
    }
}

/// Reads any fact, whatever form of CBOR it was written in.
fn parse_fact(kind: u8, body: &[u8]) -> Result<Fact, WireError> {
    Ok(match kind {
        SUBMITTED => {
            let (by, by_inc, number, nonce, wall_ms, spec, payload) = from_cbor(body)?;
            Fact::Submitted(Submitted { by, by_inc, number, nonce, wall_ms, spec, payload })
        }
        LEASED => {
            let (epoch, to, to_inc, by, by_inc, attempt, losses, score_ppm) = from_cbor(body)?;
            Fact::Leased(Leased { epoch, to, to_inc, by, by_inc, attempt, losses, score_ppm, beside: None })
        }
        COPIED => {
            let (epoch, to, to_inc, by, by_inc, attempt, losses, score_ppm, first) = from_cbor(body)?;
            Fact::Leased(Leased { epoch, to, to_inc, by, by_inc, attempt, losses, score_ppm, beside: Some(first) })
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
                    2 => Released::Refused { record_sequence: number, grounds: Grounds::Busy },
                    3 => Released::Isolated,
                    5 => Released::Refused { record_sequence: number, grounds: Grounds::TaskType },
                    6 => Released::Refused { record_sequence: number, grounds: Grounds::Permissions },
                    7 => Released::Refused { record_sequence: number, grounds: Grounds::Sandbox },
                    8 => Released::Died,
                    _ => Released::Drained,
                }),
            };
            Fact::Closed(Closed { epoch, by, by_inc, close })
        }
        CANCEL_ASKED => {
            // Of the first round it is written without it, as it was before there were rounds.
            let (by, round) = match from_cbor(body) {
                Ok(both) => both,
                Err(_) => from_cbor(body).map(|(by,)| (by, 0))?,
            };
            Fact::CancelAsked(CancelAsked { by, round })
        }
        REOPENED => {
            // Without a lease it is written without one.
            let (round, by, settled_term, epoch) = match from_cbor(body) {
                Ok(all) => all,
                Err(_) => from_cbor(body).map(|(round, by, term)| (round, by, term, Epoch(0)))?,
            };
            Fact::Reopened(Reopened { round, by, settled_term, epoch })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_readers_read_the_same() {
        let (by, inc) = (DeviceId([7; 16]), Incarnation { boots: 300, wakes: 2 });
        let epoch = Epoch::new(5, 2, 0xabc);
        let outcome = Outcome {
            error: None,
            body: alloc::vec![b'x'; 300].into(),
            started_wall_ms: 1,
            finished_wall_ms: u64::MAX,
            run: Span(70_000),
        };
        let failed = Outcome { error: Some((ErrorClass::Task, "no".into())), ..outcome.clone() };
        let closed = |outcome| Fact::Closed(Closed { epoch, by, by_inc: inc, close: Close::Finished(outcome) });
        let facts = [
            Fact::Submitted(Submitted {
                by,
                by_inc: inc,
                number: 1 << 40,
                nonce: 24,
                wall_ms: 255,
                spec: alloc::vec![1; 30].into(),
                payload: Bytes::default(),
            }),
            Fact::Leased(Leased {
                epoch,
                to: by,
                to_inc: inc,
                by,
                by_inc: inc,
                attempt: 1,
                losses: 0,
                score_ppm: 654_321,
                beside: None,
            }),
            Fact::Leased(Leased {
                epoch: Epoch::new(5, 3, 0xabc),
                to: by,
                to_inc: inc,
                by,
                by_inc: inc,
                attempt: 1,
                losses: 0,
                score_ppm: 654_321,
                beside: Some(epoch),
            }),
            closed(outcome),
            closed(failed),
            Fact::Settled(Settled { round: 0, term: 9, by, by_inc: inc, verdict: Verdict::Result(epoch) }),
            Fact::Settled(Settled { round: 0, term: 9, by, by_inc: inc, verdict: Verdict::Cancelled }),
            Fact::Stable(Stable { round: 0, term: 9, by, disks: 2 }),
        ];
        let mut by_hand = 0;
        for fact in facts {
            let (kind, body) = encode_fact(&fact);
            assert_eq!(parse_fact(kind, &body).as_ref(), Ok(&fact));
            let read = read_fact(kind, &body);
            by_hand += usize::from(read.is_some());
            assert!(read.is_none_or(|read| read == fact));
            for cut in 0..body.len() {
                assert_eq!(read_fact(kind, &body[..cut]), None);
                assert_eq!(decode_fact(kind, &body[..cut]), Err(WireError::Malformed));
            }
        }
        assert_eq!(by_hand, 5);
    }
}
