//! From the cluster as it is, and a question, to what the virtual one begins with.

use super::cluster::{Arrival, Cluster, Machine};
use super::times::Times;
use super::{Basis, DEVICES_MAX, Forecast, ForecastError, TASKS_MAX, TaskForecast};
use crate::driver::{PeerReport, TaskReport};
use rc_scheduler::{Capacity, DeviceId, NewTask, Reason, Span, TaskId};
use std::collections::{BTreeMap, BTreeSet};

/// What if.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// These devices are not there.
    pub without: Vec<DeviceId>,
    /// These are.
    pub add: Vec<Extra>,
    /// The tasks that were submitted in this time before now and have ended, instead of those that are open.
    pub replay: Option<Span>,
}

/// A device that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extra {
    /// What it would tell of itself.
    pub capacity: Capacity,
    /// It runs everything as fast as this one.
    pub like: Option<DeviceId>,
}

/// What would happen. Takes up to some seconds.
///
/// # Errors
/// See [`ForecastError`].
pub(crate) fn forecast(
    peers: &[PeerReport],
    reports: &[TaskReport],
    asked: &Asked,
    now_wall_ms: u64,
) -> Result<Forecast, ForecastError> {
    let machines = machines(peers, asked)?;
    let times = Times::of(reports);
    let ids: Vec<_> = machines.iter().map(|machine| machine.id).collect();
    let like = |device: DeviceId| {
        machines.iter().find(|machine| machine.id == device).and_then(|machine| machine.like).unwrap_or(device)
    };
    let mut wanted: Vec<_> = match asked.replay {
        None => reports.iter().filter(|report| !report.status.is_terminal()).collect(),
        Some(span) => {
            let from = now_wall_ms.saturating_sub(span.as_ms());
            let ended = |report: &&TaskReport| report.outcome.is_some() && report.submitted_wall_ms >= from;
            reports.iter().filter(ended).collect()
        }
    };
    wanted.retain(|report| report.spec.is_some());
    wanted.sort_by_key(|report| (report.submitted_wall_ms, report.id));
    wanted.drain(..wanted.len().saturating_sub(TASKS_MAX));
    let places: BTreeMap<TaskId, usize> = (0..).zip(&wanted).map(|(at, report)| (report.id, at)).collect();
    let ended: BTreeSet<TaskId> =
        reports.iter().filter(|report| report.status.is_terminal()).map(|report| report.id).collect();
    // Those that wait for a task of which nothing is known.
    let mut lost = BTreeMap::new();
    let begin = wanted.first().map_or(now_wall_ms, |report| report.submitted_wall_ms);
    let mut arrivals = Vec::with_capacity(wanted.len());
    for (index, report) in wanted.iter().enumerate() {
        let Some(spec) = report.spec.clone() else { continue };
        let waits = asked.replay.is_some() || report.reason == Some(Reason::WaitingDependency);
        let deps = || spec.after.iter().filter(|_| waits);
        let after: BTreeSet<usize> = deps().filter_map(|dep| places.get(dep).copied()).collect();
        let unknown = |dep: &&TaskId| !places.contains_key(dep) && !ended.contains(dep);
        if let Some(dep) = deps().find(unknown).filter(|_| asked.replay.is_none()) {
            lost.insert(index, *dep);
        }
        let mut spec = rc_scheduler::TaskSpec {
            after: Vec::new(),
            uses: Vec::new(),
            idempotency_key: None,
            payload_blob: None,
            ..spec
        };
        let mut ran = Span(0);
        let runs_at = report.attempts.last().filter(|_| asked.replay.is_none()).and_then(|attempt| {
            let device = Some(attempt.device).filter(|device| ids.contains(device))?;
            Some((device, attempt.started_wall_ms?)).filter(|_| attempt.finished_wall_ms.is_none())
        });
        if let Some((device, started)) = runs_at {
            spec.requirements.only_devices = [device].into();
            ran = Span::from_ms(now_wall_ms.saturating_sub(started));
        }
        let at = asked.replay.map_or(0, |_| report.submitted_wall_ms - begin);
        let acceptor = report.acceptor.filter(|by| ids.contains(by)).or_else(|| ids.first().copied());
        let Some(acceptor) = acceptor else { continue };
        let own = asked.replay.and(report.outcome.as_ref()).zip(report.device).map(|(outcome, at)| (at, outcome.run));
        let payload = format!("\"{}\"", report.id).into_bytes().into();
        arrivals.push(Arrival {
            task: NewTask { spec, payload, after_new: Vec::new() },
            at: Span::from_ms(at),
            acceptor,
            is_running: runs_at.is_some(),
            ran,
            own,
            // Whoever waits for itself waits for ever.
            after: if lost.contains_key(&index) { vec![index] } else { after.into_iter().collect() },
        });
    }
    let run = |arrival: &Arrival, device: DeviceId| -> (Span, Basis) {
        if let Some((_, run)) = arrival.own.filter(|(at, _)| *at == device) {
            return (run, Basis::Own);
        }
        match (times.run(&arrival.task.spec, like(device)), arrival.own) {
            ((_, Basis::Timeout), Some((_, run))) => (run, Basis::Elsewhere(1)),
            ((run, basis), _) => (Span(run.0.saturating_sub(arrival.ran.0)), basis),
        }
    };
    let mut cluster = Cluster::start(&machines, if asked.replay.is_some() { begin } else { now_wall_ms })?;
    let mut fates = cluster.play(&arrivals, &run)?;
    for (index, arrival) in arrivals.iter().enumerate() {
        let open = arrival.after.iter().find(|dep| fates[**dep].runs.is_none());
        if let Some(dep) = open.filter(|_| fates[index].runs.is_none()) {
            fates[index].misfit = Some(match lost.get(&index) {
                Some(dep) => format!("waits for {dep}, of which nothing is known here"),
                None => format!("waits for {}, which would not run", wanted[*dep].id),
            });
        }
    }
    let tasks = wanted.iter().zip(&arrivals).zip(fates).map(|((report, arrival), fate)| {
        let device = fate.runs.map_or(arrival.acceptor, |(device, ..)| device);
        let basis = run(arrival, device).1;
        let task: TaskId = report.id;
        TaskForecast {
            task,
            task_type: arrival.task.spec.task_type.clone(),
            submitted_ms: arrival.at.as_ms(),
            runs: fate.runs,
            misfit: fate.misfit,
            basis,
        }
    });
    let tasks: Vec<TaskForecast> = tasks.collect();
    Ok(Forecast { makespan_ms: tasks.iter().filter_map(|task| Some(task.runs?.2)).max().unwrap_or(0), tasks })
}

/// The names of devices that are not there: no key hashes to them.
fn extra_id(number: usize) -> DeviceId {
    let mut id = [0xff; 16];
    id[15] = u8::try_from(number).unwrap_or(u8::MAX);
    DeviceId(id)
}

/// Which of those that are not there a device is.
pub(crate) fn extra_of(device: DeviceId) -> Option<usize> {
    let number = usize::from(device.0[15]);
    (extra_id(number) == device).then_some(number)
}

/// The devices that are heard, without some and with others.
fn machines(peers: &[PeerReport], asked: &Asked) -> Result<Vec<Machine>, ForecastError> {
    let here = |peer: &&PeerReport| !matches!(peer.state, "suspect" | "dead") && !asked.without.contains(&peer.id);
    let mut machines: Vec<_> = peers
        .iter()
        .filter(here)
        .filter_map(|peer| Some(Machine { id: peer.id, capacity: peer.record.clone()?.capacity, like: None }))
        .collect();
    for (number, extra) in asked.add.iter().enumerate() {
        machines.push(Machine { id: extra_id(number), capacity: extra.capacity.clone(), like: extra.like });
    }
    if machines.is_empty() {
        return Err(ForecastError::Asked("no device is left".to_owned()));
    }
    if machines.len() > DEVICES_MAX {
        return Err(ForecastError::TooManyDevices(machines.len()));
    }
    Ok(machines)
}
