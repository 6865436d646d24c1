//! A run laid open: every device, task and fault that a seed draws, so that they can be changed, written down and run again.

use crate::class::Class;
use crate::clock::{Clock, Micros};
use crate::fault::Timed;
use crate::plan::Plan;
use crate::rng::Rng;
use crate::trace::Detail;
use crate::workload::Script;
use crate::world::World;
use rc_scheduler::DeviceId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything that a run is made of.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Scenario {
    /// The seed that it was drawn from.
    pub seed: u64,
    /// By which promises it is judged, and what goes wrong all the time.
    pub class: Class,
    /// Virtual seconds of work and faults, before everything is healed.
    pub seconds: u64,
    /// Check the core's own invariants after every so many steps.
    pub check_every: u64,
    /// Every accepted task must have been told as ended by then, whatever is still broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_by: Option<Micros>,
    /// What else is random: network, disks, attempts, order of effects, clients.
    pub dice: [Rng; 5],
    /// The devices.
    pub devices: Vec<Machine>,
    /// What clients want, by number; a number that is missing wants nothing.
    pub scripts: BTreeMap<usize, Script>,
    /// What goes wrong, in order of time, with the first start of each device.
    pub faults: Vec<Timed>,
}

/// A device as it is at the beginning.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Machine {
    /// Its name.
    pub id: Name,
    /// Its clocks.
    pub clock: Clock,
    /// How many attempts it runs at once.
    pub slots: u32,
    /// Its load at the beginning, parts per million.
    pub cpu_usage_ppm: u32,
    /// It lives off a battery at the beginning.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub battery: bool,
    /// The devices that it knows as members.
    pub knows: Vec<usize>,
}

impl Scenario {
    /// What a plan draws.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        World::new(plan.clone(), Detail::Hash, None).into_scenario()
    }

    /// A script that wants nothing, for a number that is missing.
    #[must_use]
    pub(crate) fn nothing() -> Script {
        Script { at: Micros::MAX, ..Script::default() }
    }
}

/// A device's name as people read it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Name(pub DeviceId);

impl Serialize for Name {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:032x}", u128::from_be_bytes(self.0.0)))
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let id = u128::from_str_radix(&text, 16).map_err(serde::de::Error::custom)?;
        Ok(Self(DeviceId(id.to_be_bytes())))
    }
}

/// A task's specification as people read it, as far as clients of the simulator use it.
pub(crate) mod wish {
    use super::Name;
    use rc_scheduler::{Backoff, DeviceId, Priority, Requirements, RetryPolicy, Span, TaskSpec};
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Wish {
        kind: String,
        priority: String,
        timeout: u64,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        exclusive: bool,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        side_effects: bool,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        speculative: bool,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        only: Vec<Name>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        never: Vec<Name>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        submitter: Option<String>,
        retries: u32,
        backoff: String,
        delay: u64,
        delay_max: u64,
        /// Not said in traces that are older than the rule.
        #[serde(default)]
        crashes: u32,
    }

    pub(crate) fn serialize<S: Serializer>(spec: &TaskSpec, serializer: S) -> Result<S::Ok, S::Error> {
        let names = |ids: &std::collections::BTreeSet<DeviceId>| ids.iter().copied().map(Name).collect();
        let wish = Wish {
            kind: spec.task_type.clone(),
            priority: spec.priority.to_string(),
            timeout: spec.timeout.0,
            exclusive: spec.requirements.exclusive,
            side_effects: spec.side_effects,
            speculative: spec.speculative,
            only: names(&spec.requirements.only_devices),
            never: names(&spec.requirements.exclude_devices),
            key: spec.idempotency_key.clone(),
            submitter: spec.submitter.clone(),
            retries: spec.retry.max_retries,
            backoff: spec.retry.backoff.to_string(),
            delay: spec.retry.base_delay.0,
            delay_max: spec.retry.max_delay.0,
            crashes: spec.retry.crash_limit,
        };
        wish.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TaskSpec, D::Error> {
        let wish = Wish::deserialize(deserializer)?;
        let unknown = |word: &str| D::Error::custom(format!("{word}: unknown word"));
        Ok(TaskSpec {
            priority: Priority::from_word(&wish.priority).ok_or_else(|| unknown(&wish.priority))?,
            timeout: Span(wish.timeout),
            requirements: Requirements {
                exclusive: wish.exclusive,
                only_devices: wish.only.into_iter().map(|name| name.0).collect(),
                exclude_devices: wish.never.into_iter().map(|name| name.0).collect(),
                ..Requirements::default()
            },
            retry: RetryPolicy {
                max_retries: wish.retries,
                backoff: Backoff::from_word(&wish.backoff).ok_or_else(|| unknown(&wish.backoff))?,
                base_delay: Span(wish.delay),
                max_delay: Span(wish.delay_max),
                retry_on: None,
                crash_limit: wish.crashes,
            },
            task_type: wish.kind,
            side_effects: wish.side_effects,
            speculative: wish.speculative,
            idempotency_key: wish.key,
            submitter: wish.submitter,
            ..TaskSpec::default()
        })
    }
}
