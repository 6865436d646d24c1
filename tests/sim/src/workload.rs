//! What clients want: scripts of tasks and when somebody asks for what.

use crate::class::Class;
use crate::clock::{MS, Micros, SECOND};
use crate::fault::CALM_BEFORE;
use crate::rng::Rng;
use rc_scheduler::{
    Backoff, BatchId, DeviceId, ErrorClass, NewTask, Priority, Requirements, RetryPolicy, Span, Status, TaskId,
    TaskSpec,
};
use serde::{Deserialize, Serialize};

/// How the attempts of a task end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Plot {
    /// All well.
    #[default]
    Ok,
    /// Fails for good.
    Final,
    /// The first so many attempts fail, then one ends well.
    Retry(u32),
    /// Runs longer than it may.
    Overrun,
    /// Takes its device down when it would end; the device is back some seconds later.
    Kills,
}

/// One task as its client thinks of it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Script {
    /// When it is submitted.
    pub at: Micros,
    /// Where.
    pub device: usize,
    /// What is asked; dependencies are filled in at the time.
    #[serde(with = "crate::scenario::wish")]
    pub spec: TaskSpec,
    /// How long an attempt takes.
    pub length: Micros,
    /// How its attempts end.
    pub plot: Plot,
    /// A cancel after the reply to the submit.
    pub cancel_after: Option<Micros>,
    /// A cancel this long, less 20 ms, around the end of an attempt.
    pub cancel_at_end: Option<Micros>,
    /// A second submit of the same, elsewhere, so much later.
    pub twice: Option<(usize, Micros)>,
    /// Waits for the task of this script.
    pub after: Option<usize>,
    /// If so, for those of these, too, and is given the results of all of them if it says so.
    pub also_after: Vec<usize>,
    /// See `also_after`.
    pub uses: bool,
    /// Somebody asks that it begin again, so long after the reply to the submit.
    pub again_after: Option<Micros>,
    /// Its attempts say how far they are, so often.
    pub progress_every: Option<Micros>,
    /// How many more of the following scripts go with it in one command.
    pub batch: usize,
    /// Where attempts of it take [`SLOWER`] times as long.
    pub slow_on: Option<usize>,
    /// Where all attempts of it fail.
    pub fails_on: Option<usize>,
    /// If there are any, those that go together are a batch: when somebody asks how it stands, after the reply to the submit, and where.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub asks: Vec<(Micros, usize)>,
}

/// The batch that the script of this number is the first of.
#[must_use]
pub fn batch_of(first: usize) -> BatchId {
    BatchId((first as u128 + 1).to_be_bytes())
}

/// See [`Script::slow_on`].
pub const SLOWER: Micros = 100;

impl Script {
    /// The form in which it is submitted.
    #[must_use]
    pub fn task(&self, index: usize) -> NewTask {
        NewTask::new(self.spec.clone(), format!("{{\"n\":{index}}}").into_bytes().into())
    }

    /// The end it must have when nothing goes wrong and nobody cancels.
    #[must_use]
    pub fn end(&self) -> Status {
        match self.plot {
            Plot::Ok => Status::Completed,
            Plot::Retry(fails) if fails <= self.spec.retry.max_retries => Status::Completed,
            Plot::Overrun => Status::Timeout,
            Plot::Retry(_) | Plot::Final | Plot::Kills => Status::Failed,
        }
    }

    /// Attempts it must have then.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        match self.plot {
            Plot::Ok | Plot::Final | Plot::Kills => 1,
            Plot::Retry(fails) => fails.min(self.spec.retry.max_retries) + 1,
            Plot::Overrun => self.spec.retry.max_retries + 1,
        }
    }

    /// How attempt number `attempt` fails, if it does.
    #[must_use]
    pub fn error(&self, attempt: u32) -> Option<ErrorClass> {
        match self.plot {
            Plot::Ok | Plot::Kills => None,
            Plot::Final => Some(ErrorClass::Task),
            Plot::Retry(fails) => (attempt <= fails).then_some(ErrorClass::Network),
            Plot::Overrun => Some(ErrorClass::Timeout),
        }
    }
}

/// The script that a payload belongs to.
#[must_use]
pub fn script_of(payload: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(payload).ok()?;
    text.strip_prefix("{\"n\":")?.strip_suffix('}')?.parse().ok()
}

/// Something a client does.
#[derive(Clone, Debug)]
pub enum Op {
    /// Submits the script and those that go with it; the flag: this is a repetition.
    Submit(usize, usize, bool),
    /// Looks whether the submit was answered, and repeats it if it may.
    Check(usize),
    /// Cancels.
    Cancel(TaskId, usize),
    /// Lets it begin again.
    Reopen(TaskId, usize),
    /// Reads.
    Read(TaskId, usize),
    /// Asks how the batch stands that begins with this script.
    Batch(usize, usize),
}

/// Draws `count` scripts for `devices`, submitted up to `end`.
#[must_use]
pub fn scripts(class: Class, devices: &[DeviceId], count: usize, end: Micros, rng: &mut Rng) -> Vec<Script> {
    let n = devices.len();
    let burst = rng.chance(300_000);
    let cancels = rng.chance(500_000);
    let mut out: Vec<Script> = Vec::new();
    for index in 0..count {
        let at = if burst { CALM_BEFORE + rng.between(0, SECOND) } else { rng.between(CALM_BEFORE, end) };
        let keyed = rng.chance(400_000);
        let plot = match rng.index(10) {
            0 => Plot::Final,
            1 => Plot::Retry(rng.between(1, 5) as u32),
            2 if rng.chance(300_000) => Plot::Overrun,
            _ => Plot::Ok,
        };
        let mut requirements = Requirements { exclusive: rng.chance(80_000), ..Requirements::default() };
        if n > 1 && rng.chance(100_000) {
            requirements.exclude_devices.insert(rng.pick(devices));
        }
        if rng.chance(60_000) {
            requirements.only_devices.insert(rng.pick(devices));
            requirements.only_devices.insert(rng.pick(devices));
            requirements.exclude_devices.clear();
        }
        let length = rng.skewed(5 * MS, 15 * SECOND);
        let timeout = if plot == Plot::Overrun { Span(length / 2 + 50 * MS) } else { Span(length + 20 * SECOND) };
        let spec = TaskSpec {
            task_type: rng.pick(&["echo", "sleep"]).to_owned(),
            priority: rng.pick(Priority::ALL),
            timeout,
            requirements,
            retry: RetryPolicy {
                max_retries: rng.between(0, 3) as u32,
                backoff: rng.pick(Backoff::ALL),
                base_delay: Span::from_ms(rng.skewed(50, 2_000)),
                max_delay: Span::from_secs(5),
                retry_on: None,
                ..RetryPolicy::default()
            },
            side_effects: rng.chance(500_000),
            idempotency_key: keyed.then(|| format!("key-{index}")),
            ..TaskSpec::default()
        };
        out.push(Script {
            at,
            device: rng.index(n),
            spec,
            length,
            plot,
            cancel_after: (cancels && rng.chance(150_000)).then(|| rng.skewed(0, 10 * SECOND)),
            cancel_at_end: (cancels && rng.chance(150_000)).then(|| rng.between(0, 40 * MS)),
            twice: (keyed && rng.chance(400_000)).then(|| (rng.index(n), rng.skewed(0, SECOND))),
            after: (index > 0 && rng.chance(60_000)).then(|| rng.index(index)),
            progress_every: index.is_multiple_of(7).then_some(300 * MS),
            batch: 0,
            ..Script::default()
        });
    }
    if class == Class::Clients {
        share_keys(&mut out, rng);
    }
    if class != Class::None || rng.chance(500_000) {
        batch(&mut out, rng);
    }
    depend(&mut out, rng);
    out
}

/// Lets some tasks wait for more than one, or for one that travels with them, and some begin again when they have failed.
fn depend(scripts: &mut [Script], rng: &mut Rng) {
    let mut first = 0;
    for index in 0..scripts.len() {
        first = if scripts[first].batch + first < index { index } else { first };
        if first < index && rng.chance(400_000) {
            scripts[index].after = Some(rng.between(first as u64, index as u64 - 1) as usize);
        }
        if scripts[index].after.is_some() {
            scripts[index].uses = rng.chance(700_000);
            scripts[index].also_after = (0..rng.index(4)).map(|_| rng.index(index)).collect();
        }
        scripts[index].again_after = rng.chance(100_000).then(|| rng.skewed(100 * MS, 25 * SECOND));
    }
}

/// Lets some tasks have the key of another one, and ask for something else.
fn share_keys(scripts: &mut [Script], rng: &mut Rng) {
    for index in 1..scripts.len() {
        let other = rng.index(index);
        if rng.chance(300_000) && scripts[other].spec.idempotency_key.is_some() {
            scripts[index].spec.idempotency_key = scripts[other].spec.idempotency_key.clone();
            scripts[index].at = scripts[other].at + rng.skewed(0, SECOND);
        }
    }
}

/// Lets some unkeyed tasks travel together.
fn batch(scripts: &mut [Script], rng: &mut Rng) {
    let mut index = 0;
    while index < scripts.len() {
        let most = scripts.len() - index - 1;
        let with = if rng.chance(100_000) { rng.between(0, most.min(4) as u64) as usize } else { 0 };
        let together = &mut scripts[index..=index + with];
        let (at, device) = (together[0].at, together[0].device);
        if with > 0 {
            for script in &mut *together {
                script.at = at;
                script.device = device;
                script.spec.idempotency_key = None;
                script.twice = None;
                script.after = None;
            }
            together[0].batch = with;
        }
        index += with + 1;
    }
}
