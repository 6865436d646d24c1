//! When everything is well again: is everything there, is it the same everywhere, and is what was told still true.

use crate::api::Api;
use crate::clock::parse;
use crate::lan::NAMES;
use crate::soak::clients::{Ledger, Told, has_ended, told};
use crate::soak::faults::Past;
use crate::soak::plan::HOSTS;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// One answer.
const ANSWER: Duration = Duration::from_secs(20);
/// From the end of all faults until every task has ended everywhere and all agree.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between a cut and when it may still show: a peer that is back has to be found, and asked (P), and a task that ended at one
/// side of it may be settled when its outcome arrives.
const AFTERWARDS_MS: u64 = 15_000;
/// Complaints that are told in full.
const SHOWN: usize = 20;

/// What one device says of one task.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    pub result: Value,
    pub history: Value,
    pub attempts: Value,
}

/// What all devices agree on, by task.
pub type Agreed = BTreeMap<String, View>;

fn ask(api: &Api, path: &str) -> Result<Value, String> {
    api.get(path, ANSWER).map_err(|error| error.to_string())?.ok()
}

fn view(api: &Api, id: &str) -> Result<View, String> {
    let result = ask(api, &format!("/v1/tasks/{id}/result?wait=10"))?;
    if !has_ended(&result) {
        return Err(format!("has not ended: {result}"));
    }
    let history = ask(api, &format!("/v1/tasks/{id}/history"))?;
    let mut attempts = ask(api, &format!("/v1/tasks/{id}"))?["attempts"].take();
    for attempt in attempts.as_array_mut().into_iter().flatten() {
        // Of an attempt that never ended, only its granter was told when it began.
        if attempt["finished_at"].is_null() {
            attempt["started_at"] = Value::Null;
        }
    }
    Ok(View { result, history, attempts })
}

/// The newest tasks that any device lists: among them may be some that nobody was told to be accepted.
pub fn listed(apis: &[Api]) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for api in apis {
        let list = ask(api, "/v1/tasks?limit=1000").expect("everything is well");
        let list = list.as_array().expect("a list");
        ids.extend(list.iter().map(|task| task["task_id"].as_str().expect("an id").to_owned()));
    }
    ids
}

/// Waits until every device says the same of every one of these tasks. What is not so in the end comes second.
pub fn agree(apis: &[Api], ids: &BTreeSet<String>) -> (Agreed, Vec<String>) {
    let began = Instant::now();
    let mut agreed = Agreed::new();
    let mut open: Vec<&String> = ids.iter().collect();
    loop {
        let last = began.elapsed() >= PATIENCE;
        let answers: Vec<Vec<Result<View, String>>> = std::thread::scope(|scope| {
            let open = &open;
            let asked: Vec<_> =
                apis.iter().map(|api| scope.spawn(move || open.iter().map(|id| view(api, id)).collect())).collect();
            asked.into_iter().map(|asked| asked.join().expect("it only asks")).collect()
        });
        let mut wrong = Vec::new();
        let mut left = Vec::new();
        for (at, id) in open.into_iter().enumerate() {
            let first = answers[0][at].clone();
            match first {
                Ok(view) if answers.iter().all(|answers| answers[at].as_ref() == Ok(&view)) => {
                    agreed.insert(id.clone(), view);
                }
                _ => {
                    let said = answers.iter().enumerate().map(|(host, answers)| {
                        // What several say the same is told once.
                        let same = host > 0 && answers[at] == first;
                        let said = if same { "as the first".to_owned() } else { tell(&answers[at]) };
                        format!("    {}: {said}\n", NAMES[host])
                    });
                    wrong.push(format!("no agreement on {id}:\n{}", said.collect::<String>()));
                    left.push(id);
                }
            }
        }
        open = left;
        if open.is_empty() || last {
            return (agreed, wrong);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// One device's view, short.
fn tell(view: &Result<View, String>) -> String {
    match view {
        Ok(view) => {
            let rows = view.history.as_array().into_iter().flatten();
            let rows =
                rows.map(|row| format!("\n      {} {} {} {}", row["fact"], row["device"], row["epoch"], row["text"]));
            format!("{:?}{}\n      {}", told(&view.result), rows.collect::<String>(), view.attempts)
        }
        Err(error) => error.clone(),
    }
}

/// What is wrong with what the clients know, now that all agree. The second number counts ends that a split has changed.
pub fn check(ledger: &Ledger, agreed: &Agreed, past: &Past) -> (Vec<String>, usize) {
    let mut wrong = ledger.wrong.clone();
    for (id, accepted) in &ledger.accepted {
        let Some(view) = agreed.get(id) else {
            wrong.push(format!("{id} was accepted and is lost, or nobody agrees"));
            continue;
        };
        if view.result["status"] != "completed" || view.result["result"] != accepted.expected {
            wrong.push(format!("{id} has not come to its end: {}\n{:#}", view.result, view.history));
        }
    }
    let mut explained = 0;
    for told_end in &ledger.told {
        let Some(view) = agreed.get(&told_end.id) else { continue };
        if told(&told_end.result) == told(&view.result) {
            continue;
        }
        if told_end.result["epoch"] == view.result["epoch"] {
            wrong.push(format!("one attempt with two ends: {}\n{}", told_end.result, view.result));
            continue;
        }
        match excuse(told_end, view, past) {
            Ok(()) => explained += 1,
            Err(why) => {
                let name = NAMES[told_end.host];
                wrong
                    .push(format!("{name} told an end that is no longer true ({why}): {}\n{view:#?}", told_end.result));
            }
        }
    }
    let more = wrong.len().saturating_sub(SHOWN);
    wrong.truncate(SHOWN);
    if more > 0 {
        wrong.push(format!("and {more} more"));
    }
    (wrong, explained)
}

/// An end may change only if, when one of the two guardians settled, every device that had the other's settlement was out of its
/// reach: down, frozen, or cut off. So there must be a moment, around when one of the two outcomes came to be, at which at least so
/// many devices were out of reach of that outcome's guardian as had the told settlement on disk. And history must tell of both.
fn excuse(told_end: &Told, view: &View, past: &Past) -> Result<(), String> {
    let rows = || view.history.as_array().into_iter().flatten();
    let settled = |epoch: &Value| {
        let row = rows().find(|row| row["fact"] == "settled" && row["epoch"] == *epoch);
        let name = row.and_then(|row| row["device"].as_str()).ok_or("history does not say who settled so")?;
        (0..HOSTS).find(|host| NAMES[*host] == name).ok_or("by a stranger")
    };
    let finished = |epoch: &Value| {
        let attempts = || view.attempts.as_array().into_iter().flatten();
        let attempt = attempts().find(|attempt| attempt["epoch"] == *epoch);
        attempt.and_then(|attempt| parse(attempt["finished_at"].as_str()?)).ok_or("history has no such outcome")
    };
    let disks = usize::try_from(told_end.result["disks"].as_u64().unwrap_or(1)).expect("few");
    let mut most = 0;
    for epoch in [&told_end.result["epoch"], &view.result["epoch"]] {
        let (by, at) = (settled(epoch)?, finished(epoch)?);
        most = most.max(past.out_of_reach_max(by, at, at + AFTERWARDS_MS, AFTERWARDS_MS));
    }
    if most >= disks { Ok(()) } else { Err(format!("on {disks} disks, and never more than {most} out of reach")) }
}

/// How often tasks ran.
#[derive(Debug, Default)]
pub struct Runs {
    /// Tasks that were leased more than once.
    pub leased_again: usize,
    /// Tasks of which two attempts came to a good end.
    pub done_twice: usize,
    /// Commands.
    pub commands: usize,
    /// Commands that began more than once.
    pub begun_again: usize,
    /// Commands that ran on two devices at the same time.
    pub at_once: usize,
}

/// Counts, by what devices say and by what the commands themselves have written.
pub fn runs(agreed: &Agreed, starts: &str) -> Runs {
    let mut runs = Runs::default();
    for view in agreed.values() {
        let attempts = || view.attempts.as_array().into_iter().flatten();
        runs.leased_again += usize::from(attempts().count() > 1);
        runs.done_twice += usize::from(attempts().filter(|attempt| attempt["outcome"] == "completed").count() > 1);
    }
    // The attempts of each task in the order in which they said that they run.
    let mut said: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (id, attempt) in starts.lines().filter_map(|line| line.split_once(' ')) {
        said.entry(id).or_default().push(attempt);
    }
    runs.commands = said.len();
    for said in said.values() {
        let attempts: BTreeSet<_> = said.iter().collect();
        runs.begun_again += usize::from(attempts.len() > 1);
        // One after the other, each would be heard in one piece.
        let pieces = said.chunk_by(|one, next| one == next).count();
        runs.at_once += usize::from(pieces > attempts.len());
    }
    runs
}
