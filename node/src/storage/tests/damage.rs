//! Torn tails and flipped bits: still right, or reported; never silently wrong.

use std::{collections::BTreeSet, fs};

use super::*;
use crate::storage::Damaged;

/// Makes the last byte of each commit non-zero: a commit torn in zeros and followed by zeros would be whole.
const MARK: u64 = 0xff << 56;

/// A store of nine commits; the last three are what the tests tear.
fn build(dir: &Path) -> Vec<u64> {
    let mut storage = open_intact(dir);
    let mut ends = Vec::new();
    for n in 0..9u64 {
        let mut batch = Batch::new();
        batch.put(task(n), b"a", &[n as u8; 40]).expect("put");
        batch.put(task(n / 2), b"b", &[0xb0 | n as u8; 20]).expect("put");
        batch.put_cell("count", &(n | MARK).to_le_bytes()).expect("put");
        if n == 5 {
            batch.remove_task(task(4)).expect("remove");
        }
        storage.commit(&batch).expect("commit");
        ends.push(storage.usage().bytes);
    }
    ends
}

fn log(dir: &Path) -> std::path::PathBuf {
    dir.join("0000000001.log")
}

/// What the store held after each commit.
fn states(ends: &[u64], bytes: &[u8]) -> Vec<(BTreeMap<TaskKey, Entries>, Option<u64>)> {
    let dir = ram_dir();
    ends.iter()
        .map(|end| {
            fs::write(log(dir.path()), &bytes[..*end as usize]).expect("write");
            let mut storage = open_intact(dir.path());
            (all(&mut storage), count(&storage))
        })
        .collect()
}

fn count(storage: &Storage) -> Option<u64> {
    storage.cell("count").map(|value| u64::from_le_bytes(value.try_into().expect("8 bytes")))
}

#[test]
fn a_tail_torn_at_any_byte_leaves_whole_commits_and_is_reported() {
    let dir = ram_dir();
    let ends = build(dir.path());
    let bytes = fs::read(log(dir.path())).expect("read");
    let states = states(&ends, &bytes);
    let end = *ends.last().expect("nine") as usize;
    for torn_at in ends[5] as usize..=end {
        let whole = ends.iter().rposition(|end| *end as usize <= torn_at).expect("at least six");
        // The file ends there, or the preallocated zeros begin there.
        for zeros in [0, 5000] {
            let mut torn = bytes[..torn_at].to_vec();
            torn.resize(torn_at + zeros, 0);
            fs::write(log(dir.path()), &torn).expect("write");
            let (mut storage, report) = open(dir.path());
            assert_eq!((all(&mut storage), count(&storage)), states[whole], "torn at {torn_at}");
            assert_eq!(report.damage, vec![], "torn at {torn_at}");
            let lost = torn.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1) > ends[whole] as usize;
            assert_eq!(report.cut.is_some(), lost, "torn at {torn_at}: {report:?}");
            // And the log goes on from there.
            put(&mut storage, 77, "after", b"wards");
            drop(storage);
            let mut storage = open_intact(dir.path());
            assert_eq!(get(&mut storage, 77), Some(vec![entry("after", b"wards")]));
            remove(&mut storage, 77);
            assert_eq!(all(&mut storage), states[whole].0);
        }
    }
}

/// What a file system may leave behind the place where a write was torn: bytes that were there before, of this log or of anything, or
/// a hole where the rest of a block should be and later blocks that did arrive.
#[test]
fn a_tail_torn_at_any_byte_with_anything_behind_it_leaves_whole_commits_and_is_reported() {
    let dir = ram_dir();
    let ends = build(dir.path());
    let mut bytes = fs::read(log(dir.path())).expect("read");
    let end = *ends.last().expect("nine") as usize;
    bytes.truncate(end);
    let states = states(&ends, &bytes);
    let first = ends[6] as usize;
    for torn_at in first..end {
        let mut random = torn_at as u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 56) as u8
        })
        .take(700)
        .collect();
        let older = &bytes[64..64 + first / 2];
        // A block of 64 bytes is lost; what was written behind it is there.
        let hole = (torn_at + 64).min(end);
        let holed = [&vec![0; hole - torn_at], &bytes[hole..]].concat();
        for tail in [&noise, &vec![0xff; 700], older, &holed] {
            let torn = [&bytes[..torn_at], tail].concat();
            // What is behind may by chance begin as what should be there.
            let right = torn.iter().zip(&bytes).take_while(|(a, b)| a == b).count();
            let whole = ends.iter().rposition(|end| *end as usize <= right).expect("at least seven");
            fs::write(log(dir.path()), &torn).expect("write");
            let (mut storage, report) = open(dir.path());
            let found = (all(&mut storage), count(&storage));
            // Bytes behind a hole may be a whole later commit: then what is missing before it is damage, and named so.
            if report.damage_count == 0 {
                assert_eq!(found, states[whole], "torn at {torn_at}");
                assert!(report.cut.is_some(), "torn at {torn_at}: {report:?}");
            } else {
                assert!(std::ptr::eq(tail.as_ptr(), holed.as_ptr()), "torn at {torn_at}: {report:?}");
                let of = |task| states.iter().filter_map(move |(state, _)| state.get(task)).flatten();
                let known =
                    |(task, entries): (_, &Entries)| entries.iter().all(|entry| of(task).any(|old| old == entry));
                assert!(found.0.iter().all(known), "torn at {torn_at} made something up: {report:?}");
            }
            put(&mut storage, 77, "after", b"wards");
            drop(storage);
            let (mut storage, report) = open(dir.path());
            assert!(report.cut.is_none(), "torn at {torn_at}: cut again: {report:?}");
            assert_eq!(get(&mut storage, 77), Some(vec![entry("after", b"wards")]), "torn at {torn_at}");
        }
    }
}

#[test]
fn each_flipped_bit_is_harmless_or_reported() {
    let dir = ram_dir();
    let ends = build(dir.path());
    let mut bytes = fs::read(log(dir.path())).expect("read");
    bytes.truncate(*ends.last().expect("nine") as usize);
    let states = states(&ends, &bytes);
    let (right, right_count) = states.last().expect("nine");
    // Values that were ever written, so that nothing else may ever come out.
    let written: BTreeSet<&(Vec<u8>, Vec<u8>)> =
        states.iter().flat_map(|(entries, _)| entries.values().flatten()).collect();
    let mut named = 0;
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(log(dir.path()), &bytes).expect("write");
        bytes[bit / 8] ^= 1 << (bit % 8);
        let (mut storage, report) = open(dir.path());
        let found = all(&mut storage);
        assert!(!report.is_intact(), "bit {bit} went unnoticed");
        assert!(found.values().flatten().all(|entry| written.contains(entry)), "bit {bit} made something up");
        if report.damage.iter().any(|damage| damage.what == Damaged::HeaderCopy) {
            assert_eq!((&found, &count(&storage)), (right, right_count), "one header is enough");
        }
        for damage in &report.damage {
            if let Damaged::Entry { task, key } = &damage.what {
                named += 1;
                // An older version may be damaged under an intact one: then nothing is missing.
                let found: Vec<_> = found.get(task).into_iter().flatten().collect();
                let right: Vec<_> = right.get(task).into_iter().flatten().collect();
                let without: Vec<_> = right.iter().copied().filter(|(other, _)| other != key).collect();
                assert!(found == right || found == without, "bit {bit}: {found:?}");
            }
        }
        // At most one frame is missing, or the last commit.
        let lost = right.values().flatten().count().saturating_sub(found.values().flatten().count());
        assert!(lost <= 2, "bit {bit} cost {lost} entries: {report:?}");
    }
    assert!(named > 1000, "values are damaged by name: {named}");
}

#[test]
fn damage_found_by_a_read_is_named_and_the_rest_is_served() {
    let dir = ram_dir();
    build(dir.path());
    let mut storage = open_intact(dir.path());
    let mut bytes = fs::read(log(dir.path())).expect("read");
    let at = bytes.windows(40).position(|window| window == [2; 40]).expect("task 2, entry a");
    bytes[at] ^= 4;
    fs::write(log(dir.path()), &bytes).expect("write");
    let record = storage.get_task(&task(2)).expect("readable").expect("there");
    assert_eq!(record.entries, vec![entry("b", &[0xb5; 20])]);
    assert_eq!(record.damage.len(), 1);
    assert_eq!(record.damage[0].what, Damaged::Entry { task: task(2), key: b"a".to_vec() });
    assert!(record.damage[0].to_string().contains("entry a"), "{}", record.damage[0]);
}

#[test]
fn a_damaged_link_does_not_hide_what_is_older() {
    let dir = ram_dir();
    let mut storage = open_intact(dir.path());
    put(&mut storage, 1, "first", b"1");
    let second = storage.usage().bytes as usize;
    put(&mut storage, 1, "second", b"2");
    put(&mut storage, 1, "third", b"3");
    drop(storage);
    let mut bytes = fs::read(log(dir.path())).expect("read");
    bytes[second + 20] ^= 1;
    fs::write(log(dir.path()), &bytes).expect("write");
    let (mut storage, report) = open(dir.path());
    assert_eq!(report.damage_count, 1);
    assert_eq!(report.damage[0].what, Damaged::Unknown);
    assert_eq!(get(&mut storage, 1), Some(vec![entry("first", b"1"), entry("third", b"3")]));
}

#[test]
fn bytes_of_a_log_inside_a_value_are_not_taken_for_frames() {
    let dir = ram_dir();
    build(dir.path());
    let foreign = fs::read(log(dir.path())).expect("read");
    let other = ram_dir();
    let mut storage = open_intact(other.path());
    put(&mut storage, 100, "before", b"");
    let start = storage.usage().bytes as usize;
    put(&mut storage, 101, "copy", &foreign[..2000]);
    put(&mut storage, 102, "after", b"");
    drop(storage);
    let mut bytes = fs::read(log(other.path())).expect("read");
    bytes[start] ^= 1;
    fs::write(log(other.path()), &bytes).expect("write");
    let (mut storage, report) = open(other.path());
    assert_eq!(report.damage_count, 1);
    assert_eq!(all(&mut storage).into_keys().collect::<Vec<_>>(), vec![task(100), task(102)]);
}

#[test]
fn an_unreadable_segment_is_set_aside_and_a_missing_one_is_named() {
    let dir = ram_dir();
    let options = Options { segment_bytes: 4 << 10, ..Options::default() };
    let mut storage = open_with(dir.path(), options).0;
    for n in 0..200 {
        put(&mut storage, n, "a", &[7; 100]);
    }
    assert!(storage.usage().segments > 4);
    drop(storage);
    let mut bytes = fs::read(dir.path().join("0000000002.log")).expect("read");
    bytes[..64].fill(0);
    fs::write(dir.path().join("0000000002.log"), bytes).expect("write");
    fs::remove_file(dir.path().join("0000000004.log")).expect("remove");
    let (mut storage, report) = open_with(dir.path(), options);
    let what: Vec<_> = report.damage.iter().map(|damage| (damage.segment, &damage.what)).collect();
    assert_eq!(what, vec![(4, &Damaged::MissingSegment), (2, &Damaged::Segment)]);
    assert!(dir.path().join("0000000002.damaged").exists());
    assert!(all(&mut storage).len() > 100);
}
