//! How facts and members are laid out in the log: exact, short keys, so that a fact is replaced and taken away by its own name.

use ciborium::de::Error as CborError;
use rc_scheduler::{DeviceId, Fact, FactKey, Incarnation, Member, TaskId, Tomb, wire};

use crate::identity::MEMBER_CELL;
use crate::storage::TaskRecord;

/// The sub key of a fact: its kind and the fields of its key, at most 33 bytes.
pub(super) fn fact_key(key: &FactKey) -> Vec<u8> {
    fn with(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::with_capacity(34);
        out.push(kind);
        parts.iter().for_each(|part| out.extend_from_slice(part));
        out
    }
    fn inc(inc: &Incarnation) -> [u8; 8] {
        (u64::from(inc.boots) << 32 | u64::from(inc.wakes)).to_be_bytes()
    }
    match key {
        FactKey::Submitted(by) => with(1, &[&by.0]),
        FactKey::Leased(epoch) => with(2, &[&epoch.0.to_be_bytes()]),
        FactKey::Closed(epoch, by, by_inc) => with(3, &[&epoch.0.to_be_bytes(), &by.0, &inc(by_inc)]),
        FactKey::CancelAsked(by, 0) => with(4, &[&by.0]),
        FactKey::CancelAsked(by, round) => with(4, &[&by.0, &round.to_be_bytes()]),
        FactKey::Reopened(round, by) => with(5, &[&round.to_be_bytes(), &by.0]),
        FactKey::DepDone(dep, by) => with(6, &[&dep.0, &by.0]),
        FactKey::Settled(round, term, by, by_inc) => {
            with(7, &[&round.to_be_bytes(), &term.to_be_bytes(), &by.0, &inc(by_inc)])
        }
        FactKey::Stable(round, term, by) => with(8, &[&round.to_be_bytes(), &term.to_be_bytes(), &by.0]),
        FactKey::Unknown(kind, hash) => with(9, &[&[*kind], hash]),
    }
}

/// The value of a fact: the number of its kind on the wire, then its body.
pub(super) fn fact_value(fact: &Fact) -> Vec<u8> {
    let mut value = Vec::with_capacity(192);
    value.push(0);
    value[0] = wire::write_fact(fact, &mut value);
    value
}

/// Reads what [`fact_value`] wrote.
fn decode_fact(value: &[u8]) -> Result<Fact, wire::WireError> {
    let (kind, body) = value.split_first().ok_or(wire::WireError::Malformed)?;
    wire::decode_fact(*kind, body)
}

/// The sub key under which a tombstone takes the place of all facts.
const TOMB_KEY: [u8; 1] = [10];
/// Bytes after the value of a `Stable`: the device's running time in seconds when it was written.
const ENDED_BYTES: usize = 4;

/// The value of a fact that says that the end may be told, with when that was.
pub(super) fn ended_value(fact: &Fact, ended_s: u32) -> Vec<u8> {
    let mut value = fact_value(fact);
    value.extend_from_slice(&ended_s.to_be_bytes());
    value
}

/// When the end was known, if the value says so; those of earlier versions do not.
fn ended_of(fact: &Fact, value: &[u8]) -> Option<u32> {
    let stamp = value.get(fact_value(fact).len()..)?;
    matches!(fact, Fact::Stable(_)).then_some(())?;
    Some(u32::from_be_bytes(<[u8; ENDED_BYTES]>::try_from(stamp).ok()?))
}

/// Where a tombstone is, and what it says.
pub(super) fn tomb_entry(tomb: &Tomb) -> (&'static [u8], Vec<u8>) {
    (&TOMB_KEY, to_cbor(&(tomb.hash, tomb.ended_s, &tomb.numbers)))
}

/// What is on disk of a task.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Kept {
    pub(crate) facts: Vec<Fact>,
    /// When its end was known here, in seconds of running time.
    pub(crate) ended: Option<u32>,
    /// It is over, and this is all that is left.
    pub(crate) tomb: Option<Tomb>,
}

/// Reads a task's entries, as far as they are readable; what is not is named in the log.
pub(crate) fn decode_record(record: TaskRecord) -> Kept {
    let task = TaskId(record.task);
    for damage in &record.damage {
        tracing::error!(%task, %damage, "a part of a task is damaged");
    }
    let mut kept = Kept { facts: Vec::with_capacity(record.entries.len()), ..Kept::default() };
    for (key, value) in record.entries {
        if key == TOMB_KEY {
            match ciborium::from_reader(value.as_slice()) {
                Ok((hash, ended_s, numbers)) => kept.tomb = Some(Tomb { hash, ended_s, numbers }),
                Err(error) => tracing::error!(%task, %error, "a tombstone is unreadable"),
            }
            continue;
        }
        match decode_fact(&value) {
            Ok(fact) => {
                kept.ended = [kept.ended, ended_of(&fact, &value)].into_iter().flatten().min();
                kept.facts.push(fact);
            }
            Err(error) => tracing::error!(%task, key = %key.escape_ascii(), %error, "a fact is unreadable"),
        }
    }
    kept
}

/// Prefix of the cells that say which numbers an acceptor has buried.
pub(crate) const GRAVES_CELL: &str = "graves/";
/// Cell: how long the device has run, and the series of its numbers.
pub(crate) const CLOCK_CELL: &str = "clock";

/// Name and value of the cell for what an acceptor has buried.
pub(super) fn graves_cell(by: DeviceId, intervals: &[(u64, u64)]) -> (String, Vec<u8>) {
    (format!("{GRAVES_CELL}{by}"), to_cbor(&intervals))
}

/// Reads a cell that [`graves_cell`] wrote.
pub(crate) fn decode_graves(name: &str, value: &[u8]) -> Option<(DeviceId, Vec<(u64, u64)>)> {
    let by = name.strip_prefix(GRAVES_CELL)?.parse().ok()?;
    Some((by, ciborium::from_reader(value).ok()?))
}

/// The value of the clock's cell: seconds and series.
pub(super) fn clock_value(ran_s: u64, series: u32) -> Vec<u8> {
    [ran_s.to_be_bytes().as_slice(), &series.to_be_bytes()].concat()
}

/// Reads what [`clock_value`] wrote.
pub(crate) fn decode_clock(value: &[u8]) -> Option<(u64, u32)> {
    let (ran_s, series) = value.split_at_checked(8)?;
    Some((u64::from_be_bytes(ran_s.try_into().ok()?), u32::from_be_bytes(series.try_into().ok()?)))
}

fn to_cbor<T: serde::Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    let written = ciborium::into_writer(value, &mut bytes);
    debug_assert!(written.is_ok(), "writing plain data to memory cannot fail");
    bytes
}

/// The name of a member's cell.
pub(super) fn member_cell(device: DeviceId) -> String {
    format!("{MEMBER_CELL}{device}")
}

/// The value of a member's cell.
pub(super) fn member_value(member: &Member) -> Vec<u8> {
    to_cbor(member)
}

/// Reads what [`member_value`] wrote.
pub(crate) fn decode_member(value: &[u8]) -> Result<Member, CborError<std::io::Error>> {
    ciborium::from_reader(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::KEY_BYTES_MAX;
    use rc_scheduler::Epoch;

    #[test]
    fn keys_are_distinct_and_short() {
        let (a, b) = (DeviceId([1; 16]), DeviceId([2; 16]));
        let inc = |boots, wakes| Incarnation { boots, wakes };
        let keys = [
            FactKey::Submitted(a),
            FactKey::Submitted(b),
            FactKey::Leased(Epoch(7)),
            FactKey::Leased(Epoch(8)),
            FactKey::Closed(Epoch(7), a, inc(1, 0)),
            FactKey::Closed(Epoch(7), a, inc(1, 1)),
            FactKey::Closed(Epoch(7), b, inc(1, 0)),
            FactKey::CancelAsked(a, 0),
            FactKey::CancelAsked(a, 1),
            FactKey::Reopened(1, a),
            FactKey::DepDone(TaskId([1; 16]), a),
            FactKey::Settled(0, 3, a, inc(1, 0)),
            FactKey::Settled(0, 3, a, inc(2, 0)),
            FactKey::Stable(0, 3, a),
            FactKey::Unknown(77, [3; 16]),
        ];
        let written: std::collections::BTreeSet<_> = keys.iter().map(fact_key).collect();
        assert_eq!(written.len(), keys.len());
        assert!(written.iter().all(|key| key.len() <= KEY_BYTES_MAX));
    }

    #[test]
    fn a_member_survives_the_disk() {
        let member = Member { device: DeviceId([5; 16]), version: 3, keeps: true, retired: false, revoked: true };
        assert_eq!(decode_member(&member_value(&member)).unwrap(), member);
        assert!(decode_member(b"\xff").is_err());
    }

    /// What is on disks today must be read by every later version; a changed byte is a break.
    #[test]
    fn what_burial_writes_is_written_and_read_as_ever() {
        let by = DeviceId([1; 16]);
        let stable = Fact::Stable(rc_scheduler::Stable { round: 0, term: 3, by, disks: 2 });
        let value = ended_value(&stable, 7);
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(hex(&value), "0884000350010101010101010101010101010101010200000007");
        let tomb = Tomb { hash: u64::MAX, ended_s: 9, numbers: vec![(by, 1 << 33)] };
        let (key, entry) = tomb_entry(&tomb);
        assert_eq!(hex(&entry), "831bffffffffffffffff09818250010101010101010101010101010101011b0000000200000000");
        let (name, row) = graves_cell(by, &[(1, 7), (9, u64::MAX)]);
        assert_eq!(hex(&row), "82820107820 91bffffffffffffffff".replace(' ', ""));
        assert_eq!(hex(&clock_value(600, 5)), "000000000000025800000005");

        let read = |entries| decode_record(TaskRecord { task: [2; 16], entries, damage: Vec::new() });
        let kept = read(vec![(vec![8], value.clone()), (vec![8, 1], fact_value(&stable))]);
        assert_eq!(
            (kept.ended, kept.facts.len(), kept.tomb),
            (Some(7), 2, None),
            "one of an earlier version has no time"
        );
        assert_eq!(read(vec![(vec![8], fact_value(&stable))]).ended, None);
        assert_eq!(read(vec![(key.to_vec(), entry)]).tomb, Some(tomb));
        assert_eq!(decode_graves(&name, &row), Some((by, vec![(1, 7), (9, u64::MAX)])));
        assert_eq!(decode_graves("graves/x", &row), None);
        assert_eq!(decode_clock(&clock_value(600, 5)), Some((600, 5)));
        assert_eq!(decode_clock(&[0; 7]), None);
    }
}
