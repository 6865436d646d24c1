//! Keeps the policy of this device: where each limit comes from, what the owner says while the node runs, and the way to ask.
//! Changes are on disk before they are answered. Does not know who carries out what the policy says.

use super::judge::{Policy, Reason};
use super::moment::{Moment, Readings};
use super::order::{Order, Pause};
use super::remembered::Remembered;
use super::rules::{Key, Limits, Rules, RulesError};
use super::store::{self, Kept, StoreError};
use rc_scheduler::{Blocked, Capacity, Mono, Span};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tokio::sync::{mpsc, oneshot};

/// Longest reason that others are told; they take no longer text.
const WHY_BYTES_MAX: usize = rc_scheduler::TEXT_BYTES_MAX;

/// Who said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Nobody.
    Default,
    /// The configuration file.
    File,
    /// `policy set`.
    Set,
    /// A flag or a variable of this start.
    Flag,
}

impl Source {
    /// As it is shown.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::File => "config file",
            Self::Set => "policy set",
            Self::Flag => "flag",
        }
    }
}

/// A limit as it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Which.
    pub key: Key,
    /// As it is written.
    pub value: String,
    /// Who said it.
    pub source: Source,
}

/// The policy as it stands.
#[derive(Debug, Clone)]
pub struct PolicyReport {
    /// Every limit.
    pub limits: Vec<Limit>,
    /// Why the device does not work; empty if it does.
    pub reasons: Vec<Reason>,
    /// What holds until the owner says otherwise.
    pub order: Order,
    /// What it was judged by.
    pub readings: Readings,
}

/// A change was refused. Nothing was changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PolicyError {
    /// A limit that makes no sense.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// A flag wins.
    #[error("{0} was set by a flag or a variable when the node was started, and that wins")]
    Fixed(Key),
    /// It cannot be kept.
    #[error("{0}")]
    Store(String),
    /// The node stops.
    #[error("the node is stopping")]
    Stopping,
}

/// What an owner may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ask {
    /// How it stands.
    Show,
    /// Set limits; `None` takes back what was set before.
    Set(BTreeMap<Key, Option<String>>),
    /// Give up what runs, and take nothing for so long.
    Pause(Option<Span>),
    /// End that.
    Resume,
    /// Let what runs finish, and take nothing; or end that.
    Drain(bool),
}

/// A question and where its answer goes.
pub(crate) type Asked = (Ask, oneshot::Sender<Result<PolicyReport, PolicyError>>);

/// The way to the policy of this node.
#[derive(Debug, Clone)]
pub struct PolicyHandle(mpsc::Sender<Asked>);

impl PolicyHandle {
    /// A way, and its other end.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Asked>) {
        let (sender, receiver) = mpsc::channel(16);
        (Self(sender), receiver)
    }

    pub(crate) async fn ask(&self, ask: Ask) -> Result<PolicyReport, PolicyError> {
        let (answer, answered) = oneshot::channel();
        self.0.send((ask, answer)).await.map_err(|_| PolicyError::Stopping)?;
        answered.await.unwrap_or(Err(PolicyError::Stopping))
    }

    /// How it stands.
    ///
    /// # Errors
    /// The node stops.
    pub async fn show(&self) -> Result<PolicyReport, PolicyError> {
        self.ask(Ask::Show).await
    }

    /// Sets limits; `None` takes back what was set before.
    ///
    /// # Errors
    /// See [`PolicyError`].
    pub async fn set(&self, limits: BTreeMap<Key, Option<String>>) -> Result<PolicyReport, PolicyError> {
        self.ask(Ask::Set(limits)).await
    }

    /// Gives up what runs and takes nothing, for so long or until [`Self::resume`].
    ///
    /// # Errors
    /// See [`PolicyError`].
    pub async fn pause(&self, span: Option<Span>) -> Result<PolicyReport, PolicyError> {
        self.ask(Ask::Pause(span)).await
    }

    /// Ends a pause.
    ///
    /// # Errors
    /// See [`PolicyError`].
    pub async fn resume(&self) -> Result<PolicyReport, PolicyError> {
        self.ask(Ask::Resume).await
    }

    /// Lets what runs finish and takes nothing new; or ends that.
    ///
    /// # Errors
    /// See [`PolicyError`].
    pub async fn drain(&self, drain: bool) -> Result<PolicyReport, PolicyError> {
        self.ask(Ask::Drain(drain)).await
    }
}

/// The policy, where its limits come from, and what it said last.
#[derive(Debug)]
pub(crate) struct Keeper {
    policy: Policy,
    base: Rules,
    file: Limits,
    flags: Limits,
    set: Limits,
    /// Where what is said is kept; `None`: nowhere.
    data_dir: Option<PathBuf>,
    /// What was written there of what the rules said.
    remembered: Remembered,
    readings: Readings,
    reasons: Vec<Reason>,
    gave_up: bool,
    again: Option<Mono>,
}

impl Keeper {
    /// With the limits of the configuration file and of the flags, and what was said in earlier lives.
    pub(crate) fn open(
        base: Rules,
        file: &Limits,
        flags: &Limits,
        data_dir: &Path,
        now: Moment,
    ) -> Result<Self, StoreError> {
        let Kept { limits: set, order } = store::read(data_dir)?;
        let rules = Self::rules_of(&base, file, &set, flags)
            .map_err(|error| StoreError::Malformed { path: data_dir.to_owned(), why: error.to_string() })?;
        let remembered = Remembered::read(data_dir);
        let mut policy = Policy::new(rules, order, now);
        policy.remember(remembered);
        Ok(Self {
            policy,
            remembered,
            base,
            file: file.clone(),
            flags: flags.clone(),
            set,
            data_dir: Some(data_dir.to_owned()),
            readings: Readings::default(),
            reasons: Vec::new(),
            gave_up: false,
            again: None,
        })
    }

    /// One that never blocks: for a node that works for whoever started it alone.
    pub(crate) fn off(now: Moment) -> Self {
        Self {
            policy: Policy::new(Rules::none(), Order::default(), now),
            base: Rules::none(),
            file: Limits::new(),
            flags: Limits::new(),
            set: Limits::new(),
            data_dir: None,
            remembered: Remembered::default(),
            readings: Readings::default(),
            reasons: Vec::new(),
            gave_up: false,
            again: None,
        }
    }

    fn rules_of(base: &Rules, file: &Limits, set: &Limits, flags: &Limits) -> Result<Rules, RulesError> {
        base.with(file)?.with(set)?.with(flags)
    }

    /// Judges anew. `fresh`: these readings were just taken.
    pub(crate) fn judge(&mut self, readings: Readings, now: Moment, fresh: bool) {
        self.readings = readings;
        let verdict = self.policy.judge(&readings, now, fresh);
        if verdict.reasons != self.reasons {
            let texts: Vec<_> = verdict.reasons.iter().map(|reason| format!("{} {}", reason.by, reason.text)).collect();
            match texts.is_empty() {
                true => tracing::info!("this device works for the cluster again"),
                false => tracing::info!(why = texts.join("; "), "this device takes no work"),
            }
        }
        self.again = verdict.again;
        self.reasons = verdict.reasons;
        self.keep_remembered();
    }

    /// Seldom more than a comparison: a rule says something else a few times a day.
    fn keep_remembered(&mut self) {
        let remembered = self.policy.remembered();
        let Some(data_dir) = self.data_dir.as_ref().filter(|_| remembered != self.remembered) else { return };
        if let Err(error) = remembered.write(data_dir) {
            tracing::warn!(%error, "what the policy's rules say is not kept for the next start");
        }
        self.remembered = remembered;
    }

    /// The same readings at another time, or under other rules.
    pub(crate) fn judge_again(&mut self, now: Moment) {
        self.judge(self.readings, now, false);
    }

    /// When the passing of time alone may change what it says.
    pub(crate) const fn again(&self) -> Option<Mono> {
        self.again
    }

    /// Writes what it says into what others are told; whether what runs is to be given up, which is said once.
    pub(crate) fn apply(&mut self, capacity: &mut Capacity) -> bool {
        capacity.blocked = self.reasons.iter().map(|reason| reason.by).collect();
        let mut why: BTreeMap<Blocked, String> = BTreeMap::new();
        for reason in self.reasons.iter().filter(|reason| !reason.text.is_empty()) {
            let text = why.entry(reason.by).or_default();
            let comma = if text.is_empty() { "" } else { "; " };
            text.push_str(comma);
            text.push_str(&reason.text);
            text.truncate(text.floor_char_boundary(WHY_BYTES_MAX));
        }
        capacity.blocked_why = why;
        let ends = |by: &Blocked| {
            // One that nobody knows the end of keeps the others from ending anything.
            let ends = self.reasons.iter().filter(|reason| reason.by == *by).map(|reason| reason.until_wall_ms);
            Some((*by, ends.collect::<Option<Vec<_>>>()?.into_iter().max()?))
        };
        capacity.blocked_until_wall_ms = capacity.blocked.iter().filter_map(ends).collect();
        if let Some(tasks) = self.policy.rules().max_tasks() {
            capacity.max_concurrent_tasks = tasks;
        }
        let gives_up = self.reasons.iter().any(|reason| reason.gives_up);
        let before = std::mem::replace(&mut self.gave_up, gives_up);
        gives_up && !before
    }

    /// Answers. What was changed is on disk then; blocks for that.
    pub(crate) fn answer(&mut self, ask: Ask, now: Moment) -> Result<PolicyReport, PolicyError> {
        match ask {
            Ask::Show => {}
            Ask::Set(limits) => self.set(limits, now)?,
            Ask::Pause(span) => {
                let pause = Pause::new(span, now);
                self.keep(&self.set, Order { pause: Some(pause), ..self.policy.order(now) })?;
                self.policy.pause(pause, now);
            }
            Ask::Resume => {
                self.keep(&self.set, Order { pause: None, ..self.policy.order(now) })?;
                self.policy.resume();
            }
            Ask::Drain(drain) => {
                self.keep(&self.set, Order { drain, ..self.policy.order(now) })?;
                self.policy.drain(drain);
            }
        }
        self.judge_again(now);
        Ok(self.report(now))
    }

    fn set(&mut self, changes: BTreeMap<Key, Option<String>>, now: Moment) -> Result<(), PolicyError> {
        if let Some(fixed) = changes.keys().find(|key| self.flags.contains_key(key)) {
            return Err(PolicyError::Fixed(*fixed));
        }
        let mut set = self.set.clone();
        let mut said = Limits::new();
        for (key, value) in changes {
            match value {
                Some(value) => {
                    said.insert(key, value.clone());
                    set.insert(key, value);
                }
                None => drop(set.remove(&key)),
            }
        }
        // First by itself: two words of one command may contradict each other, and one of them alone makes the other give way.
        let mut rules = Self::rules_of(&self.base, &self.file, &set, &self.flags);
        if rules.is_err() {
            let pair = |key| match key {
                Key::BatteryMin => Some(Key::BatteryResume),
                Key::BatteryResume => Some(Key::BatteryMin),
                Key::TempMax => Some(Key::TempResume),
                Key::TempResume => Some(Key::TempMax),
                _ => None,
            };
            self.base.with(&said)?;
            for other in said.keys().filter_map(|key| pair(*key)).filter(|key| !said.contains_key(key)) {
                set.remove(&other);
            }
            rules = Self::rules_of(&self.base, &self.file, &set, &self.flags);
        }
        let rules = rules?;
        self.keep(&set, self.policy.order(now))?;
        self.set = set;
        self.policy.set_rules(rules);
        Ok(())
    }

    fn keep(&self, set: &Limits, order: Order) -> Result<(), PolicyError> {
        let Some(data_dir) = &self.data_dir else { return Ok(()) };
        let kept = Kept { limits: set.clone(), order };
        store::write(data_dir, &kept).map_err(|error| PolicyError::Store(error.to_string()))
    }

    fn report(&self, now: Moment) -> PolicyReport {
        let source = |key: Key| match () {
            () if self.flags.contains_key(&key) => Source::Flag,
            () if self.set.contains_key(&key) => Source::Set,
            () if self.file.contains_key(&key) => Source::File,
            () => Source::Default,
        };
        let limit = |key: &Key| Limit { key: *key, value: self.policy.rules().get(*key), source: source(*key) };
        PolicyReport {
            limits: Key::ALL.iter().map(limit).collect(),
            reasons: self.reasons.clone(),
            order: self.policy.order(now),
            readings: self.readings,
        }
    }
}

#[cfg(test)]
mod tests;
