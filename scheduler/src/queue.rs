//! Tasks that wait, in the order of SPEC section 5: `weight × 1000 + wait_seconds / (1 + mean_run_seconds of the type)`.
//!
//! Tasks of one class (same priority, submitter, type and requirements) wait in one line, oldest first. Within a line the dynamic
//! priority falls from the head on, so only heads are compared, and a line whose head cannot be placed holds up nobody but itself.
//! Among lines of one priority the submitters take turns (rule 22a). Of equal heads the one that asks for most of what there is goes
//! first (SPEC's tie-breaker under contention). The tasks of a batch stand in lines of their own, of which only one is compared with
//! others: that of the type that runs longest (rule 22b).

mod class;
mod fair;
mod rank;
mod runs;

pub(crate) use class::{Class, Share};
pub(crate) use runs::RunTimes;

use crate::id::{DeviceId, TaskId};
use crate::placement::{Demand, Supply};
use crate::task::{Priority, TaskSpec};
use crate::time::{Mono, Span};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use class::Lot;
use fair::Turns;
use rank::{best, dynamic, sorted, worth};

#[derive(Clone, Debug)]
struct Line {
    kind: Kind,
    tasks: BTreeSet<(Mono, TaskId)>,
    state: State,
}

/// Whether the head of a line may be placed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// As far as is known.
    Ready,
    /// It could not, and nothing has changed for it since; if a device is named, only an answer of that one changes anything.
    Stuck(Option<DeviceId>),
}

/// What the order among heads depends on, beside how long they have waited.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Kind {
    /// First, so that those of a batch are next to each other.
    lot: Option<Lot>,
    task_type: String,
    demand: Demand,
}

/// Heads of lines by kind, the oldest first.
type Heads = BTreeMap<Kind, BTreeSet<(Mono, TaskId, Class)>>;

/// What the order of a queue is worked out from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale<'a> {
    /// The present.
    pub(crate) now: Mono,
    /// How long tasks of a type run.
    pub(crate) runs: &'a RunTimes,
    /// What there is for those that wait.
    pub(crate) supply: Supply,
}

/// Lines of waiting tasks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    lines: BTreeMap<Class, Line>,
    class_of: BTreeMap<TaskId, (Class, Mono)>,
    /// The heads of the lines that are not stuck.
    ready: BTreeMap<Priority, BTreeMap<Share, Heads>>,
    /// The heads of those that are, by whose answer they wait for.
    stuck: BTreeMap<(Option<DeviceId>, Priority), Heads>,
    turns: BTreeMap<Priority, Turns>,
    /// How many lines there are of each batch.
    lots: BTreeMap<(Priority, Share), BTreeMap<Lot, usize>>,
    /// How many wait of each type.
    types: BTreeMap<String, u32>,
    /// How many lines ask for something of which there may be too little.
    demanding: usize,
}

/// The task that comes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Head {
    /// Its line.
    pub(crate) class: Class,
    /// The task.
    pub(crate) task: TaskId,
    /// As urgent as it has become by waiting.
    pub(crate) priority: Priority,
}

/// A head of a line that waits for an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Asking {
    /// The task.
    pub(crate) task: TaskId,
    /// Whose answer.
    pub(crate) of: DeviceId,
    /// How many stand in the line.
    pub(crate) len: usize,
}

/// Heads that ask and are told of at once.
const ASKING_MAX: usize = 64;
/// Batches of one submitter and priority that stand in lines of their own; tasks of more stand in line like any others. Each head
/// that is looked at costs, and who submits must not be able to make others pay for that.
const LOTS_MAX: usize = 32;

impl Queue {
    /// Puts a task in line; one that is there keeps its place.
    pub(crate) fn insert(&mut self, task: TaskId, spec: &TaskSpec, class: Class, since: Mono) {
        if self.class_of.contains_key(&task) {
            return;
        }
        let class = class.in_lot(self.admit(class));
        self.class_of.insert(task, (class, since));
        match self.types.get_mut(&spec.task_type) {
            Some(count) => *count += 1,
            None => _ = self.types.insert(spec.task_type.clone(), 1),
        }
        let (demanding, lots) = (&mut self.demanding, &mut self.lots);
        self.lines.entry(class).or_insert_with(|| {
            let Class { priority, share, lot, .. } = class;
            let kind = Kind { lot, task_type: spec.task_type.clone(), demand: Demand::of(&spec.requirements) };
            *demanding += usize::from(!kind.demand.is_none());
            if let Some(lot) = lot {
                *lots.entry((priority, share)).or_default().entry(lot).or_default() += 1;
            }
            Line { kind, tasks: BTreeSet::new(), state: State::Ready }
        });
        self.change(class, |line| {
            if line.tasks.first().is_none_or(|first| (since, task) < *first) {
                line.state = State::Ready;
            }
            line.tasks.insert((since, task));
        });
    }

    /// The batch in whose lines a task is to stand.
    fn admit(&self, class: Class) -> Option<Lot> {
        let Some(lots) = self.lots.get(&(class.priority, class.share)) else { return class.lot };
        class.lot.filter(|lot| lots.len() < LOTS_MAX || lots.contains_key(lot))
    }

    /// A line of a batch is gone.
    fn leave(&mut self, Class { priority, share, lot, .. }: Class) {
        if let Some(lots) = self.lots.get_mut(&(priority, share))
            && let Some(lot) = lot
            && let Some(count) = lots.get_mut(&lot)
        {
            *count -= 1;
            if *count == 0 {
                lots.remove(&lot);
            }
            if lots.is_empty() {
                self.lots.remove(&(priority, share));
            }
        }
    }

    /// Takes a task out of line.
    pub(crate) fn remove(&mut self, task: TaskId) {
        if let Some((class, since)) = self.class_of.remove(&task) {
            if let Some(line) = self.lines.get(&class)
                && let Some(count) = self.types.get_mut(&line.kind.task_type)
            {
                *count -= 1;
                if *count == 0 {
                    self.types.remove(&line.kind.task_type);
                }
            }
            self.change(class, |line| _ = line.tasks.remove(&(since, task)));
        }
    }

    /// A task's turn has come: takes it out of line, and counts what it costs to whose account it goes.
    pub(crate) fn serve(&mut self, task: TaskId, runs: &RunTimes) {
        if let Some((class, _)) = self.class_of.get(&task).copied() {
            let mean = self.lines.get(&class).map_or(Span::ZERO, |line| runs.mean(&line.kind.task_type));
            self.turns.entry(class.priority).or_default().serve(class.share, mean);
            self.remove(task);
        }
    }

    /// Changes a line, and keeps its head where it is looked for.
    fn change(&mut self, class: Class, change: impl FnOnce(&mut Line)) {
        let Some(line) = self.lines.get_mut(&class) else { return };
        let before = (line.tasks.first().copied(), line.state);
        change(line);
        let after = (line.tasks.first().copied(), line.state);
        if before == after {
            return;
        }
        let Class { priority, share, .. } = class;
        if let (Some((since, task)), state) = before {
            let lines = match state {
                State::Stuck(by) => self.stuck.get_mut(&(by, priority)),
                State::Ready => self.ready.get_mut(&priority).and_then(|shares| shares.get_mut(&share)),
            };
            if let Some(lines) = lines
                && let Some(heads) = lines.get_mut(&line.kind)
            {
                heads.remove(&(since, task, class));
                if heads.is_empty() {
                    lines.remove(&line.kind);
                }
            }
        }
        if let (Some((since, task)), state) = after {
            let lines = match state {
                State::Stuck(by) => self.stuck.entry((by, priority)).or_default(),
                State::Ready => self.ready.entry(priority).or_default().entry(share).or_default(),
            };
            match lines.get_mut(&line.kind) {
                Some(heads) => _ = heads.insert((since, task, class)),
                None => _ = lines.insert(line.kind.clone(), BTreeSet::from([(since, task, class)])),
            }
        } else {
            self.demanding -= usize::from(!line.kind.demand.is_none());
            self.lines.remove(&class);
            self.leave(class);
        }
        if let Some(shares) = self.ready.get_mut(&priority)
            && shares.get(&share).is_some_and(BTreeMap::is_empty)
        {
            shares.remove(&share);
        }
        if let State::Stuck(by) = before.1
            && self.stuck.get(&(by, priority)).is_some_and(BTreeMap::is_empty)
        {
            self.stuck.remove(&(by, priority));
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

    /// Whether it matters to the order how much there is for those that wait.
    pub(crate) const fn is_demanding(&self) -> bool {
        self.demanding > 0
    }

    /// The task whose turn it is, of the lines that are not stuck: of the priority with the highest dynamic priority at the head of a
    /// line, the submitter who has had least, and of his tasks the one with the highest dynamic priority; of equal ones the one that
    /// asks for most. A batch has the dynamic priority of the head that goes first among its own.
    pub(crate) fn next(&self, scale: &Scale<'_>) -> Option<Head> {
        let mut found: Option<(u64, Head)> = None;
        for (priority, shares) in self.ready.iter().rev() {
            let heads = shares.iter().filter_map(|(share, heads)| Some((*share, best(heads, scale)?)));
            let heads: Vec<_> = heads.collect();
            let Some(top) = heads.iter().map(|(_, head)| head.dynamic.0).max() else { continue };
            if found.is_some_and(|(other, _)| other >= top) {
                continue;
            }
            let turns = self.turns.get(priority);
            let turn = |share| turns.map_or(0, |turns| turns.of(share));
            if let Some((_, first)) = heads.into_iter().min_by_key(|(share, head)| (turn(*share), *head)) {
                found = Some((top, Head { class: first.class, task: first.task, priority: worth(top) }));
            }
        }
        found.map(|(_, head)| head)
    }

    /// The head of a line cannot be placed before something changes for it; if it waits for the answer of a device, before that.
    pub(crate) fn stick(&mut self, class: Class, answer_of: Option<DeviceId>) {
        self.change(class, |line| line.state = State::Stuck(answer_of));
    }

    /// All lines may be looked at again.
    pub(crate) fn unstick_all(&mut self) {
        self.unstick(|_| true, |_| true);
    }

    /// Something has changed: of those that wait for the answer of a device, for those whose device has answered; of the others, for those
    /// of whose heads it holds.
    pub(crate) fn unstick(&mut self, has_answered: impl Fn(DeviceId) -> bool, is_concerned: impl Fn(TaskId) -> bool) {
        let groups = self.stuck.iter().filter(|((by, _), _)| by.is_none_or(&has_answered));
        let heads = groups.flat_map(|((by, _), heads)| heads.values().flatten().map(move |head| (by.is_some(), head)));
        let concerned = heads.filter(|(has_asked, (_, task, _))| *has_asked || is_concerned(*task));
        let classes: Vec<_> = concerned.map(|(_, (.., class))| *class).collect();
        classes.into_iter().for_each(|class| self.change(class, |line| line.state = State::Ready));
    }

    /// The heads that wait for the answer of a device and are more urgent than this: each with the device, and how many stand in its line.
    pub(crate) fn asking_above(&self, priority: Priority, scale: &Scale<'_>) -> Vec<Asking> {
        let asked = self.stuck.iter().filter_map(|((by, own), heads)| Some(((*by)?, *own, heads)));
        let heads = asked.flat_map(|(of, own, heads)| {
            heads.iter().flat_map(move |(kind, heads)| {
                heads.iter().map(move |(since, task, class)| {
                    let dynamic = dynamic(own, scale.now.since(*since), scale.runs.mean(&kind.task_type));
                    (worth(dynamic), Asking { task: *task, of, len: self.line_len(*class) })
                })
            })
        });
        heads.filter(|(worth, _)| *worth > priority).map(|(_, asking)| asking).take(ASKING_MAX).collect()
    }

    /// The first task of each line.
    pub(crate) fn heads(&self) -> impl Iterator<Item = TaskId> {
        self.lines.values().filter_map(|line| line.tasks.first().map(|(_, task)| *task))
    }

    /// All that wait, in their order, each with the time that tasks of its type take.
    pub(crate) fn in_order(&self, scale: &Scale<'_>) -> Vec<(TaskId, Span)> {
        sorted(&self.lines, self.len(), scale)
    }

    /// How long all that wait would take one after the other.
    pub(crate) fn work(&self, runs: &RunTimes) -> Span {
        let takes = |(task_type, count): (&String, &u32)| runs.mean(task_type).0.saturating_mul(u64::from(*count));
        Span(self.types.iter().map(takes).fold(0, u64::saturating_add))
    }

    /// How many wait in a line.
    pub(crate) fn line_len(&self, class: Class) -> usize {
        self.lines.get(&class).map_or(0, |line| line.tasks.len())
    }

    /// As urgent as the most urgent that waits has become by waiting.
    pub(crate) fn top(&self, now: Mono, runs: &RunTimes) -> Option<Priority> {
        let scale = Scale { now, runs, supply: Supply::default() };
        let ready = self.ready.values().flat_map(BTreeMap::values);
        let all = ready.chain(self.stuck.values()).filter_map(|heads| best(heads, &scale));
        all.map(|head| head.dynamic.0).max().map(worth)
    }
}

#[cfg(test)]
mod tests;
