//! A node that accepts everything and ends tasks at once: `echo` and `command` by their payload, `sleep` never.

use rc_node::api::{App, NodeApi, SocketServer, door_socket, serve_socket};
use rc_node::driver::{
    Accepted, AttemptReport, DriverError, Explanation, HistoryRow, NodeStatus, PeerReport, TaskReport,
};
use rc_node::events::EventLog;
use rc_node::handlers::Stream;
use rc_node::live::{LiveState, LogEvent};
use rc_node::metrics::{MetricCounts, MetricsReport};
use rc_node::stats::{By, Counts, Histogram, StatsAsk, StatsReport, Tally};
use rc_scheduler::{
    BatchFound, BatchId, Candidate, Capacity, DeviceId, DeviceRecord, Epoch, ErrorClass, Incarnation, NewTask, Outcome,
    Reason, Refusal, Role, Span, Status, TaskId, TaskSpec, Terms, Unmet,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tempfile::TempDir;
use tokio::sync::{Notify, Semaphore, mpsc, watch};

/// The pretended node.
#[derive(Clone)]
pub struct Fake {
    tasks: Arc<Mutex<Vec<TaskReport>>>,
    changed: Arc<Notify>,
    /// The driver's bounded queue of requests: each passes in turn, and one that is not polled holds up the rest.
    door: Arc<Semaphore>,
    /// What it tells to those who listen.
    pub log: EventLog,
}

impl Default for Fake {
    fn default() -> Self {
        Self {
            tasks: Arc::default(),
            changed: Arc::default(),
            door: Arc::new(Semaphore::new(1)),
            log: EventLog::new(3),
        }
    }
}

pub const ATTIC: DeviceId = DeviceId([1; 16]);
pub const CELLAR: DeviceId = DeviceId([2; 16]);

/// A fake behind a socket in a data directory.
pub struct Served {
    pub fake: Fake,
    pub app: App<Fake>,
    pub dir: TempDir,
    pub stopped: watch::Receiver<bool>,
    _server: SocketServer,
}

pub async fn serve() -> Served {
    let fake = Fake::default();
    let dir = tempfile::tempdir().expect("a directory");
    let (app, stopped) = App::new(fake.clone());
    let socket = dir.path().join("node.sock");
    let server = serve_socket(&socket, door_socket(app.clone()), stopped.clone()).await.expect("a socket");
    Served { fake, app, dir, stopped, _server: server }
}

impl Fake {
    fn tasks(&self) -> MutexGuard<'_, Vec<TaskReport>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn count(&self) -> usize {
        self.tasks().len()
    }

    async fn pass(&self) {
        let _turn = self.door.acquire().await;
        tokio::task::yield_now().await;
    }

    fn get(&self, task: TaskId) -> Result<TaskReport, DriverError> {
        self.tasks().iter().find(|report| report.id == task).cloned().ok_or(DriverError::NotFound)
    }

    fn run(&self, new: NewTask) -> TaskId {
        let mut tasks = self.tasks();
        let number = tasks.len() as u8;
        let mut hash = [number; 32];
        hash[9] = 7;
        // Ids that begin alike, so that short prefixes are ambiguous.
        let id = TaskId::new(1_700_000_000_000, &hash);
        let payload: Value = serde_json::from_slice(&new.payload).unwrap_or_default();
        let mut report = TaskReport {
            id,
            payload: new.payload.clone(),
            status: Status::Running,
            reason: None,
            detail: None,
            acceptor: Some(ATTIC),
            submitted_wall_ms: 1_700_000_000_000,
            device: Some(CELLAR),
            attempts: vec![AttemptReport {
                epoch: Epoch::new(1, 1, 1),
                attempt: 1,
                device: CELLAR,
                guardian: ATTIC,
                started_wall_ms: Some(1_700_000_000_100),
                finished_wall_ms: None,
                outcome: "running".into(),
                late: false,
                beside: None,
            }],
            decided: None,
            outcome: None,
            error: None,
            disks: 0,
            progress: Some(10),
            progress_text: None,
            spec: Some(new.spec.clone()),
        };
        if !new.spec.requirements.required_tags.is_empty() {
            report.status = Status::Pending;
            report.reason = Some(Reason::NoEligibleDevice);
            report.detail = Some("no device has the tag".into());
            report.device = None;
            report.attempts.clear();
        } else if new.spec.task_type != "sleep" {
            end(&mut report, &new.spec.task_type, &payload);
        }
        tasks.push(report);
        id
    }
}

fn end(report: &mut TaskReport, task_type: &str, payload: &Value) {
    let raw = String::from_utf8_lossy(&report.payload).into_owned();
    let argv = payload["argv"].as_array().cloned().unwrap_or_default();
    let (error, result) = match (task_type, argv.first().and_then(Value::as_str)) {
        ("command", Some("exit")) => {
            let code: i64 = argv[1].as_str().unwrap_or("0").parse().unwrap_or(0);
            let error = (code != 0).then(|| (ErrorClass::Task, format!("the command returned {code}")));
            (error, json!({ "return_code": code, "stdout": "out\n", "stderr": "err\n" }).to_string())
        }
        ("command", Some("late")) => (
            Some((ErrorClass::Timeout, "not done within its limit".to_owned())),
            json!({ "return_code": 137, "stdout": "part\n", "stderr": "" }).to_string(),
        ),
        ("command", _) => (Some((ErrorClass::PermissionDenied, "not here".to_owned())), "null".into()),
        ("fail", _) => (Some((ErrorClass::InvalidPayload, "it makes no sense".to_owned())), "null".into()),
        _ => (None, raw),
    };
    report.status = match &error {
        None => Status::Completed,
        Some((ErrorClass::Timeout, _)) => Status::Timeout,
        Some(_) => Status::Failed,
    };
    let body = format!(r#"{{"result":{result},"resource_usage":{{"cpu_seconds":0.25,"max_memory_mb":12.5}}}}"#);
    report.outcome = Some(Outcome {
        error: error.clone(),
        body: body.into_bytes().into(),
        started_wall_ms: 1_700_000_000_100,
        finished_wall_ms: 1_700_000_000_200,
        run: Span::from_ms(100),
    });
    report.error = error;
    report.disks = 2;
    report.progress = None;
    if let Some(attempt) = report.attempts.last_mut() {
        attempt.outcome = report.status.word().to_owned();
        attempt.finished_wall_ms = Some(1_700_000_000_200);
    }
}

fn peer(id: DeviceId, name: &str, me: bool) -> PeerReport {
    let capacity = Capacity {
        name: name.to_owned(),
        role: Some(Role::Worker),
        platform: "linux".into(),
        arch: "x86_64".into(),
        cpu_cores_milli: Some(4_000),
        cpu_usage_ppm: Some(125_000),
        memory_total_bytes: Some(4 << 30),
        max_concurrent_tasks: 5,
        ..Capacity::default()
    };
    PeerReport {
        id,
        me,
        record: Some(DeviceRecord { device: id, capacity, ..DeviceRecord::default() }),
        state: "idle",
        incarnation: Some(Incarnation { boots: 1, wakes: 0 }),
        heard_ms_ago: (!me).then_some(40),
        address: None,
        twins: false,
    }
}

impl NodeApi for Fake {
    async fn submit(&self, tasks: Vec<NewTask>, _: Option<usize>) -> Result<Accepted, DriverError> {
        let tasks = tasks.into_iter().map(|task| self.run(task)).collect();
        Ok(Accepted { tasks, disks: vec![ATTIC, CELLAR] })
    }
    async fn cancel(&self, task: TaskId) -> Result<Status, DriverError> {
        self.get(task)?;
        let mut tasks = self.tasks();
        let report = tasks.iter_mut().find(|report| report.id == task).ok_or(DriverError::NotFound)?;
        if !report.status.is_terminal() {
            report.status = Status::Cancelled;
        }
        let status = report.status;
        drop(tasks);
        self.changed.notify_waiters();
        Ok(status)
    }
    async fn reopen(&self, task: TaskId) -> Result<Status, DriverError> {
        let status = self.get(task)?.status;
        let failed = status.is_terminal() && status != Status::Completed;
        if failed { Ok(Status::Pending) } else { Err(DriverError::Refused(Refusal::NotFailed { status })) }
    }
    async fn task(&self, task: TaskId) -> Result<TaskReport, DriverError> {
        self.get(task)
    }
    async fn wait(&self, task: TaskId) -> Result<TaskReport, DriverError> {
        self.pass().await;
        loop {
            let changed = self.changed.notified();
            let report = self.get(task)?;
            if report.status.is_terminal() {
                return Ok(report);
            }
            changed.await;
        }
    }
    async fn wait_many(
        &self,
        tasks: Vec<TaskId>,
    ) -> Result<mpsc::Receiver<(TaskId, Result<TaskReport, DriverError>)>, DriverError> {
        let (ended, ends) = mpsc::channel(tasks.len().max(1));
        for task in tasks {
            let (fake, ended) = (self.clone(), ended.clone());
            tokio::spawn(async move { ended.send((task, fake.wait(task).await)).await });
        }
        Ok(ends)
    }
    async fn logs(&self, task: TaskId, stay: bool) -> Result<mpsc::Receiver<LogEvent>, DriverError> {
        let report = self.get(task)?;
        let (out, events) = mpsc::channel(16);
        let fake = self.clone();
        tokio::spawn(async move {
            let state = LiveState { percent: report.progress, text: "working".into(), ..LiveState::default() };
            drop(out.send(LogEvent::State(state)).await);
            let report = if stay { fake.wait(task).await.expect("it is kept") } else { report };
            let body: Value =
                report.outcome.map(|outcome| serde_json::from_slice(&outcome.body).expect("JSON")).unwrap_or_default();
            for (stream, name) in [(Stream::Stdout, "stdout"), (Stream::Stderr, "stderr")] {
                let bytes = body["result"][name].as_str().unwrap_or_default().as_bytes().to_vec();
                drop(out.send(LogEvent::Output { stream, offset: 0, bytes }).await);
            }
            drop(out.send(LogEvent::Ended { status: report.status, truncated: false }).await);
        });
        Ok(events)
    }
    async fn live_state(&self, task: TaskId) -> Result<Option<LiveState>, DriverError> {
        self.get(task)?;
        Ok(Some(LiveState { percent: Some(12), cpu_micros: Some(1_500_000), ..LiveState::default() }))
    }
    async fn history(&self, task: TaskId) -> Result<Vec<HistoryRow>, DriverError> {
        self.get(task)?;
        let row = |fact, by, text: &str| HistoryRow {
            at_wall_ms: None,
            fact,
            by: Some(by),
            to: None,
            epoch: None,
            attempt: None,
            text: text.to_owned(),
            superseded: false,
        };
        Ok(vec![row("submitted", ATTIC, "accepted"), row("leased", ATTIC, "to cellar")])
    }
    async fn find(&self, prefix: String) -> Result<Vec<TaskId>, DriverError> {
        let tasks = self.tasks();
        if prefix == "last" {
            return Ok(tasks.last().map(|report| report.id).into_iter().collect());
        }
        let matching = tasks.iter().map(|report| report.id).filter(|id| id.to_string().starts_with(&prefix));
        Ok(matching.take(16).collect())
    }
    async fn list(&self, limit: u32) -> Result<(Vec<TaskReport>, Vec<DeviceId>), DriverError> {
        Ok((self.tasks().iter().rev().take(limit as usize).cloned().collect(), vec![]))
    }
    async fn open_of(&self, _: String) -> Result<(Vec<TaskReport>, Vec<DeviceId>), DriverError> {
        Ok((Vec::new(), Vec::new()))
    }
    async fn batch(&self, batch: BatchId, which: Vec<Status>) -> Result<(BatchFound, Vec<DeviceId>), DriverError> {
        let tasks = self.tasks();
        let place = |report: &TaskReport| report.spec.as_ref()?.batch.filter(|place| place.batch == batch);
        let mine: Vec<_> = tasks.iter().filter_map(|report| Some((place(report)?, report))).collect();
        let of = mine.first().ok_or(DriverError::NotFound)?.0.of as usize;
        let mut found = BatchFound { batch, statuses: vec![None; of], tasks: Vec::new() };
        for (place, report) in mine {
            found.statuses[place.index as usize] = Some(report.status);
            if place.index == 0 || which.contains(&report.status) {
                found.tasks.push((place.index, report.id));
            }
        }
        Ok((found, vec![]))
    }
    async fn batches(&self, limit: u32) -> Result<(Vec<(BatchId, u32)>, Vec<DeviceId>), DriverError> {
        let tasks = self.tasks();
        let places = tasks.iter().rev().filter_map(|report| report.spec.as_ref()?.batch);
        let mut all: Vec<_> = places.map(|place| (place.batch, place.of)).collect();
        all.dedup();
        all.truncate(limit as usize);
        Ok((all, vec![]))
    }
    async fn peers(&self) -> Result<Vec<PeerReport>, DriverError> {
        self.pass().await;
        Ok(vec![peer(ATTIC, "attic", true), peer(CELLAR, "cellar", false)])
    }
    async fn explain(&self, task: TaskId) -> Result<Explanation, DriverError> {
        let report = self.get(task)?;
        Ok(Explanation { task: Some(task), status: report.status, ..explanation("echo") })
    }
    async fn plan(&self, specs: Vec<TaskSpec>) -> Result<Vec<Explanation>, DriverError> {
        Ok(specs.iter().map(|spec| explanation(&spec.task_type)).collect())
    }
    async fn status(&self) -> Result<NodeStatus, DriverError> {
        Ok(NodeStatus {
            id: ATTIC,
            name: "attic".into(),
            incarnation: Incarnation { boots: 3, wakes: 1 },
            synced: true,
            listening: vec!["/ip4/127.0.0.1/tcp/4001".into()],
            peers_up: 2,
            members: 2,
            tasks_open: 0,
            tasks_kept: self.count(),
            tasks_resting: 0,
            running: 0,
            storage_healthy: true,
            storage_found: Vec::new(),
            blocked: Vec::new(),
            uptime_s: 61,
            disk_syncs: 12,
            frames_out: 34,
            frame_bytes_out: 5_600,
        })
    }
    async fn stats(&self, ask: StatsAsk) -> Result<StatsReport, DriverError> {
        let mut run = Histogram::default();
        (0..10).for_each(|_| run.add(50_000));
        let tally = Tally {
            completed: 9,
            failed: 1,
            cancelled: 2,
            run,
            sums: [0, 500_000, 0],
            busy_ms: 500,
            ..Tally::default()
        };
        let key = if ask.by == By::Type { "echo".to_owned() } else { CELLAR.to_string() };
        let counts = Counts { all: tally.clone(), by: [(key, tally)].into() };
        let to_wall_ms = 1_700_000_000_000;
        let from_wall_ms = to_wall_ms - ask.period.as_millis() as u64;
        let slots = [(ATTIC, 5), (CELLAR, 5)].into();
        let (silent, partial) = (vec![ATTIC], Vec::new());
        Ok(StatsReport { from_wall_ms, to_wall_ms, by: ask.by, counts, silent, partial, slots })
    }
    async fn metrics(&self) -> Result<Box<MetricsReport>, DriverError> {
        let mut counts = MetricCounts { accepted: 12, started: 7, ..MetricCounts::default() };
        counts.ended.insert("completed", 9);
        counts.attempts.insert("odd \"type\"\\".to_owned(), [("completed", 9)].into());
        [400, 2_000_000, 7_200_000_000].into_iter().for_each(|us| counts.delay.add(us));
        Ok(Box::new(MetricsReport {
            counts,
            status: self.status().await?,
            peers: [("idle", 2)].into(),
            slots: 5,
            dropped: rc_scheduler::Counters::default(),
            bad_messages: 3,
            spans_dropped: 0,
            alerts_unsent: 0,
            gossip: [1, 2, 3],
            turned_away: [4, 5],
        }))
    }
    async fn invite(&self) -> Result<String, DriverError> {
        Ok("rc1abc".into())
    }
    async fn shutdown(&self) {}
    fn events(&self) -> Option<&EventLog> {
        Some(&self.log)
    }
}

/// The cellar fits; the attic does not, for want of a tag.
fn explanation(task_type: &str) -> Explanation {
    let spec = TaskSpec { task_type: task_type.to_owned(), ..TaskSpec::default() };
    let record = |device, name: &str| DeviceRecord {
        device,
        capacity: Capacity { name: name.to_owned(), ..Capacity::default() },
        ..DeviceRecord::default()
    };
    let records = [record(CELLAR, "cellar"), record(ATTIC, "attic")];
    let candidates = records.iter().map(Candidate::new);
    let mut rows = rc_scheduler::explain(TaskId::default(), &spec, candidates, &BTreeSet::new());
    for row in &mut rows {
        row.chosen = row.device == CELLAR;
        row.terms = Terms { cpu: 900_000, memory: 800_000, load: 1_000_000, network: 0, affinity: 0 };
        row.total = 800_000;
        row.unmet = if row.chosen { Vec::new() } else { vec![Unmet::RequiredTags { missing: vec!["gpu".to_owned()] }] };
        row.remedies = row.unmet.iter().map(|unmet| unmet.remedy(&records[1])).collect();
    }
    rows.sort_by_key(|row| !row.chosen);
    Explanation {
        task: None,
        task_type: task_type.to_owned(),
        submitter: None,
        accepted_by: Some(ATTIC),
        status: Status::Pending,
        reason: None,
        detail: None,
        not_before_wall_ms: None,
        error: None,
        placed: None,
        view_hash: 7,
        rows,
    }
}
