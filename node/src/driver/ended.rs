//! Ended tasks that this device is to tell of, from memory and from disk, a bounded number at a time.

use super::report;
use super::request::{Answer, answer};
use super::run::Driver;
use crate::stats::EndedRow;
use rc_scheduler::{EndedAsk, Record, TaskId};

/// Some of them, and where to go on.
#[derive(Debug)]
pub(crate) struct EndedPart {
    pub(crate) rows: Vec<EndedRow>,
    pub(crate) next: Option<TaskId>,
}

fn row(record: &Record) -> Option<EndedRow> {
    EndedRow::of(record, report::spec_of(record)?.task_type)
}

impl Driver {
    /// No answer at all if the disk is too busy.
    pub(super) fn ended_part(&self, ask: &EndedAsk, to: Answer<EndedPart>) {
        let view = self.core.view();
        let (tasks, next) = view.ended(ask);
        let mut rows = Vec::with_capacity(tasks.len());
        let mut resting = Vec::new();
        for task in tasks {
            match view.record(task) {
                Some(record) => {
                    let task_type = view.spec(task).map(|spec| spec.task_type.clone());
                    rows.extend(EndedRow::of(record, task_type.unwrap_or_default()));
                }
                None => resting.push(task),
            }
        }
        if resting.is_empty() {
            return answer(to, Ok(EndedPart { rows, next }));
        }
        let told = move |records: Vec<super::keys::Kept>| {
            rows.extend(records.into_iter().filter_map(|kept| row(&Record::from_facts(kept.facts))));
            answer(to, Ok(EndedPart { rows, next }));
        };
        if !self.disk.read(&resting, told) {
            tracing::debug!("the disk is too busy to be asked for ended tasks");
        }
    }
}
