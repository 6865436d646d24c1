//! What the store promises, each promise in its own file.

mod basics;
mod counter;
mod damage;
mod full;
mod golden;
mod kill;
mod model;
mod writer;

use std::{collections::BTreeMap, path::Path};

use super::{Batch, Options, Report, Storage, TaskKey};

type Entries = Vec<(Vec<u8>, Vec<u8>)>;

/// In memory where possible: thousands of rounds need no real disk.
fn ram_dir() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("dir")
}

fn task(n: u64) -> TaskKey {
    let mut key = [0x5a; 16];
    key[..8].copy_from_slice(&n.to_be_bytes());
    key
}

fn open(dir: &Path) -> (Storage, Report) {
    open_with(dir, Options::default())
}

fn open_with(dir: &Path, options: Options) -> (Storage, Report) {
    Storage::open(dir, options).expect("open")
}

fn open_intact(dir: &Path) -> Storage {
    let (storage, report) = open(dir);
    assert!(report.is_intact(), "{report:?}");
    storage
}

fn put(storage: &mut Storage, n: u64, key: &str, value: &[u8]) {
    storage.commit(&put_batch(n, key, value)).expect("commit");
}

fn put_batch(n: u64, key: &str, value: &[u8]) -> Batch {
    let mut batch = Batch::new();
    batch.put(task(n), key.as_bytes(), value).expect("within limits");
    batch
}

fn remove(storage: &mut Storage, n: u64) {
    let mut batch = Batch::new();
    batch.remove_task(task(n)).expect("within limits");
    storage.commit(&batch).expect("commit");
}

fn entry(key: &str, value: &[u8]) -> (Vec<u8>, Vec<u8>) {
    (key.as_bytes().to_vec(), value.to_vec())
}

fn all(storage: &mut Storage) -> BTreeMap<TaskKey, Entries> {
    let mut all = BTreeMap::new();
    storage
        .for_each_task(|record| {
            assert!(all.insert(record.task, record.entries).is_none(), "a task comes once");
        })
        .expect("readable");
    all
}

fn get(storage: &mut Storage, n: u64) -> Option<Entries> {
    storage.get_task(&task(n)).expect("readable").map(|record| record.entries)
}

fn cells(storage: &Storage) -> BTreeMap<String, Vec<u8>> {
    storage.cells().map(|(name, value)| (name.to_owned(), value.to_vec())).collect()
}

fn maintain_fully(storage: &mut Storage) {
    while storage.maintain().expect("maintain") {}
}
