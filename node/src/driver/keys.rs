//! How facts and members are laid out in the log: exact, short keys, so that a fact is replaced and taken away by its own name.

use ciborium::de::Error as CborError;
use rc_scheduler::{DeviceId, Fact, FactKey, Incarnation, Member, TaskId, wire};

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
        FactKey::CancelAsked(by) => with(4, &[&by.0]),
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
    let (kind, body) = wire::encode_fact(fact);
    let mut value = Vec::with_capacity(1 + body.len());
    value.push(kind);
    value.extend_from_slice(&body);
    value
}

/// Reads what [`fact_value`] wrote.
fn decode_fact(value: &[u8]) -> Result<Fact, wire::WireError> {
    let (kind, body) = value.split_first().ok_or(wire::WireError::Malformed)?;
    wire::decode_fact(*kind, body)
}

/// The facts of a task, as far as they are readable; what is not is named in the log.
pub(crate) fn decode_record(record: TaskRecord) -> Vec<Fact> {
    let task = TaskId(record.task);
    for damage in &record.damage {
        tracing::error!(%task, %damage, "a part of a task is damaged");
    }
    let mut facts = Vec::with_capacity(record.entries.len());
    for (key, value) in record.entries {
        match decode_fact(&value) {
            Ok(fact) => facts.push(fact),
            Err(error) => tracing::error!(%task, key = %key.escape_ascii(), %error, "a fact is unreadable"),
        }
    }
    facts
}

/// The name of a member's cell.
pub(super) fn member_cell(device: DeviceId) -> String {
    format!("{MEMBER_CELL}{device}")
}

/// The value of a member's cell.
pub(super) fn member_value(member: &Member) -> Vec<u8> {
    let mut bytes = Vec::new();
    let written = ciborium::into_writer(member, &mut bytes);
    debug_assert!(written.is_ok(), "writing plain data to memory cannot fail");
    bytes
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
            FactKey::CancelAsked(a),
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
}
