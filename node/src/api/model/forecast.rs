//! What would happen if: the question and the answer.

use super::DeviceNames;
use super::number::{Invalid, scaled, scaled_u32, seconds, text, texts, word};
use super::request::WORD_BYTES_MAX;
use super::requirements::GB_BYTES;
use crate::forecast::{Asked, Basis, Extra, Forecast};
use rc_scheduler::{Capacity, DeviceId, Role};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

const CHANGES_MAX: usize = 64;
const SLOTS_MAX: u32 = 1_024;
const TYPES_DEFAULT: [&str; 5] = ["echo", "sleep", "system_info", "python_eval", "wasm"];

/// What if.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SimulateRequest {
    /// These devices are not there: names or ids.
    pub without: Vec<String>,
    /// These are.
    pub add: Vec<ExtraRequest>,
    /// Not what is open, but what was submitted so many seconds before now and has ended, once more.
    pub replay: Option<f64>,
}

/// A device that is not there.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the names are those of a device's own record")]
pub struct ExtraRequest {
    /// Like this one, and as fast; what else is said goes over it.
    pub like: Option<String>,
    pub name: Option<String>,
    pub cpu_cores: Option<f64>,
    pub memory_gb: Option<f64>,
    pub storage_gb: Option<f64>,
    pub max_concurrent_tasks: Option<u32>,
    pub platform: Option<String>,
    pub arch: Option<String>,
    pub role: Option<String>,
    pub tags: Option<Vec<String>>,
    pub gpu: Option<bool>,
    pub internet: Option<bool>,
    pub task_types: Option<Vec<String>>,
    pub permissions: Option<Vec<String>>,
}

impl SimulateRequest {
    /// What it means. `device` finds the device that a text names, `capacity` what it has.
    ///
    /// # Errors
    /// Names the field.
    pub fn resolve(
        self,
        device: &dyn Fn(&str) -> Result<DeviceId, String>,
        capacity: &dyn Fn(DeviceId) -> Option<Capacity>,
    ) -> Result<Asked, Invalid> {
        if self.without.len() > CHANGES_MAX || self.add.len() > CHANGES_MAX {
            return Err(Invalid::new("add", format!("at most {CHANGES_MAX} devices more or less")));
        }
        let find = |field: &str, name: &str| device(name).map_err(|why| Invalid::new(field, why));
        let without = self.without.iter().map(|name| find("without", name)).collect::<Result<_, _>>()?;
        let add = self.add.into_iter().map(|extra| extra.resolve(&find, capacity)).collect::<Result<_, _>>()?;
        Ok(Asked { without, add, replay: seconds("replay", self.replay, false)? })
    }
}

impl ExtraRequest {
    fn resolve(
        self,
        find: &dyn Fn(&str, &str) -> Result<DeviceId, Invalid>,
        capacity: &dyn Fn(DeviceId) -> Option<Capacity>,
    ) -> Result<Extra, Invalid> {
        let like = self.like.as_deref().map(|name| find("add.like", name)).transpose()?;
        let mut has = like.and_then(capacity).unwrap_or_else(|| Capacity {
            platform: "linux".to_owned(),
            role: Some(Role::Worker),
            max_concurrent_tasks: 5,
            task_types: TYPES_DEFAULT.map(str::to_owned).into(),
            ..Capacity::default()
        });
        has.cpu_usage_ppm = Some(0);
        has.blocked.clear();
        has.blocked_until_wall_ms.clear();
        has.name = match self.name {
            Some(name) => text("add.name", name, WORD_BYTES_MAX)?,
            None if has.name.is_empty() => "another".to_owned(),
            None => format!("{}+", has.name),
        };
        let words = |field: &str, values: Vec<String>| texts::<BTreeSet<_>>(field, values, CHANGES_MAX);
        if let Some(cores) = scaled_u32("add.cpu_cores", self.cpu_cores, 4_096.0, 1_000.0)? {
            has.cpu_cores_milli = Some(cores);
        }
        if let Some(bytes) = scaled("add.memory_gb", self.memory_gb, 1_048_576.0, GB_BYTES)? {
            (has.memory_total_bytes, has.memory_available_bytes) = (Some(bytes), Some(bytes));
        }
        if let Some(bytes) = scaled("add.storage_gb", self.storage_gb, 1_048_576.0, GB_BYTES)? {
            (has.storage_total_bytes, has.storage_available_bytes) = (Some(bytes), Some(bytes));
        }
        if let Some(slots) = self.max_concurrent_tasks {
            if !(1..=SLOTS_MAX).contains(&slots) {
                return Err(Invalid::new("add.max_concurrent_tasks", format!("allowed is 1 to {SLOTS_MAX}")));
            }
            has.max_concurrent_tasks = slots;
        }
        if let Some(role) = self.role {
            has.role = Some(word("add.role", &role, Role::ALL, Role::from_word, Role::word)?);
        }
        has.platform = self.platform.unwrap_or(has.platform);
        has.arch = self.arch.unwrap_or(has.arch);
        has.gpu = self.gpu.or(has.gpu);
        has.internet = self.internet.or(has.internet);
        if let Some(tags) = self.tags {
            has.tags = words("add.tags", tags)?;
        }
        if let Some(types) = self.task_types {
            has.task_types = words("add.task_types", types)?;
        }
        if let Some(permissions) = self.permissions {
            has.permissions = words("add.permissions", permissions)?;
        }
        Ok(Extra { capacity: has, like })
    }
}

/// The answer: as it is, and as it would be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SimulateView {
    /// As the cluster is.
    pub as_it_is: ForecastView,
    /// With the changes; `null` if none was asked for.
    pub changed: Option<ForecastView>,
    /// For a replay, how long it took when it happened: from the first submit to the last end, in seconds.
    pub recorded_makespan: Option<f64>,
    /// The cluster keeps more tasks than were looked at.
    pub more: bool,
}

/// One course of events.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ForecastView {
    /// Seconds until the last task that fits has ended.
    pub makespan: f64,
    /// Seconds that a task waits, on average.
    pub wait_mean: f64,
    /// How many fit.
    pub fit: usize,
    /// Each of them.
    pub tasks: Vec<TaskForecastView>,
}

/// What would become of a task.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TaskForecastView {
    /// The task that it stands for.
    pub task_id: String,
    /// Its kind.
    pub task_type: String,
    /// Where it would run.
    pub device: Option<String>,
    /// Seconds from now; of a replay, from its first submit. Open tasks have been submitted, which counts from now.
    pub submitted: f64,
    /// Likewise.
    pub starts: Option<f64>,
    /// Likewise.
    pub ends: Option<f64>,
    /// Why it would not run.
    pub misfit: Option<String>,
    /// What its running time is taken from.
    pub run_time_from: String,
}

impl ForecastView {
    /// With the devices' names.
    #[must_use]
    pub fn new(forecast: &Forecast, names: &dyn DeviceNames) -> Self {
        let seconds = |ms: u64| ms as f64 / 1_000.0;
        let tasks: Vec<_> = forecast
            .tasks
            .iter()
            .map(|task| TaskForecastView {
                task_id: task.task.to_string(),
                task_type: task.task_type.clone(),
                device: task.runs.map(|(device, ..)| names.name(device)),
                submitted: seconds(task.submitted_ms),
                starts: task.runs.map(|(_, from, _)| seconds(from)),
                ends: task.runs.map(|(.., until)| seconds(until)),
                misfit: task.misfit.clone(),
                run_time_from: match task.basis {
                    _ if task.runs.is_none() => String::new(),
                    Basis::Own => "its own run".to_owned(),
                    Basis::There(runs) => format!("{runs} run{} there", plural(runs)),
                    Basis::Elsewhere(runs) => format!("{runs} run{} elsewhere", plural(runs)),
                    Basis::Timeout => "no record: its timeout".to_owned(),
                },
            })
            .collect();
        let waits: Vec<_> = tasks.iter().filter_map(|task| Some((task.starts? - task.submitted).max(0.0))).collect();
        let wait_mean = if waits.is_empty() { 0.0 } else { waits.iter().sum::<f64>() / waits.len() as f64 };
        Self { makespan: seconds(forecast.makespan_ms), wait_mean, fit: waits.len(), tasks }
    }
}

const fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
