//! Stores written by every released version still open. Never change a golden file: add one.

use std::fs;

use super::*;
use crate::storage::OpenError;

const VERSION_1: &[u8] = include_bytes!("golden/version1.log");

/// What `golden/version1.log` was written from.
fn write_sample(storage: &mut Storage) {
    let mut batch = Batch::new();
    batch.put(task(1), b"submitted", b"{\"task_type\":\"echo\"}").expect("put");
    batch.put(task(2), b"submitted", &[0, 255, 10]).expect("put");
    batch.put_cell("incarnation", &3u64.to_le_bytes()).expect("put");
    storage.commit(&batch).expect("commit");
    let mut batch = Batch::new();
    batch.put(task(1), b"leased/1", b"device").expect("put");
    batch.delete(task(2), b"submitted").expect("delete");
    batch.put(task(2), b"settled", b"").expect("put");
    batch.put(task(3), b"x", b"y").expect("put");
    batch.put_cell("peers", b"p").expect("put");
    storage.commit(&batch).expect("commit");
    remove(storage, 3);
    let mut batch = Batch::new();
    batch.delete_cell("peers").expect("delete");
    storage.commit(&batch).expect("commit");
}

#[test]
fn a_store_of_version_1_still_opens() {
    let dir = tempfile::tempdir().expect("dir");
    fs::write(dir.path().join("0000000001.log"), VERSION_1).expect("write");
    let mut storage = open_intact(dir.path());
    let old = (all(&mut storage), cells(&storage));
    let fresh = tempfile::tempdir().expect("dir");
    let mut storage = open_intact(fresh.path());
    write_sample(&mut storage);
    assert_eq!(old, (all(&mut storage), cells(&storage)));
    assert_eq!(old.0.len(), 2);
    assert_eq!(old.1.len(), 1);
    assert_eq!(storage.usage().bytes, VERSION_1.len() as u64, "the same frames");
}

#[test]
fn a_store_of_a_later_version_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().join("0000000001.log");
    let mut bytes = VERSION_1.to_vec();
    for copy in bytes[..64].chunks_exact_mut(32) {
        copy[8] = 9;
        let sum = crc32fast::hash(&copy[..28]);
        copy[28..].copy_from_slice(&sum.to_le_bytes());
    }
    fs::write(&path, &bytes).expect("write");
    let error = Storage::open(dir.path(), Options::default()).expect_err("a later version");
    assert!(matches!(error, OpenError::Version { found: 9, supported: 1, .. }), "{error}");
    assert_eq!(fs::read(&path).expect("read"), bytes);
}

#[test]
#[ignore = "writes golden/version1.log anew; for a new version only"]
fn write_golden_file() {
    let dir = tempfile::tempdir().expect("dir");
    let mut storage = open_intact(dir.path());
    write_sample(&mut storage);
    let end = storage.usage().bytes as usize;
    let bytes = fs::read(dir.path().join("0000000001.log")).expect("read");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/storage/tests/golden/version1.log");
    fs::write(golden, &bytes[..end]).expect("write");
}
