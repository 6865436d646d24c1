//! Tasks that wait, in the order of SPEC section 5: `weight × 1000 + wait_seconds / (1 + mean_run_seconds of the type)`.
//!
//! Tasks of one class (same priority, type and requirements) wait in one line, oldest first. Within a line the dynamic priority
//! falls from the head on, so only heads are compared, and a line whose head cannot be placed holds up nobody but itself.

use crate::id::TaskId;
use crate::task::{Priority, TaskSpec};
use crate::time::{Mono, Span};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;

/// A line: tasks in it differ only in what no filter looks at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Class {
    priority: Priority,
    hash: u64,
}

#[derive(Clone, Debug)]
struct Line {
    task_type: String,
    tasks: BTreeSet<(Mono, TaskId)>,
    /// The version of the world at which its head could not be placed.
    stuck_at: Option<u64>,
}

/// Lines of waiting tasks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    lines: BTreeMap<Class, Line>,
    class_of: BTreeMap<TaskId, (Class, Mono)>,
}

impl Class {
    /// The priority of the tasks in the line.
    pub(crate) const fn priority(self) -> Priority {
        self.priority
    }

    /// The class of a specification.
    pub(crate) fn of(spec: &TaskSpec) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(spec.task_type.as_bytes());
        let written = ciborium::into_writer(&(&spec.requirements, &spec.required_permissions), HashWriter(&mut hasher));
        debug_assert!(written.is_ok(), "hashing cannot fail");
        let mut short = [0; 8];
        short.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        Self { priority: spec.priority, hash: u64::from_le_bytes(short) }
    }
}

struct HashWriter<'a>(&'a mut blake3::Hasher);

impl ciborium_io::Write for HashWriter<'_> {
    type Error = core::convert::Infallible;
    fn write_all(&mut self, data: &[u8]) -> Result<(), Self::Error> {
        self.0.update(data);
        Ok(())
    }
    fn flush(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Mean run times by task type: an exponentially weighted mean with weight 1/8.
#[derive(Clone, Debug, Default)]
pub(crate) struct RunTimes(BTreeMap<String, Span>);

/// Types whose run time is remembered; of more, the first in the alphabet go.
const TYPES_MAX: usize = 1_024;

impl RunTimes {
    /// Counts a run.
    pub(crate) fn sample(&mut self, task_type: &str, run: Span) {
        if let Some(mean) = self.0.get_mut(task_type) {
            *mean = Span((mean.0.saturating_mul(7).saturating_add(run.0)) / 8);
            return;
        }
        if self.0.len() >= TYPES_MAX {
            self.0.pop_first();
        }
        self.0.insert(task_type.into(), run);
    }

    fn mean(&self, task_type: &str) -> Span {
        self.0.get(task_type).copied().unwrap_or_default()
    }
}

/// The dynamic priority in thousandths.
fn dynamic(priority: Priority, wait: Span, mean_run: Span) -> u64 {
    let weight = u64::from(priority.weight_permille()) * 1_000;
    weight + wait.0.saturating_mul(1_000) / (1_000_000 + mean_run.0)
}

impl Queue {
    /// Puts a task in line; one that is there keeps its place.
    pub(crate) fn insert(&mut self, task: TaskId, spec: &TaskSpec, since: Mono) {
        if self.class_of.contains_key(&task) {
            return;
        }
        let class = Class::of(spec);
        self.class_of.insert(task, (class, since));
        let line = self.lines.entry(class).or_insert_with(|| Line {
            task_type: spec.task_type.clone(),
            tasks: BTreeSet::new(),
            stuck_at: None,
        });
        if line.tasks.first().is_none_or(|first| (since, task) < *first) {
            line.stuck_at = None;
        }
        line.tasks.insert((since, task));
    }

    /// Takes a task out of line.
    pub(crate) fn remove(&mut self, task: TaskId) {
        if let Some((class, since)) = self.class_of.remove(&task)
            && let Some(line) = self.lines.get_mut(&class)
        {
            line.tasks.remove(&(since, task));
            if line.tasks.is_empty() {
                self.lines.remove(&class);
            }
        }
    }

    /// Whether a task is in line.
    pub(crate) fn contains(&self, task: TaskId) -> bool {
        self.class_of.contains_key(&task)
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.class_of.len()
    }

    /// The head with the highest dynamic priority, of the lines that are not stuck in this version of the world.
    pub(crate) fn next(&self, now: Mono, runs: &RunTimes, world: u64) -> Option<(Class, TaskId)> {
        self.lines
            .iter()
            .filter(|(_, line)| line.stuck_at != Some(world))
            .filter_map(|(class, line)| line.tasks.first().map(|first| (class, line, *first)))
            .max_by_key(|(class, line, (since, task))| {
                let score = dynamic(class.priority, now.since(*since), runs.mean(&line.task_type));
                (score, core::cmp::Reverse((*since, *task)))
            })
            .map(|(class, _, (_, task))| (*class, task))
    }

    /// The head of a line cannot be placed in this version of the world.
    pub(crate) fn stick(&mut self, class: Class, world: u64) {
        if let Some(line) = self.lines.get_mut(&class) {
            line.stuck_at = Some(world);
        }
    }

    /// How many wait in a line.
    pub(crate) fn line_len(&self, class: Class) -> usize {
        self.lines.get(&class).map_or(0, |line| line.tasks.len())
    }

    /// The most urgent priority that waits.
    pub(crate) fn top(&self) -> Option<Priority> {
        self.lines.keys().map(|class| class.priority).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn spec(task_type: &str, priority: Priority) -> TaskSpec {
        TaskSpec { task_type: task_type.to_string(), priority, ..TaskSpec::default() }
    }

    fn task(n: u8) -> TaskId {
        TaskId([n; 16])
    }

    #[test]
    fn urgent_goes_ahead_and_background_is_not_starved() {
        let mut queue = Queue::default();
        let runs = RunTimes::default();
        queue.insert(task(1), &spec("echo", Priority::Background), Mono(0));
        queue.insert(task(2), &spec("echo", Priority::Urgent), Mono(1_000_000));
        let at = |seconds: u64| Mono(seconds * 1_000_000);
        assert_eq!(queue.next(at(2), &runs, 0).map(|(_, task)| task), Some(task(2)));
        queue.remove(task(2));
        queue.insert(task(3), &spec("echo", Priority::Urgent), at(1_000));
        assert_eq!(queue.next(at(1_000), &runs, 0).map(|(_, task)| task), Some(task(1)));
    }

    #[test]
    fn a_stuck_head_holds_up_only_its_own_line() {
        let mut queue = Queue::default();
        let runs = RunTimes::default();
        queue.insert(task(1), &spec("rare", Priority::Urgent), Mono(0));
        queue.insert(task(2), &spec("echo", Priority::Low), Mono(0));
        let (class, first) = queue.next(Mono(1), &runs, 7).unwrap();
        assert_eq!(first, task(1));
        queue.stick(class, 7);
        assert_eq!(queue.next(Mono(1), &runs, 7).map(|(_, task)| task), Some(task(2)));
        assert_eq!(queue.next(Mono(1), &runs, 8).map(|(_, task)| task), Some(task(1)));
    }

    #[test]
    fn within_a_line_the_oldest_is_first() {
        let mut queue = Queue::default();
        let runs = RunTimes::default();
        queue.insert(task(2), &spec("echo", Priority::Normal), Mono(5));
        queue.insert(task(1), &spec("echo", Priority::Normal), Mono(9));
        queue.insert(task(2), &spec("echo", Priority::Normal), Mono(99));
        assert_eq!(queue.next(Mono(10), &runs, 0).map(|(_, task)| task), Some(task(2)));
        assert_eq!(queue.len(), 2);
    }
}
