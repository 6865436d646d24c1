//! People and programs that submit tasks through random devices, ask random devices for results, and write down what they were told.

use crate::api::Api;
use crate::soak::plan::{HOSTS, Random};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

/// How long a client waits for an answer before it goes elsewhere or gives up. An acknowledgement takes at most 2 s by itself.
const PATIENCE: Duration = Duration::from_secs(6);
/// Devices that a client with an idempotency key tries.
const TRIES: usize = 8;

/// A task that some device said it had accepted.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// What its result must be.
    pub expected: Value,
    /// It says on a file when it runs.
    pub side_effects: bool,
}

/// An end that somebody was told of.
#[derive(Clone, Debug)]
pub struct Told {
    pub id: String,
    /// By which host.
    pub host: usize,
    pub result: Value,
}

/// What clients know.
#[derive(Debug, Default)]
pub struct Ledger {
    pub accepted: BTreeMap<String, Accepted>,
    /// One for each end of each task that was told; normally one per task.
    pub told: Vec<Told>,
    told_before: BTreeSet<(String, String)>,
    /// How often somebody was told an end.
    pub answers: u64,
    /// Submissions that nobody answered. They may have been accepted.
    pub unanswered: u64,
    /// Submissions that were turned away, by the reason.
    pub refused: BTreeMap<String, u64>,
    /// Keyed submissions that were repeated because nobody answered.
    pub repeated: u64,
    /// What must not be.
    pub wrong: Vec<String>,
}

/// What of a result must be the same wherever and whenever it is asked. Not the device's name: one that has just started may not
/// know it yet, and tells its id.
pub fn told(result: &Value) -> [&Value; 5] {
    ["status", "result", "error", "device_id", "epoch"].map(|field| &result[field])
}

/// Whether a result object says how the task ended.
pub fn has_ended(result: &Value) -> bool {
    let open = ["pending", "queued", "assigned", "running", "retrying", "cancelling"];
    !open.contains(&result["status"].as_str().expect("a status"))
}

/// The clients' common state.
pub struct Clients {
    apis: Vec<Api>,
    ledger: Mutex<Ledger>,
    over: AtomicBool,
    /// Where commands say that they run.
    starts: String,
    /// The directory where that is.
    place: String,
}

impl Clients {
    pub fn new(apis: Vec<Api>, starts: &Path) -> Self {
        let place = starts.parent().and_then(Path::to_str).expect("a path of ours").to_owned();
        let starts = starts.to_str().expect("a path of ours").to_owned();
        Self { apis, ledger: Mutex::default(), over: AtomicBool::new(false), starts, place }
    }

    /// Everybody goes home.
    pub fn finish(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("no client panics with it")
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Submits one task after the other, through random devices.
    pub fn submit_steadily(&self, mut random: Random) {
        while !self.is_over() {
            self.submit(&mut random);
            std::thread::sleep(random.millis(50, 350));
        }
    }

    fn submit(&self, random: &mut Random) {
        let number = random.next();
        let (task_type, payload, accepted) = match random.below(10) {
            0..4 => {
                let payload = json!({ "n": number });
                ("echo", payload.clone(), Accepted { expected: payload, side_effects: false })
            }
            4..7 => {
                let duration = json!(f64::from(u32::try_from(random.below(30)).expect("small")) / 10.0);
                let expected = json!({ "slept_for": duration });
                ("sleep", json!({ "duration": duration }), Accepted { expected, side_effects: false })
            }
            // Says ten times in a file that it runs, and which attempt it is.
            _ => {
                let say = format!("echo $RC_TASK_ID $RC_TASK_EPOCH >> {}", self.starts);
                let script = format!("for i in 1 2 3 4 5 6 7 8 9 10; do {say}; sleep 0.1; done; echo {number}");
                let expected = json!({ "return_code": 0, "stdout": format!("{number}\n"), "stderr": "" });
                ("command", json!({ "command": script, "shell": true }), Accepted { expected, side_effects: true })
            }
        };
        let keyed = random.below(3) == 0;
        // Whoever kills devices here is not the task, however often it is in the hands of one.
        let retry = json!({ "crash_limit": 0 });
        let mut task = json!({ "task_type": task_type, "payload": payload, "retry": retry });
        if task_type == "command" {
            task["required_permissions"] = json!(["write_files"]);
            task["sandbox"] = json!({ "allowed_paths": [self.place] });
        }
        if keyed {
            task["idempotency_key"] = json!(format!("key {number}"));
        }
        let body = task.to_string();
        for attempt in 0..if keyed { TRIES } else { 1 } {
            let host = random.below(HOSTS);
            match self.apis[host].call("POST", "/v1/tasks", &body, PATIENCE) {
                Ok(answer) if answer.status == 202 => {
                    let id = answer.json()["task_id"].as_str().expect("an id").to_owned();
                    let mut ledger = self.ledger();
                    ledger.repeated += u64::from(attempt > 0);
                    ledger.accepted.insert(id, accepted);
                    return;
                }
                Ok(answer) => {
                    let code = answer.json()["code"].as_str().unwrap_or("no code").to_owned();
                    *self.ledger().refused.entry(code).or_default() += 1;
                }
                Err(_) if keyed && attempt + 1 < TRIES => {}
                Err(_) => self.ledger().unanswered += 1,
            }
            if self.is_over() {
                return;
            }
        }
    }

    /// Asks random devices for the results of random tasks.
    pub fn ask_steadily(&self, mut random: Random) {
        while !self.is_over() {
            let id = {
                let ledger = self.ledger();
                let count = ledger.accepted.len();
                // One in ten anywhere, the others among the last: those are where something happens.
                let from = if random.below(10) == 0 { 0 } else { count.saturating_sub(200) };
                // Unkeyed ids rise with time, so that the last ones are the newest.
                (count > 0)
                    .then(|| from + random.below(count - from))
                    .and_then(|at| ledger.accepted.keys().nth(at).cloned())
            };
            if let Some(id) = id {
                self.ask(random.below(HOSTS), &id);
            }
            std::thread::sleep(random.millis(5, 60));
        }
    }

    fn ask(&self, host: usize, id: &str) {
        let path = format!("/v1/tasks/{id}/result?wait=0.2");
        // "Not found" is told only if every device has answered, and so it is wrong for a task that was accepted.
        match self.apis[host].get(&path, PATIENCE) {
            Ok(answer) if answer.status == 200 => self.note(host, id, answer.json()),
            Ok(answer) if answer.status == 404 => {
                self.ledger().wrong.push(format!("host {host} says that {id} is not there: {}", answer.body));
            }
            _ => {}
        }
    }

    fn note(&self, host: usize, id: &str, result: Value) {
        if !has_ended(&result) {
            return;
        }
        let mut ledger = self.ledger();
        ledger.answers += 1;
        if ledger.told_before.insert((id.to_owned(), json!(told(&result)).to_string())) {
            ledger.told.push(Told { id: id.to_owned(), host, result });
        }
    }
}
