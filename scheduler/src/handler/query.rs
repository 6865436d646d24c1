//! Reading: a task that is not here is asked for everywhere; "not found" only if every member has answered (rule 17).

use crate::core::Scheduler;
use crate::effect::Reply;
use crate::id::{DeviceId, TaskId};
use crate::input::CommandId;
use crate::keeper::Reader;
use crate::message::{About, Message, Query, QueryReply};
use crate::record::{Fact, Merged, Record};
use crate::time::Mono;
use crate::timers::Timer;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

/// Most tasks in one answer.
const TASKS_MAX: usize = 1_000;
/// Most tasks that a prefix finds.
const FOUND_MAX: usize = 16;
/// Most questions under way at once; more are answered with what is known here.
const QUERIES_MAX: usize = 1_024;

#[derive(Clone, Debug)]
enum Purpose {
    Read(TaskId),
    Cancel(TaskId),
    Reopen(TaskId),
    Many(usize),
}

#[derive(Clone, Debug)]
struct Pending {
    command: CommandId,
    purpose: Purpose,
    waiting: BTreeSet<DeviceId>,
    found: BTreeMap<TaskId, Record>,
    /// Records that are being read from this device's disk.
    loading: BTreeSet<TaskId>,
    /// This device's own disk did not answer in time.
    late: bool,
    more: bool,
    answered: BTreeSet<DeviceId>,
    until: Mono,
}

/// A question of another device, whose answer waits for this device's disk.
#[derive(Clone, Debug)]
struct Served {
    found: BTreeMap<TaskId, Record>,
    loading: BTreeSet<TaskId>,
    /// With payloads.
    whole: bool,
    more: bool,
    until: Mono,
}

/// Questions that are under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queries {
    next: u64,
    pending: BTreeMap<u64, Pending>,
    served: BTreeMap<(DeviceId, u64), Served>,
}

/// What this device knows about a question.
#[derive(Clone, Debug, Default)]
struct Known {
    found: BTreeMap<TaskId, Record>,
    /// These rest, and are to be read.
    resting: BTreeSet<TaskId>,
    more: bool,
}

fn short(record: &Record) -> Record {
    Record::from_facts(record.facts().map(without_payload))
}

fn without_payload(fact: &Fact) -> Fact {
    match fact {
        Fact::Submitted(submitted) => {
            let mut short = submitted.clone();
            short.payload = crate::bytes::Bytes::default();
            Fact::Submitted(short)
        }
        fact => fact.clone(),
    }
}

impl Scheduler {
    /// Everything known of a task.
    pub(crate) fn read(&mut self, command: CommandId, task: TaskId) {
        if let Some(entry) = self.tasks.get(&task) {
            let facts = entry.record.facts().cloned().collect();
            self.reply(command, Reply::Found { task, facts });
            return;
        }
        let about = About::Task(task);
        let known = self.matching(&about);
        // What rests here is complete: nobody else need be asked.
        let others = known.resting.is_empty();
        self.ask_everybody(command, Purpose::Read(task), about, known, others);
    }

    /// Fetches a record in order to ask that its task not run.
    pub(crate) fn fetch_and_cancel(&mut self, command: CommandId, task: TaskId) {
        let about = About::Task(task);
        let known = self.matching(&about);
        let others = known.resting.is_empty();
        self.ask_everybody(command, Purpose::Cancel(task), about, known, others);
    }

    /// Fetches a record in order to let its task begin again.
    pub(super) fn fetch_and_reopen(&mut self, command: CommandId, task: TaskId) {
        let about = About::Task(task);
        let known = self.matching(&about);
        self.ask_everybody(command, Purpose::Reopen(task), about, known, true);
    }

    /// The tasks whose id is written with this prefix.
    pub(crate) fn find(&mut self, command: CommandId, prefix: &str) {
        let about = About::Prefix(prefix.to_ascii_lowercase());
        let known = self.matching(&about);
        self.ask_everybody(command, Purpose::Many(FOUND_MAX), about, known, true);
    }

    /// The newest tasks of the cluster.
    pub(crate) fn list(&mut self, command: CommandId, limit: u32) {
        let about = About::List(limit);
        let known = self.matching(&about);
        self.ask_everybody(command, Purpose::Many(limit as usize), about, known, true);
    }

    /// The tasks of a type that have not ended.
    pub(crate) fn open_of(&mut self, command: CommandId, task_type: String) {
        let about = About::OpenOf(task_type);
        let known = self.matching(&about);
        self.ask_everybody(command, Purpose::Many(TASKS_MAX), about, known, true);
    }

    fn matching(&self, about: &About) -> Known {
        let mut known = Known::default();
        let tasks: Vec<TaskId> = match about {
            About::Task(task) => Vec::from([*task]),
            About::Prefix(prefix) => {
                let Some((first, last)) = TaskId::with_prefix(prefix) else { return known };
                let resting = self.cold.range(first..=last).filter(|(_, cold)| !cold.buried).map(|(task, _)| task);
                self.tasks
                    .range(first..=last)
                    .map(|(task, _)| *task)
                    .take(FOUND_MAX)
                    .chain(resting.take(FOUND_MAX))
                    .collect()
            }
            About::OpenOf(task_type) => {
                let spec = |task: &TaskId| self.tasks.get(task).map(|entry| &entry.spec);
                let is_of = |task: &&TaskId| spec(task).is_some_and(|spec| spec.task_type == *task_type);
                let mut some: Vec<_> = self.open.iter().filter(is_of).take(TASKS_MAX + 1).copied().collect();
                known.more = some.len() > TASKS_MAX;
                some.truncate(TASKS_MAX);
                some
            }
            // Answered from the index of batches.
            About::Batch(..) | About::Batches(_) => Vec::new(),
            About::List(limit) => {
                let limit = (*limit as usize).min(TASKS_MAX);
                known.more = self.tasks.len() + self.cold.len() > limit;
                let resting = self.cold.iter().rev().filter(|(_, cold)| !cold.buried).map(|(task, _)| task);
                let mut newest: Vec<_> =
                    self.tasks.keys().rev().copied().take(limit).chain(resting.take(limit)).collect();
                newest.sort_unstable_by(|a, b| b.cmp(a));
                newest.truncate(limit);
                newest
            }
        };
        let whole = matches!(about, About::Task(_));
        for task in tasks {
            if let Some(entry) = self.tasks.get(&task) {
                known.found.insert(task, if whole { entry.record.clone() } else { short(&entry.record) });
            } else if self.cold.has(task) {
                known.resting.insert(task);
            }
        }
        known
    }

    /// A number for a question.
    pub(super) const fn next_query(&mut self) -> u64 {
        self.queries.next += 1;
        self.queries.next
    }

    /// Members that belong to the cluster and are not among those who answered.
    pub(super) fn silent(&self, answered: &BTreeSet<DeviceId>) -> Vec<DeviceId> {
        let left = |id: &DeviceId| self.members.get(*id).is_some_and(|member| member.retired || member.revoked);
        self.peers.keys().copied().filter(|id| !left(id) && !answered.contains(id)).collect()
    }

    fn ask_everybody(&mut self, command: CommandId, purpose: Purpose, about: About, known: Known, others: bool) {
        let up: BTreeSet<_> = self.peers.iter().filter(|(_, peer)| others && peer.is_up()).map(|(id, _)| *id).collect();
        let id = self.next_query();
        let Known { found, resting, more } = known;
        let loading: BTreeSet<_> = resting.into_iter().filter(|task| self.load(*task, Reader::Question(id))).collect();
        let until = self.now.mono + self.query_patience();
        let full = self.queries.pending.len() >= QUERIES_MAX;
        let waiting = if full { BTreeSet::new() } else { up };
        for device in &waiting {
            self.send(*device, Message::Query(Query { id, about: about.clone() }));
        }
        let answered = BTreeSet::new();
        let pending = Pending { command, purpose, waiting, found, loading, late: false, more, answered, until };
        self.queries.pending.insert(id, pending);
        self.timers.set_earlier(Timer::Query, until);
        self.finish_query(id);
    }

    /// A peer asks.
    pub(crate) fn handle_query(&mut self, from: DeviceId, query: Query) {
        if matches!(query.about, About::Batch(..) | About::Batches(_)) {
            self.answer_about_batches(from, &query);
            return;
        }
        let Known { found, resting, more } = self.matching(&query.about);
        let (asked, id) = (resting.len(), query.id);
        if asked > 0 && self.queries.served.len() >= QUERIES_MAX {
            // No answer is better than one that says that it is not here.
            self.counters.dropped += 1;
            return;
        }
        let loading: BTreeSet<_> =
            resting.into_iter().filter(|task| self.load(*task, Reader::Served(from, id))).collect();
        let whole = matches!(query.about, About::Task(_));
        let cut = loading.len() < asked;
        if cut && whole {
            self.counters.dropped += 1;
            return;
        }
        let until = self.now.mono + self.query_patience();
        self.queries.served.insert((from, id), Served { found, loading, whole, more: more || cut, until });
        self.timers.set_earlier(Timer::Query, until);
        self.finish_served(from, id);
    }

    /// A record for a question of another device was read.
    pub(crate) fn served_loaded(&mut self, device: DeviceId, id: u64, task: TaskId, record: Option<&Record>) {
        let Some(served) = self.queries.served.get_mut(&(device, id)) else { return };
        if served.loading.remove(&task)
            && let Some(record) = record
        {
            served.found.insert(task, if served.whole { record.clone() } else { short(record) });
        }
        self.finish_served(device, id);
    }

    fn finish_served(&mut self, device: DeviceId, id: u64) {
        if !self.queries.served.get(&(device, id)).is_some_and(|served| served.loading.is_empty()) {
            return;
        }
        let Some(Served { found, more, .. }) = self.queries.served.remove(&(device, id)) else { return };
        let facts = found.iter().flat_map(|(task, record)| record.facts().map(|fact| (*task, fact.clone()))).collect();
        self.send(device, Message::Reply(QueryReply { id, facts, more }));
    }

    /// A record for a question of this device's user was read.
    pub(crate) fn question_loaded(&mut self, id: u64, task: TaskId, record: Option<&Record>) {
        let Some(pending) = self.queries.pending.get_mut(&id) else { return };
        if pending.loading.remove(&task)
            && let Some(record) = record
        {
            let whole = !matches!(pending.purpose, Purpose::Many(_));
            let record = if whole { record.clone() } else { short(record) };
            let found = pending.found.entry(task).or_default();
            for fact in record.facts() {
                // What another device told of it meanwhile is the same.
                let _: Merged = found.merge(fact.clone());
            }
        }
        self.finish_query(id);
    }

    /// A peer answers.
    pub(crate) fn handle_query_reply(&mut self, from: DeviceId, reply: QueryReply) {
        let Some(pending) = self.queries.pending.get_mut(&reply.id) else { return };
        if !pending.waiting.remove(&from) {
            return;
        }
        pending.answered.insert(from);
        pending.more |= reply.more;
        let whole = matches!(pending.purpose, Purpose::Cancel(_) | Purpose::Reopen(_));
        for (task, fact) in &reply.facts {
            if pending.found.len() < TASKS_MAX || pending.found.contains_key(task) {
                // A conflict between a whole fact and one without its payload is none.
                let _: Merged = pending.found.entry(*task).or_default().merge(fact.clone());
            }
        }
        if whole {
            for (task, fact) in reply.facts {
                self.learn_told(from, task, fact);
            }
        }
        self.finish_query(reply.id);
    }

    /// A peer will not answer any more.
    pub(crate) fn query_lost(&mut self, device: DeviceId) {
        self.batch_query_lost(device);
        let ids: Vec<_> = self.queries.pending.keys().copied().collect();
        for id in ids {
            if let Some(pending) = self.queries.pending.get_mut(&id)
                && pending.waiting.remove(&device)
            {
                self.finish_query(id);
            }
        }
    }

    /// Some questions have waited long enough.
    pub(crate) fn query_due(&mut self) {
        self.batch_query_due();
        let now = self.now.mono;
        let due: Vec<_> = self.queries.pending.iter().filter(|(_, q)| now >= q.until).map(|(id, _)| *id).collect();
        for id in due {
            if let Some(pending) = self.queries.pending.get_mut(&id) {
                pending.waiting.clear();
                pending.late = !core::mem::take(&mut pending.loading).is_empty();
            }
            self.finish_query(id);
        }
        self.queries.served.retain(|_, served| now < served.until);
        let pending = self.queries.pending.values().map(|pending| pending.until);
        if let Some(next) = pending.chain(self.queries.served.values().map(|served| served.until)).min() {
            self.timers.set_earlier(Timer::Query, next);
        }
    }

    fn finish_query(&mut self, id: u64) {
        let done = |pending: &Pending| pending.waiting.is_empty() && pending.loading.is_empty();
        if !self.queries.pending.get(&id).is_some_and(done) {
            return;
        }
        let Some(pending) = self.queries.pending.remove(&id) else { return };
        let facts = |record: &Record| -> Vec<Fact> { record.facts().cloned().collect() };
        // Those that became known while the question was under way, or whose hello has yet to come, have not answered, either.
        let mut silent = self.silent(&pending.answered);
        if pending.late {
            silent.push(self.me);
        }
        let reply = match pending.purpose {
            Purpose::Cancel(task) if self.tasks.contains_key(&task) => {
                self.ask_cancel(task);
                Reply::Status(task, self.tasks[&task].record.resolve().status())
            }
            Purpose::Reopen(task) if self.tasks.contains_key(&task) => return self.reopen(pending.command, task),
            Purpose::Read(task) | Purpose::Cancel(task) | Purpose::Reopen(task) => match pending.found.get(&task) {
                Some(record) => Reply::Found { task, facts: facts(record) },
                None if silent.is_empty() => Reply::NotFound,
                None => Reply::Unknown(silent),
            },
            Purpose::Many(limit) => {
                let more = pending.more || pending.found.len() > limit;
                let tasks = pending.found.iter().rev().take(limit).map(|(task, record)| (*task, facts(record)));
                Reply::Tasks { tasks: tasks.collect(), silent, more }
            }
        };
        self.reply(pending.command, reply);
    }
}
