//! Reading: a task that is not here is asked for everywhere; "not found" only if every member has answered (rule 17).

use crate::core::Scheduler;
use crate::effect::Reply;
use crate::id::{DeviceId, TaskId};
use crate::input::CommandId;
use crate::message::{About, Message, Query, QueryReply};
use crate::record::{Fact, Merged, Record};
use crate::time::Mono;
use crate::timers::Timer;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Most tasks in one answer.
const TASKS_MAX: usize = 1_000;
/// Most questions under way at once; more are answered with what is known here.
const QUERIES_MAX: usize = 1_024;

#[derive(Clone, Debug)]
enum Purpose {
    Read(TaskId),
    Cancel(TaskId),
    Many(usize),
}

#[derive(Clone, Debug)]
struct Pending {
    command: CommandId,
    purpose: Purpose,
    waiting: BTreeSet<DeviceId>,
    found: BTreeMap<TaskId, Record>,
    more: bool,
    answered: BTreeSet<DeviceId>,
    until: Mono,
}

/// Questions that are under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queries {
    next: u64,
    pending: BTreeMap<u64, Pending>,
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
        self.ask_everybody(command, Purpose::Read(task), About::Task(task), BTreeMap::new());
    }

    /// Fetches a record in order to ask that its task not run.
    pub(crate) fn fetch_and_cancel(&mut self, command: CommandId, task: TaskId) {
        self.ask_everybody(command, Purpose::Cancel(task), About::Task(task), BTreeMap::new());
    }

    /// The tasks whose id is written with this prefix.
    pub(crate) fn find(&mut self, command: CommandId, prefix: &str) {
        let about = About::Prefix(prefix.to_ascii_lowercase());
        let (found, _) = self.matching(&about);
        self.ask_everybody(command, Purpose::Many(16), about, found);
    }

    /// The newest tasks of the cluster.
    pub(crate) fn list(&mut self, command: CommandId, limit: u32) {
        let about = About::List(limit);
        let (found, _) = self.matching(&about);
        self.ask_everybody(command, Purpose::Many(limit as usize), about, found);
    }

    fn matching(&self, about: &About) -> (BTreeMap<TaskId, Record>, bool) {
        let mut found = BTreeMap::new();
        let record = |task: &TaskId| Record::from_facts(self.tasks[task].record.facts().map(without_payload));
        match about {
            About::Task(task) => {
                if let Some(entry) = self.tasks.get(task) {
                    found.insert(*task, entry.record.clone());
                }
                (found, false)
            }
            About::Prefix(prefix) => {
                let matches = |task: &&TaskId| task.to_string().starts_with(prefix.as_str());
                found.extend(self.tasks.keys().filter(matches).take(16).map(|task| (*task, record(task))));
                (found, false)
            }
            About::List(limit) => {
                let limit = (*limit as usize).min(TASKS_MAX);
                found.extend(self.tasks.keys().rev().take(limit).map(|task| (*task, record(task))));
                (found, self.tasks.len() > limit)
            }
        }
    }

    fn ask_everybody(&mut self, command: CommandId, purpose: Purpose, about: About, found: BTreeMap<TaskId, Record>) {
        let up: BTreeSet<_> = self.peers.iter().filter(|(_, peer)| peer.is_up()).map(|(id, _)| *id).collect();
        self.queries.next += 1;
        let id = self.queries.next;
        let until = self.now.mono + self.query_patience();
        let full = self.queries.pending.len() >= QUERIES_MAX;
        let waiting = if full { BTreeSet::new() } else { up };
        for device in &waiting {
            self.send(*device, Message::Query(Query { id, about: about.clone() }));
        }
        let answered = BTreeSet::new();
        let pending = Pending { command, purpose, waiting, found, more: false, answered, until };
        self.queries.pending.insert(id, pending);
        self.timers.set_earlier(Timer::Query, until);
        self.finish_query(id);
    }

    /// A peer asks.
    pub(crate) fn handle_query(&mut self, from: DeviceId, query: Query) {
        let (found, more) = self.matching(&query.about);
        let facts = found.iter().flat_map(|(task, record)| record.facts().map(|fact| (*task, fact.clone()))).collect();
        self.send(from, Message::Reply(QueryReply { id: query.id, facts, more }));
    }

    /// A peer answers.
    pub(crate) fn handle_query_reply(&mut self, from: DeviceId, reply: QueryReply) {
        let Some(pending) = self.queries.pending.get_mut(&reply.id) else { return };
        if !pending.waiting.remove(&from) {
            return;
        }
        pending.answered.insert(from);
        pending.more |= reply.more;
        let whole = matches!(pending.purpose, Purpose::Cancel(_));
        for (task, fact) in &reply.facts {
            if pending.found.len() < TASKS_MAX || pending.found.contains_key(task) {
                // A conflict between a whole fact and one without its payload is none.
                let _: Merged = pending.found.entry(*task).or_default().merge(fact.clone());
            }
        }
        if whole {
            for (task, fact) in reply.facts {
                self.learn(None, task, fact);
            }
        }
        self.finish_query(reply.id);
    }

    /// A peer will not answer any more.
    pub(crate) fn query_lost(&mut self, device: DeviceId) {
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
        let now = self.now.mono;
        let due: Vec<_> = self.queries.pending.iter().filter(|(_, q)| now >= q.until).map(|(id, _)| *id).collect();
        for id in due {
            if let Some(pending) = self.queries.pending.get_mut(&id) {
                pending.waiting.clear();
            }
            self.finish_query(id);
        }
        if let Some(next) = self.queries.pending.values().map(|pending| pending.until).min() {
            self.timers.set_earlier(Timer::Query, next);
        }
    }

    fn finish_query(&mut self, id: u64) {
        if !self.queries.pending.get(&id).is_some_and(|pending| pending.waiting.is_empty()) {
            return;
        }
        let Some(pending) = self.queries.pending.remove(&id) else { return };
        let facts = |record: &Record| -> Vec<Fact> { record.facts().cloned().collect() };
        // Those that became known while the question was under way, or whose hello has yet to come, have not answered, either.
        let left = |id: &DeviceId| self.members.get(*id).is_some_and(|member| member.retired || member.revoked);
        let silent: Vec<_> =
            self.peers.keys().copied().filter(|id| !left(id) && !pending.answered.contains(id)).collect();
        let reply = match pending.purpose {
            Purpose::Cancel(task) if self.tasks.contains_key(&task) => {
                self.ask_cancel(task);
                Reply::Status(task, self.tasks[&task].record.resolve().status())
            }
            Purpose::Read(task) | Purpose::Cancel(task) => match pending.found.get(&task) {
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

impl Scheduler {
    /// What a holder says of an attempt that this device granted.
    pub(crate) fn handle_live(&mut self, from: DeviceId, live: crate::message::Live) {
        let Some(entry) = self.tasks.get_mut(&live.task) else { return };
        let state = entry.record.resolve();
        if state.lease.is_some_and(|lease| lease.epoch == live.epoch && lease.to == from) && state.closed.is_none() {
            let started_wall_ms = live.started_wall_ms;
            let (epoch, percent, text): (_, _, String) = (live.epoch, live.percent, live.text);
            entry.live = Some(crate::entry::LiveState { epoch, started_wall_ms, percent, text });
        }
    }
}
