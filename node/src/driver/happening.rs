//! What the core tells, as events for those who listen: with the type, the trace, the device and the words that a person wants to see.

use super::report;
use super::run::Driver;
use crate::clock;
use crate::events::{EventKind, EventRow};
use crate::trace::Trace;
use rc_scheduler::{Close, Epoch, Event, Fact, Status, TaskId};

/// What can be wrong with a device that contradicts itself.
pub(super) const TWINS: &str = "two hosts run with its data directory, or it was put back to an older copy";

impl Driver {
    /// Tells those who listen, if anybody does.
    pub(super) fn tell_listeners(&self, event: &Event) {
        let now = clock::now();
        self.log.offer(now.mono, || self.row(event, now.wall_ms));
    }

    /// `None` if it is not worth telling: another event says the same.
    fn row(&self, event: &Event, at: u64) -> Option<EventRow> {
        let view = self.core.view();
        let new = |kind| EventRow::new(kind, at);
        Some(match event {
            Event::Submitted { task } => {
                let by = view.record(*task).and_then(|record| record.resolve().submitted.map(|submitted| submitted.by));
                EventRow { device: by, ..self.about(EventKind::Submit, *task, at) }
            }
            Event::Leased { task, epoch, .. } => self.of_attempt(EventKind::Schedule, *task, *epoch, at),
            Event::Speculated { task, epoch, .. } => EventRow {
                text: "copy beside an attempt that takes long".to_owned(),
                ..self.of_attempt(EventKind::Speculated, *task, *epoch, at)
            },
            Event::Started { task, epoch } => self.of_attempt(EventKind::Start, *task, *epoch, at),
            Event::Progress { task, epoch, percent, text } => EventRow {
                progress: *percent,
                text: text.clone(),
                ..self.of_attempt(EventKind::Progress, *task, *epoch, at)
            },
            Event::Closed { task, epoch } => self.over(*task, *epoch, at)?,
            Event::Settled { task } => self.end(*task, at),
            Event::PeerHeard { device, incarnation } => {
                EventRow { device: Some(*device), text: format!("life {incarnation}"), ..new(EventKind::PeerUp) }
            }
            Event::PeerLost { device, proven } => {
                let text = if *proven { "its process has ended" } else { "it does not answer" };
                EventRow { device: Some(*device), text: text.to_owned(), ..new(EventKind::PeerLost) }
            }
            Event::Woke { incarnation } => {
                EventRow { device: Some(view.me()), text: format!("life {incarnation}"), ..new(EventKind::Woke) }
            }
            Event::Alert { task, class, message, .. } => {
                EventRow { error: Some((*class, message.clone())), ..self.about(EventKind::Alert, *task, at) }
            }
            Event::Alarm { task, what } => {
                EventRow { text: (*what).to_owned(), ..self.about(EventKind::Alert, *task, at) }
            }
            Event::AddDevice { waiting, wait } => {
                let wait = wait.as_ms() / 1_000;
                let text = format!("{waiting} tasks wait, one for {wait} s, and every device that fits is busy");
                EventRow { device: Some(view.me()), text, ..new(EventKind::AddDevice) }
            }
            Event::Twins { device } => {
                EventRow { device: Some(*device), text: TWINS.to_owned(), ..new(EventKind::Twins) }
            }
            Event::Overloaded { is } => {
                let text =
                    if *is { "its processor has too much to do: it takes nothing" } else { "it takes work again" };
                EventRow { device: Some(view.me()), text: text.to_owned(), ..new(EventKind::Overloaded) }
            }
        })
    }

    fn about(&self, kind: EventKind, task: TaskId, at: u64) -> EventRow {
        let spec = self.core.view().spec(task);
        EventRow {
            task: Some(task),
            task_type: spec.map(|spec| spec.task_type.clone()),
            trace: Some(Trace::of(task, spec).id),
            ..EventRow::new(kind, at)
        }
    }

    fn of_attempt(&self, kind: EventKind, task: TaskId, epoch: Epoch, at: u64) -> EventRow {
        let leases = self.core.view().record(task).into_iter().flat_map(|record| record.facts());
        let lease = leases.into_iter().find_map(|fact| match fact {
            Fact::Leased(lease) if lease.epoch == epoch => Some(lease),
            _ => None,
        });
        EventRow {
            device: lease.map(|lease| lease.to),
            attempt: lease.map(|lease| lease.attempt),
            epoch: Some(epoch),
            ..self.about(kind, task, at)
        }
    }

    /// A lease has ended. One that ended well is told by the end of the task.
    fn over(&self, task: TaskId, epoch: Epoch, at: u64) -> Option<EventRow> {
        let record = self.core.view().record(task)?;
        let close = record.facts().find_map(|fact| match fact {
            Fact::Closed(closed) if closed.epoch == epoch => Some(&closed.close),
            _ => None,
        })?;
        let row = self.of_attempt(EventKind::Attempt, task, epoch, at);
        match close {
            Close::Finished(outcome) => {
                let error = Some(outcome.error.clone()?);
                Some(EventRow { error, run_ms: Some(outcome.run.as_ms()), ..row })
            }
            Close::Released(why) => Some(EventRow { text: report::released(*why).to_owned(), ..row }),
        }
    }

    fn end(&self, task: TaskId, at: u64) -> EventRow {
        let Some(report) = report::kept(self.core.view(), task, clock::now()) else {
            return self.about(EventKind::Complete, task, at);
        };
        let good = report.status == Status::Completed;
        EventRow {
            status: Some(report.status),
            device: report.device,
            attempt: report.attempt().map(|attempt| attempt.attempt),
            epoch: report.decided,
            run_ms: report.outcome.as_ref().map(|outcome| outcome.run.as_ms()),
            error: report.error,
            ..self.about(if good { EventKind::Complete } else { EventKind::Error }, task, at)
        }
    }
}
