//! Which of the tasks that this device keeps, in memory or at rest, belong to which batch: 20 bytes a task. Knows nothing of where
//! they stand.

use crate::id::{BatchId, TaskId};
use crate::task::{BATCH_TASKS_MAX, TaskSpec};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Before so many tasks are gone nobody looks whether they were of batches.
const GONE_MIN: usize = 1_024;

/// The batches.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batches {
    by_id: BTreeMap<BatchId, Batch>,
    tasks: usize,
    /// So many tasks of any kind have gone since the last sweep.
    gone: usize,
}

/// What is known of one.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    /// Of how many tasks.
    pub(crate) of: u32,
    /// Place and task, rising; some may be gone.
    pub(crate) tasks: Vec<(u32, TaskId)>,
}

impl Batches {
    /// This device keeps the task.
    pub(crate) fn note(&mut self, task: TaskId, spec: &TaskSpec) {
        let Some(place) = spec.batch.filter(|place| place.is_sound()) else { return };
        let batch = self.by_id.entry(place.batch).or_insert_with(|| Batch { of: place.of, tasks: Vec::new() });
        let entry = (place.index, task);
        // Those of a batch come in their order, nearly always.
        let at = match batch.tasks.last() {
            Some(last) if *last >= entry => match batch.tasks.binary_search(&entry) {
                Ok(_) => return,
                Err(at) => at,
            },
            _ => batch.tasks.len(),
        };
        // More than twice as many as there are places were not handed in by this program.
        if batch.tasks.len() < 2 * BATCH_TASKS_MAX as usize {
            batch.tasks.insert(at, entry);
            self.tasks += 1;
        }
        batch.of = batch.of.max(place.of);
    }

    /// A task is kept no more.
    pub(crate) const fn gone(&mut self) {
        self.gone += 1;
    }

    /// Forgets those that are not kept any more, when enough are gone to make it worth a look at all.
    pub(crate) fn sweep(&mut self, is_kept: impl Fn(TaskId) -> bool) {
        if self.gone < GONE_MIN.max(self.tasks / 2) {
            return;
        }
        self.gone = 0;
        self.by_id.retain(|_, batch| {
            batch.tasks.retain(|(_, task)| is_kept(*task));
            batch.tasks.shrink_to_fit();
            !batch.tasks.is_empty()
        });
        self.tasks = self.by_id.values().map(|batch| batch.tasks.len()).sum();
    }

    /// One of them.
    pub(crate) fn get(&self, batch: BatchId) -> Option<&Batch> {
        self.by_id.get(&batch)
    }

    /// All of them, rising.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (BatchId, &Batch)> {
        self.by_id.iter().map(|(id, batch)| (*id, batch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::BatchPlace;

    fn spec(batch: u8, index: u32, of: u32) -> TaskSpec {
        TaskSpec { batch: Some(BatchPlace { batch: BatchId([batch; 16]), index, of }), ..TaskSpec::default() }
    }

    fn task(n: u32) -> TaskId {
        TaskId(core::array::from_fn(|at| n.to_be_bytes()[at % 4]))
    }

    #[test]
    fn tasks_are_found_by_batch_in_whatever_order_they_came() {
        let mut batches = Batches::default();
        for index in [2, 0, 1, 1, 3] {
            batches.note(task(index), &spec(1, index, 4));
        }
        batches.note(task(9), &spec(1, 4, 4));
        batches.note(task(9), &spec(2, 0, BATCH_TASKS_MAX + 1));
        batches.note(task(9), &TaskSpec::default());
        let batch = batches.get(BatchId([1; 16])).unwrap();
        assert_eq!(batch.tasks, [0, 1, 2, 3].map(|n| (n, task(n))));
        assert_eq!((batch.of, batches.iter().count(), batches.tasks), (4, 1, 4));
    }

    #[test]
    fn what_is_gone_is_forgotten_and_not_looked_for_each_time() {
        let mut batches = Batches::default();
        for n in 0..4 * GONE_MIN as u32 {
            batches.note(task(n), &spec((n / GONE_MIN as u32) as u8, n % GONE_MIN as u32, GONE_MIN as u32));
        }
        for _ in 0..2 * GONE_MIN - 1 {
            batches.gone();
        }
        batches.sweep(|_| panic!("not yet"));
        batches.gone();
        batches.sweep(|task| task.0[2] >= 8);
        assert_eq!((batches.iter().count(), batches.tasks), (2, 2 * GONE_MIN));
        batches.sweep(|_| panic!("just done"));
    }
}
