//! Messages as `kind` and then the CBOR array of the fields.

use super::cbor::{Reader, Writer};
use super::{WireError, decode_fact, encode_fact, from_cbor, to_cbor, write_fact};
use crate::bytes::Bytes;
use crate::device::DeviceRecord;
use crate::effect::Tomb;
use crate::id::{BatchId, DeviceId, TaskId};
use crate::keeper::{BURIED_MAX, INTERVALS_MAX};
use crate::member::{MEMBERS_MAX, Member};
use crate::message::{
    AWAIT_MAX, About, Answer, Ask, Await, Awaited, BATCHES_MAX, BatchReply, Beat, Buried, Digest, Facts, Grant, Hello,
    Lack, Live, Message, Move, Query, QueryReply, Resend, SUMMARY_MAX, Stored, Strayed, Strays, Summary, Want,
};
use crate::record::{Fact, SLOTS_MAX};
use crate::task::{BATCH_TASKS_MAX, Status};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

const HELLO: u8 = 1;
const BEAT: u8 = 2;
const FACTS: u8 = 3;
const STORED: u8 = 4;
const MEMBERS: u8 = 5;
const ASK: u8 = 6;
const ANSWER: u8 = 7;
const WANT: u8 = 8;
const GRANT: u8 = 9;
const DIGEST: u8 = 10;
const RESEND: u8 = 11;
const QUERY: u8 = 12;
const REPLY: u8 = 13;
const LIVE: u8 = 14;
const RECORD: u8 = 15;
const SUMMARY: u8 = 16;
const LACK: u8 = 17;
const GRAVES: u8 = 18;
const BURIED: u8 = 19;
const STRAYS: u8 = 20;
const STRAYED: u8 = 21;
const AWAIT: u8 = 22;
const AWAITED: u8 = 23;
const BATCH_REPLY: u8 = 24;
const MOVE: u8 = 25;

/// Most devices named in a question about lost ones, most buckets of a digest.
const LIST_MAX: usize = 4_096;
/// Longest free text in a message, bytes.
const TEXT_MAX: usize = 4_096;

type WireFacts = Vec<(TaskId, u8, Bytes)>;
/// Task, hash of its record, and under which numbers it was accepted by whom.
type WireTombs = Vec<(TaskId, u64, Vec<(DeviceId, u64)>)>;

fn pack(facts: &[(TaskId, Fact)]) -> WireFacts {
    facts
        .iter()
        .map(|(task, fact)| {
            let (kind, body) = encode_fact(fact);
            (*task, kind, body.into())
        })
        .collect()
}

fn unpack(facts: WireFacts) -> Result<Vec<(TaskId, Fact)>, WireError> {
    facts.into_iter().map(|(task, kind, body)| Ok((task, decode_fact(kind, &body)?))).collect()
}

/// A frame of facts is most of what goes over links: each fact is written once, and copied once.
fn frame_of_facts(frame: &Facts) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64 + frame.facts.len() * 192);
    bytes.push(FACTS);
    Writer(&mut bytes).array(3).uint(frame.frame).uint(frame.first).array(frame.facts.len());
    let mut body = Vec::with_capacity(256);
    for (task, fact) in &frame.facts {
        body.clear();
        let kind = write_fact(fact, &mut body);
        Writer(&mut bytes).array(3).bytes(&task.0).uint(kind).bytes(&body);
    }
    bytes
}

/// Reads what [`frame_of_facts`] wrote; `None` if it is of another form.
fn read_facts(body: &[u8]) -> Option<Result<Facts, WireError>> {
    /// Fewer bytes are no fact in a frame.
    const FACT_BYTES_MIN: usize = 20;
    let body = &mut Reader(body);
    body.array(3)?;
    let (frame, first, count) = (body.uint()?, body.uint()?, body.items()?);
    let mut facts = Vec::with_capacity(count.min(body.0.len() / FACT_BYTES_MIN));
    for _ in 0..count {
        body.array(3)?;
        let (task, kind, fact) = (TaskId(body.id()?), body.uint()?, body.bytes()?);
        match decode_fact(kind, fact) {
            Ok(fact) => facts.push((task, fact)),
            Err(error) => return Some(Err(error)),
        }
    }
    Some(Ok(Facts { frame, first, facts }))
}

fn framed<T: serde::Serialize>(kind: u8, body: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(128);
    bytes.push(kind);
    let written = ciborium::into_writer(body, &mut bytes);
    debug_assert!(written.is_ok(), "writing plain data to memory cannot fail");
    bytes
}

/// The bytes of a message.
#[must_use]
pub fn encode(message: &Message) -> Vec<u8> {
    match message {
        Message::Hello(m) => framed(HELLO, &(m.incarnation, m.protocol, m.members_hash, m.given_up, m.known, m.reply)),
        Message::Beat(m) => {
            framed(BEAT, &(m.incarnation, m.number, m.echo, m.reply, m.guard, m.take, m.synced, m.held, m.held_hash))
        }
        Message::Facts(m) => frame_of_facts(m),
        Message::Stored(m) => framed(STORED, &(m.upto,)),
        Message::Members(members) => framed(MEMBERS, members),
        Message::Ask(m) => framed(ASK, &(m.round, &m.lost, m.term)),
        Message::Answer(m) => framed(ANSWER, &(m.round, &m.heard, m.term)),
        Message::Want(m) => framed(WANT, &(m.count, m.priority)),
        Message::Grant(m) => framed(GRANT, &(m.limit,)),
        Message::Move(m) => framed(MOVE, &(m.count, m.to)),
        Message::Digest(m) => framed(DIGEST, &(m.members_hash, &m.buckets, m.reply)),
        Message::Summary(m) => framed(SUMMARY, &(Bytes::from(m.buckets.clone()), m.from, m.upto, &m.entries)),
        Message::Lack(m) => framed(LACK, &(&m.tasks,)),
        Message::Strays(m) => framed(STRAYS, &(&m.entries,)),
        Message::Strayed(m) => framed(STRAYED, &(m.upto, &m.lack)),
        Message::Graves(rows) => framed(GRAVES, rows),
        Message::Buried(m) => {
            let tasks: Vec<_> = m.tasks.iter().map(|(task, tomb)| (*task, tomb.hash, &tomb.numbers)).collect();
            framed(BURIED, &tasks)
        }
        Message::Resend(Resend) => Vec::from([RESEND]),
        Message::Query(m) => {
            let (kind, task, prefix, limit) = match &m.about {
                About::Task(task) => (0u8, Some(*task), None, 0),
                About::Prefix(prefix) => (1, None, Some(prefix.clone()), 0),
                About::List(limit) => (2, None, None, *limit),
                About::OpenOf(task_type) => (3, None, Some(task_type.clone()), 0),
                About::Batch(batch, which) => (4, Some(TaskId(batch.0)), None, u32::from(*which)),
                About::Batches(limit) => (5, None, None, *limit),
            };
            framed(QUERY, &(m.id, kind, task, prefix, limit))
        }
        Message::Reply(m) => framed(REPLY, &(m.id, pack(&m.facts), m.more)),
        Message::BatchReply(m) => framed(BATCH_REPLY, &(m.id, &m.batches, &m.marks, &m.tasks, m.more)),
        Message::Live(m) => framed(LIVE, &(m.task, m.epoch, m.started_wall_ms, m.percent, &m.text)),
        Message::Record(record) => framed(RECORD, record),
        Message::Await(m) => framed(AWAIT, &(&m.tasks,)),
        Message::Awaited(m) => framed(AWAITED, &(&m.ended, &m.lacking)),
    }
}

/// Reads a message back.
///
/// # Errors
/// Any [`WireError`]; the bytes came from a peer and are to be counted and dropped.
pub fn decode(bytes: &[u8]) -> Result<Message, WireError> {
    let (kind, body) = bytes.split_first().ok_or(WireError::Malformed)?;
    let bounded = |length: usize, max: usize| if length > max { Err(WireError::TooLarge) } else { Ok(()) };
    Ok(match *kind {
        HELLO => {
            let (incarnation, protocol, members_hash, given_up, known, reply) = from_cbor(body)?;
            Message::Hello(Hello { incarnation, protocol, members_hash, given_up, known, reply })
        }
        BEAT => {
            let (incarnation, number, echo, reply, guard, take, synced, held, held_hash) = from_cbor(body)?;
            Message::Beat(Beat { incarnation, number, echo, reply, guard, take, synced, held, held_hash })
        }
        FACTS => {
            if let Some(facts) = read_facts(body) {
                return facts.map(Message::Facts);
            }
            let (frame, first, facts): (_, _, WireFacts) = from_cbor(body)?;
            Message::Facts(Facts { frame, first, facts: unpack(facts)? })
        }
        STORED => {
            let (upto,) = from_cbor(body)?;
            Message::Stored(Stored { upto })
        }
        MEMBERS => {
            let members: Vec<Member> = from_cbor(body)?;
            bounded(members.len(), MEMBERS_MAX)?;
            Message::Members(members)
        }
        ASK => {
            let (round, lost, term): (_, Vec<_>, _) = from_cbor(body)?;
            bounded(lost.len(), LIST_MAX)?;
            Message::Ask(Ask { round, lost, term })
        }
        ANSWER => {
            let (round, heard, term): (_, Vec<_>, _) = from_cbor(body)?;
            bounded(heard.len(), LIST_MAX)?;
            Message::Answer(Answer { round, heard, term })
        }
        WANT => {
            let (count, priority) = from_cbor(body)?;
            Message::Want(Want { count, priority })
        }
        GRANT => {
            let (limit,) = from_cbor(body)?;
            Message::Grant(Grant { limit })
        }
        MOVE => {
            let (count, to) = from_cbor(body)?;
            Message::Move(Move { count, to })
        }
        DIGEST => {
            let (members_hash, buckets, reply): (_, Vec<_>, _) = from_cbor(body)?;
            bounded(buckets.len(), LIST_MAX)?;
            Message::Digest(Digest { members_hash, buckets, reply })
        }
        SUMMARY => {
            let (buckets, from, upto, entries): (Bytes, _, _, Vec<_>) = from_cbor(body)?;
            bounded(buckets.len(), 256)?;
            bounded(entries.len(), SUMMARY_MAX)?;
            Message::Summary(Summary { buckets: buckets.to_vec(), from, upto, entries })
        }
        LACK => {
            let (tasks,): (Vec<_>,) = from_cbor(body)?;
            bounded(tasks.len(), SUMMARY_MAX)?;
            Message::Lack(Lack { tasks })
        }
        STRAYS => {
            let (entries,): (Vec<_>,) = from_cbor(body)?;
            bounded(entries.len(), SUMMARY_MAX)?;
            Message::Strays(Strays { entries })
        }
        STRAYED => {
            let (upto, lack): (_, Vec<_>) = from_cbor(body)?;
            bounded(lack.len(), SUMMARY_MAX)?;
            Message::Strayed(Strayed { upto, lack })
        }
        GRAVES => {
            let rows: Vec<(_, Vec<_>)> = from_cbor(body)?;
            bounded(rows.len(), MEMBERS_MAX)?;
            for (_, row) in &rows {
                bounded(row.len(), INTERVALS_MAX)?;
            }
            Message::Graves(rows)
        }
        BURIED => {
            let tasks: WireTombs = from_cbor(body)?;
            bounded(tasks.len(), BURIED_MAX)?;
            for (.., numbers) in &tasks {
                bounded(numbers.len(), SLOTS_MAX)?;
            }
            let tasks = tasks.into_iter().map(|(task, hash, numbers)| (task, Tomb { hash, ended_s: 0, numbers }));
            Message::Buried(Buried { tasks: tasks.collect() })
        }
        RESEND => Message::Resend(Resend),
        QUERY => {
            let (id, kind, task, prefix, limit): (u64, u8, Option<TaskId>, Option<String>, u32) = from_cbor(body)?;
            let about = match (kind, task, prefix) {
                (0, Some(task), None) => About::Task(task),
                (1, None, Some(prefix)) => {
                    bounded(prefix.len(), crate::id::ID_CHARS)?;
                    About::Prefix(prefix)
                }
                (2, None, None) => About::List(limit),
                (3, None, Some(task_type)) => {
                    bounded(task_type.len(), TEXT_MAX)?;
                    About::OpenOf(task_type)
                }
                (4, Some(TaskId(batch)), None) => {
                    About::Batch(BatchId(batch), u16::try_from(limit).map_err(|_| WireError::Malformed)?)
                }
                (5, None, None) => About::Batches(limit),
                _ => return Err(WireError::Malformed),
            };
            Message::Query(Query { id, about })
        }
        REPLY => {
            let (id, facts, more): (_, WireFacts, _) = from_cbor(body)?;
            Message::Reply(QueryReply { id, facts: unpack(facts)?, more })
        }
        BATCH_REPLY => {
            let (id, batches, marks, tasks, more): (_, Vec<_>, Bytes, Vec<_>, _) = from_cbor(body)?;
            bounded(batches.len(), BATCHES_MAX)?;
            bounded(marks.len(), BATCH_TASKS_MAX as usize)?;
            bounded(tasks.len(), BATCH_TASKS_MAX as usize)?;
            Message::BatchReply(BatchReply { id, batches, marks, tasks, more })
        }
        LIVE => {
            let (task, epoch, started_wall_ms, percent, text): (_, _, _, Option<u8>, String) = from_cbor(body)?;
            bounded(text.len(), TEXT_MAX)?;
            Message::Live(Live { task, epoch, started_wall_ms, percent: percent.map(|p| p.min(100)), text })
        }
        RECORD => Message::Record(Box::new(decode_record(body)?)),
        AWAIT => {
            let (tasks,): (Vec<_>,) = from_cbor(body)?;
            bounded(tasks.len(), AWAIT_MAX)?;
            Message::Await(Await { tasks })
        }
        AWAITED => {
            let (ended, lacking): (Vec<(TaskId, Status, Bytes)>, Vec<_>) = from_cbor(body)?;
            bounded(ended.len(), AWAIT_MAX)?;
            bounded(lacking.len(), AWAIT_MAX)?;
            Message::Awaited(Awaited { ended, lacking })
        }
        kind => return Err(WireError::UnknownMessage(kind)),
    })
}

/// The bytes of a device record, as they are gossiped.
#[must_use]
pub fn encode_record(record: &DeviceRecord) -> Vec<u8> {
    to_cbor(record)
}

/// Reads a gossiped device record.
///
/// # Errors
/// [`WireError::TooLarge`] if a text or list is longer than a peer may send, else [`WireError::Malformed`].
pub fn decode_record(bytes: &[u8]) -> Result<DeviceRecord, WireError> {
    let record: DeviceRecord = from_cbor(bytes)?;
    if record.is_bounded() { Ok(record) } else { Err(WireError::TooLarge) }
}
