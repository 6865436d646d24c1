//! Entries and cells come back as they were written, across reopening, rotation and compaction.

use std::fs;

use super::*;
use crate::storage::{LimitError, OpenError, VALUE_BYTES_MAX};

const SMALL: Options = Options { segment_bytes: 8 << 10, bytes_max: u64::MAX };

#[test]
fn what_was_committed_is_there_after_reopening() {
    let dir = tempfile::tempdir().expect("dir");
    let mut storage = open_intact(dir.path());
    let mut batch = Batch::new();
    batch.put(task(1), b"b", b"two").expect("put");
    batch.put(task(1), b"a", b"one").expect("put");
    batch.put(task(2), b"", b"").expect("put");
    batch.put_cell("incarnation", &7u64.to_le_bytes()).expect("put");
    batch.put_cell("members/x", b"x").expect("put");
    storage.commit(&batch).expect("commit");
    put(&mut storage, 1, "b", b"two again");
    for round in 0..2 {
        assert_eq!(get(&mut storage, 1), Some(vec![entry("a", b"one"), entry("b", b"two again")]));
        assert_eq!(get(&mut storage, 2), Some(vec![entry("", b"")]));
        assert_eq!(get(&mut storage, 3), None);
        assert_eq!(all(&mut storage).len(), 2);
        assert_eq!(storage.cell("incarnation"), Some(&7u64.to_le_bytes()[..]));
        assert_eq!(cells(&storage).len(), 2);
        if round == 0 {
            drop(storage);
            storage = open_intact(dir.path());
        }
    }
}

#[test]
fn deleted_entries_removed_tasks_and_deleted_cells_stay_away() {
    let dir = tempfile::tempdir().expect("dir");
    let mut storage = open_intact(dir.path());
    for n in 0..3 {
        put(&mut storage, n, "a", b"1");
        put(&mut storage, n, "b", b"2");
    }
    let mut batch = Batch::new();
    batch.delete(task(0), b"a").expect("delete");
    batch.remove_task(task(1)).expect("remove");
    batch.put(task(1), b"c", b"new life").expect("put");
    batch.remove_task(task(2)).expect("remove");
    batch.remove_task(task(9)).expect("of nothing");
    batch.put_cell("gone", b"x").expect("put");
    batch.delete_cell("gone").expect("delete");
    storage.commit(&batch).expect("commit");
    for _ in 0..2 {
        assert_eq!(get(&mut storage, 0), Some(vec![entry("b", b"2")]));
        assert_eq!(get(&mut storage, 1), Some(vec![entry("c", b"new life")]));
        assert_eq!(get(&mut storage, 2), None);
        assert!(cells(&storage).is_empty());
        drop(storage);
        storage = open_intact(dir.path());
    }
}

#[test]
fn limits_are_checked_before_anything_is_written() {
    let mut batch = Batch::new();
    assert_eq!(batch.put(task(1), &[0; 65], b""), Err(LimitError::Key(65)));
    let large = vec![0; VALUE_BYTES_MAX + 1];
    assert_eq!(batch.put(task(1), b"k", &large), Err(LimitError::Value(VALUE_BYTES_MAX + 1)));
    assert!(batch.is_empty());
    batch.put(task(1), b"k", &large[1..]).expect("the largest value");
    assert!(matches!(batch.put(task(1), b"l", &large[1..]), Err(LimitError::Batch(_))));

    let dir = tempfile::tempdir().expect("dir");
    let mut storage = open_with(dir.path(), SMALL).0;
    storage.commit(&batch).expect("larger than a segment, and still written");
    drop(storage);
    assert_eq!(get(&mut open_intact(dir.path()), 1).map(|entries| entries[0].1.len()), Some(VALUE_BYTES_MAX));
}

#[test]
fn a_second_open_is_refused_and_names_the_holder() {
    let dir = tempfile::tempdir().expect("dir");
    let first = open_intact(dir.path());
    let error = Storage::open(dir.path(), Options::default()).expect_err("in use");
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
    drop(first);
    open_intact(dir.path());
}

#[test]
fn compaction_keeps_what_lives_and_gives_the_rest_back() {
    let dir = tempfile::tempdir().expect("dir");
    let mut storage = open_with(dir.path(), SMALL).0;
    let mut batch = Batch::new();
    batch.put_cell("old", b"never written again").expect("put");
    storage.commit(&batch).expect("commit");
    for n in 0..2000 {
        put(&mut storage, n, "a", &[n as u8; 100]);
        put(&mut storage, n, "b", &[n as u8; 50]);
        if n % 100 != 0 {
            remove(&mut storage, n);
        }
        storage.maintain().expect("one step");
    }
    maintain_fully(&mut storage);
    let usage = storage.usage();
    assert_eq!(usage.tasks, 20);
    assert!(usage.bytes < 2 * usage.live_bytes + 3 * u64::from(SMALL.segment_bytes), "{usage:?}");
    let files = fs::read_dir(dir.path()).expect("dir").count();
    assert_eq!(files, usage.segments as usize + 1, "segments and the lock");
    let before = all(&mut storage);
    assert_eq!(before[&task(1900)], vec![entry("a", &[108; 100]), entry("b", &[108; 50])]);
    drop(storage);
    let mut storage = open_intact(dir.path());
    assert_eq!(all(&mut storage), before);
    assert_eq!(storage.usage().live_bytes, usage.live_bytes);
    assert_eq!(storage.cell("old"), Some(&b"never written again"[..]));
}

#[test]
fn a_crash_in_the_middle_of_compaction_changes_nothing() {
    let dir = tempfile::tempdir().expect("dir");
    let mut storage = open_with(dir.path(), SMALL).0;
    for n in 0..500 {
        put(&mut storage, n, "a", &[n as u8; 100]);
        put(&mut storage, n % 7, "again", &n.to_le_bytes());
        if n % 10 != 0 && n > 7 {
            remove(&mut storage, n);
        }
    }
    let before = all(&mut storage);
    let copy = tempfile::tempdir().expect("dir");
    for step in 0.. {
        let more = storage.maintain().expect("step");
        // What a crash here leaves: the files as they are now.
        let crashed = copy.path().join(step.to_string());
        fs::create_dir(&crashed).expect("dir");
        for file in fs::read_dir(dir.path()).expect("dir") {
            let file = file.expect("file");
            fs::copy(file.path(), crashed.join(file.file_name())).expect("copy");
        }
        assert_eq!(all(&mut open_intact(&crashed)), before, "after step {step}");
        assert_eq!(all(&mut storage), before, "after step {step}");
        if !more {
            assert!(step > 3, "compaction took only {step} steps: too few to mean anything");
            break;
        }
    }
}

#[test]
fn a_key_written_for_ever_does_not_grow_for_ever() {
    let dir = tempfile::tempdir().expect("dir");
    let mut storage = open_with(dir.path(), SMALL).0;
    for n in 0..5000u64 {
        put(&mut storage, 1, "same", &n.to_le_bytes());
        maintain_fully(&mut storage);
    }
    assert!(storage.usage().bytes < 5 * u64::from(SMALL.segment_bytes), "{:?}", storage.usage());
    assert_eq!(get(&mut storage, 1), Some(vec![entry("same", &4999u64.to_le_bytes())]));
}
