//! What devices and tasks are like.

use super::{MS, Micros};
use crate::rng::Rng;
use rc_scheduler::{Capacity, NewTask, Priority, Span, TaskSpec};

/// A device.
#[derive(Clone, Debug)]
pub struct Machine {
    /// What it tells of itself.
    pub capacity: Capacity,
    /// How fast it works, in thousandths of an ordinary device.
    pub speed_permille: u64,
}

impl Machine {
    /// One of many kinds.
    pub(crate) fn any(device: usize, rng: &mut Rng) -> Self {
        let mut capacity = Self::equal(device, 5).capacity;
        capacity.cpu_usage_ppm = Some(rng.between(0, 900_000) as u32);
        capacity.memory_available_bytes = Some(rng.between(1 << 28, 4 << 30));
        Self { capacity, speed_permille: 1_000 }
    }

    /// One of many that are equal in all but their name.
    #[must_use]
    pub fn equal(device: usize, slots: u32) -> Self {
        let capacity = Capacity {
            name: format!("device-{device}"),
            platform: "linux".to_owned(),
            arch: "aarch64".to_owned(),
            cpu_cores_milli: Some(4_000),
            cpu_usage_ppm: Some(100_000),
            memory_total_bytes: Some(4 << 30),
            memory_available_bytes: Some(2 << 30),
            storage_total_bytes: Some(64 << 30),
            storage_available_bytes: Some(32 << 30),
            mains: true,
            max_concurrent_tasks: slots,
            task_types: ["echo", "sleep"].map(str::to_owned).into(),
            ..Capacity::default()
        };
        Self { capacity, speed_permille: 1_000 }
    }

    /// The same, faster or slower.
    #[must_use]
    pub fn speed(mut self, permille: u64) -> Self {
        self.speed_permille = permille;
        self
    }

    /// How long a task of this length takes here.
    pub(crate) const fn takes(&self, length: Micros) -> Micros {
        length * 1_000 / self.speed_permille
    }
}

/// A task.
#[derive(Clone, Debug)]
pub struct Job {
    /// What is asked.
    pub spec: TaskSpec,
    /// How long it takes on an ordinary device.
    pub length: Micros,
}

impl Job {
    /// An ordinary one.
    #[must_use]
    pub fn new(task_type: &str, length: Micros) -> Self {
        let spec = TaskSpec { task_type: task_type.to_owned(), timeout: Span::from_secs(3_600), ..TaskSpec::default() };
        Self { spec, length }
    }

    /// The same, more or less urgent.
    #[must_use]
    pub const fn priority(mut self, priority: Priority) -> Self {
        self.spec.priority = priority;
        self
    }

    /// The form in which it is submitted.
    pub(crate) fn task(&self) -> NewTask {
        let payload = format!("{{\"us\":{}}}", self.length).into_bytes();
        NewTask { spec: self.spec.clone(), payload: payload.into(), after_new: Vec::new() }
    }
}

/// How long the task of a payload takes on an ordinary device.
pub(crate) fn length_of(payload: &[u8]) -> Micros {
    let text = std::str::from_utf8(payload).ok();
    let digits = text.and_then(|text| text.strip_prefix("{\"us\":")?.strip_suffix('}'));
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(5 * MS)
}
