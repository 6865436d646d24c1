//! How long tasks run, by the records of those that have ended well.

use super::Basis;
use crate::driver::TaskReport;
use rc_scheduler::{DeviceId, Span, Status, TaskSpec};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What tells one kind of work from another: the type, and the name that people gave it.
type Kind = (String, Option<String>);

/// Runs that were seen.
#[derive(Debug, Default)]
pub(super) struct Times {
    there: BTreeMap<(Kind, DeviceId), Vec<u64>>,
    anywhere: BTreeMap<Kind, Vec<u64>>,
}

impl Times {
    /// From what is known of tasks.
    pub(super) fn of<'a>(reports: impl IntoIterator<Item = &'a TaskReport>) -> Self {
        let mut times = Self::default();
        for report in reports {
            let (Some(spec), Some(device), Some(outcome)) = (&report.spec, report.device, &report.outcome) else {
                continue;
            };
            if report.status == Status::Completed {
                for kind in kinds(spec) {
                    times.there.entry((kind.clone(), device)).or_default().push(outcome.run.0);
                    times.anywhere.entry(kind).or_default().push(outcome.run.0);
                }
            }
        }
        times.there.values_mut().chain(times.anywhere.values_mut()).for_each(|runs| runs.sort_unstable());
        times
    }

    /// How long a task would run on a device.
    pub(super) fn run(&self, spec: &TaskSpec, device: DeviceId) -> (Span, Basis) {
        let median = |runs: &Vec<u64>| Span(runs[runs.len() / 2]);
        let kinds = kinds(spec);
        for kind in &kinds {
            if let Some(runs) = self.there.get(&(kind.clone(), device)) {
                return (median(runs), Basis::There(runs.len()));
            }
        }
        for kind in &kinds {
            if let Some(runs) = self.anywhere.get(kind) {
                return (median(runs), Basis::Elsewhere(runs.len()));
            }
        }
        (spec.timeout, Basis::Timeout)
    }
}

/// The kinds that a task is of, the narrower one first.
fn kinds(spec: &TaskSpec) -> Vec<Kind> {
    #[derive(Deserialize)]
    struct Named {
        name: Option<String>,
    }
    let name = serde_json::from_slice::<Named>(&spec.extra).ok().and_then(|named| named.name);
    let named = name.map(|name| (spec.task_type.clone(), Some(name)));
    named.into_iter().chain([(spec.task_type.clone(), None)]).collect()
}
