//! Thousands of random operations against a plain map: commits, compaction, refusals, reopening, torn ends.

use std::fs;

use super::*;
use crate::storage::CommitError;

const OPTIONS: Options = Options { segment_bytes: 4 << 10, bytes_max: 64 << 10 };

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Model {
    tasks: BTreeMap<TaskKey, BTreeMap<Vec<u8>, Vec<u8>>>,
    cells: BTreeMap<String, Vec<u8>>,
}

impl Model {
    fn of(storage: &mut Storage) -> Model {
        let tasks = all(storage).into_iter().map(|(task, entries)| (task, entries.into_iter().collect()));
        Model { tasks: tasks.collect(), cells: cells(storage) }
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    /// Up to eight changes, and what they make of the model.
    fn batch(&mut self, model: &Model) -> (Batch, Model) {
        let mut batch = Batch::new();
        let mut model = model.clone();
        for _ in 0..1 + self.below(8) {
            let of = task(self.below(40));
            let key = [b'a' + self.below(6) as u8];
            // No zeros: `append_garbage` finds the end of the log by them.
            let value = vec![1 + self.below(255) as u8; self.below(300) as usize];
            let name = format!("cell {}", self.below(4));
            match self.below(20) {
                0..12 => {
                    batch.put(of, &key, &value).expect("put");
                    model.tasks.entry(of).or_default().insert(key.to_vec(), value);
                }
                12..14 => {
                    batch.delete(of, &key).expect("delete");
                    if let Some(entries) = model.tasks.get_mut(&of) {
                        entries.remove(&key[..]);
                    }
                    model.tasks.retain(|_, entries| !entries.is_empty());
                }
                14..18 => {
                    batch.remove_task(of).expect("remove");
                    model.tasks.remove(&of);
                }
                18 => {
                    batch.put_cell(&name, &value).expect("put");
                    model.cells.insert(name, value);
                }
                _ => {
                    batch.delete_cell(&name).expect("delete");
                    model.cells.remove(&name);
                }
            }
        }
        (batch, model)
    }
}

#[test]
fn the_store_is_a_map_whatever_happens() {
    let (mut full, mut torn) = (0, 0);
    for seed in 0..8 {
        let dir = ram_dir();
        let mut random = Random(seed);
        let mut model = Model::default();
        let (mut storage, _) = open_with(dir.path(), OPTIONS);
        for step in 0..600 {
            let (batch, next) = random.batch(&model);
            match storage.commit(&batch) {
                Ok(()) => model = next,
                Err(CommitError::Full) => full += 1,
                Err(error) => panic!("seed {seed}, step {step}: {error}"),
            }
            match random.below(20) {
                0..10 => {
                    storage.maintain().expect("maintain");
                }
                10 => {
                    drop(storage);
                    torn += u64::from(append_garbage(dir.path(), &mut random));
                    let (opened, report) = open_with(dir.path(), OPTIONS);
                    assert_eq!(report.damage, vec![], "seed {seed}, step {step}");
                    storage = opened;
                }
                _ => {}
            }
            if step % 20 == 0 {
                assert_eq!(Model::of(&mut storage), model, "seed {seed}, step {step}");
            }
        }
        let live = storage.usage().live_bytes;
        drop(storage);
        let mut storage = open_intact(dir.path());
        assert_eq!(Model::of(&mut storage), model, "seed {seed}, at the end");
        assert_eq!(storage.usage().live_bytes, live, "seed {seed}, at the end");
    }
    assert!(full > 0 && torn > 100, "the run met full disks ({full}) and torn ends ({torn})");
}

/// As if the power had failed in the middle of a write: something behind the last commit. True if there was any.
fn append_garbage(dir: &Path, random: &mut Random) -> bool {
    let mut logs: Vec<_> = fs::read_dir(dir)
        .expect("dir")
        .map(|file| file.expect("file").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    logs.sort();
    let last = logs.last().expect("a segment");
    let mut bytes = fs::read(last).expect("read");
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    let at = (end + 16).min(bytes.len());
    let garbage = (0..random.below(100)).map(|_| 1 + random.below(255) as u8);
    bytes.splice(at.., garbage);
    fs::write(last, &bytes).expect("write");
    bytes.len() > at
}
