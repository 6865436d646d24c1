//! Replies of the core, as answers to those who asked.

use super::handle::{Accepted, DriverError};
use super::report;
use super::request::{Pending, answer};
use super::run::Driver;
use crate::clock;
use rc_scheduler::{CommandId, Record, Reply};

impl Driver {
    pub(super) fn handle_reply(&mut self, id: CommandId, reply: Reply) {
        let Some(pending) = self.pending.remove(&id) else { return };
        let (view, now) = (self.core.view(), clock::now());
        match (pending, reply) {
            (Pending::Submit(to), Reply::Accepted { tasks, disks }) => {
                self.last_accepted = tasks.last().copied().or(self.last_accepted);
                answer(to, Ok(Accepted { tasks, disks }));
            }
            (Pending::Cancel(to), Reply::Status(_, status)) => answer(to, Ok(status)),
            (Pending::Cancel(to), Reply::Found { facts, .. }) => {
                answer(to, Ok(Record::from_facts(facts).resolve().status()));
            }
            (Pending::Task(to), Reply::Found { task, facts }) => {
                answer(to, Ok(report::found(view, task, &Record::from_facts(facts), now)));
            }
            (Pending::History(to), Reply::Found { facts, .. }) => {
                answer(to, Ok(report::history(&Record::from_facts(facts))));
            }
            (Pending::Explain(to), Reply::Found { task, facts }) => {
                let explained = report::explain(view, task, &Record::from_facts(facts));
                answer(to, explained.ok_or(DriverError::NotFound));
            }
            (Pending::Find(to), Reply::Tasks { tasks, .. }) => {
                answer(to, Ok(tasks.into_iter().map(|(task, _)| task).collect()));
            }
            (Pending::List(to), Reply::Tasks { tasks, silent, .. }) => {
                let report = |(task, facts)| report::found(view, task, &Record::from_facts(facts), now);
                let mut rows: Vec<_> = tasks.into_iter().map(report).collect();
                rows.iter_mut().for_each(|row| row.payload = rc_scheduler::Bytes::default());
                answer(to, Ok((rows, silent)));
            }
            (Pending::Batch(to), Reply::Batch { found, silent }) => answer(to, Ok((found, silent))),
            (Pending::Batches(to), Reply::Batches { batches, silent, .. }) => answer(to, Ok((batches, silent))),
            (pending, reply) => fail(pending, why_not(reply)),
        }
    }
}

fn why_not(reply: Reply) -> DriverError {
    match reply {
        Reply::Refused(refusal) => DriverError::Refused(refusal),
        Reply::Unknown(silent) => DriverError::Unknown(silent),
        _ => DriverError::NotFound,
    }
}

fn fail(pending: Pending, error: DriverError) {
    match pending {
        Pending::Submit(to) => answer(to, Err(error)),
        Pending::Cancel(to) => answer(to, Err(error)),
        Pending::Task(to) => answer(to, Err(error)),
        Pending::History(to) => answer(to, Err(error)),
        Pending::Explain(to) => answer(to, Err(error)),
        Pending::Find(to) => answer(to, Err(error)),
        Pending::List(to) => answer(to, Err(error)),
        Pending::Batch(to) => answer(to, Err(error)),
        Pending::Batches(to) => answer(to, Err(error)),
    }
}
