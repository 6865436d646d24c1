//! score/v1 of SPEC section 5: how well a device suits a task, in parts per million. Does not ask whether it fits.

use super::candidate::Candidate;
use crate::task::TaskSpec;

/// One whole, in parts per million.
pub const PPM: u32 = 1_000_000;

/// Round trips from here on count as no network at all, microseconds.
const LATENCY_US_MAX: u32 = 100_000;

/// The terms of score/v1, each from 0 to [`PPM`] and not yet weighted. What is unknown is never guessed: it counts as 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Terms {
    /// The idle share of the processor; 0 if unknown or below `min_cpu_available`.
    pub cpu: u32,
    /// `min(1, available/min_memory_gb)`; without a minimum (or with one of 0) the free share of the memory. 0 if unknown.
    pub memory: u32,
    /// The share of `max_concurrent_tasks` that is free; 0 when the device runs none at all.
    pub load: u32,
    /// `1 − latency/1 s` below 100 ms, else 0. 0 if unknown: a device that shall count as near (the placing one itself) says 0 µs
    /// in its record.
    pub network: u32,
    /// [`PPM`] if the device lately completed this task type, else 0.
    pub affinity: u32,
}

impl Terms {
    /// The weighted sum, parts per million, rounded down: at most 1 050 000 for terms within their range.
    #[must_use]
    pub const fn total(&self) -> u32 {
        let sum = 40 * self.cpu as u64
            + 30 * self.memory as u64
            + 20 * self.load as u64
            + 10 * self.network as u64
            + 5 * self.affinity as u64;
        let total = sum / 100;
        if total > u32::MAX as u64 { u32::MAX } else { total as u32 }
    }
}

/// The terms of a device for a task, whether or not it fits.
#[must_use]
pub fn score(spec: &TaskSpec, candidate: &Candidate<'_>) -> Terms {
    let record = candidate.record;
    let capacity = &record.capacity;
    let needs = &spec.requirements;

    let idle = capacity.cpu_usage_ppm.map_or(0, |usage| PPM.saturating_sub(usage));
    let available = capacity.memory_available_bytes.unwrap_or(0);
    let enough = needs.min_memory_bytes.filter(|bytes| *bytes > 0).or(capacity.memory_total_bytes);
    let slots = capacity.max_concurrent_tasks;
    let free = slots.saturating_sub(candidate.active_tasks());

    Terms {
        cpu: if idle < needs.min_cpu_available_ppm.unwrap_or(0) { 0 } else { idle },
        memory: share_ppm(available, enough.unwrap_or(0)),
        load: share_ppm(free.into(), slots.into()),
        network: record.latency_us.filter(|latency| *latency < LATENCY_US_MAX).map_or(0, |latency| PPM - latency),
        affinity: if record.affinity.contains(&spec.task_type) { PPM } else { 0 },
    }
}

/// `part/whole`, rounded down, at most one whole; of nothing it is 0.
pub(super) fn share_ppm(part: u64, whole: u64) -> u32 {
    if whole == 0 {
        return 0;
    }
    if part >= whole {
        return PPM;
    }
    match part.checked_mul(PPM.into()) {
        Some(scaled) => (scaled / whole) as u32,
        // Above 18 TB. Exact like the rest, and several times slower.
        None => (u128::from(part) * u128::from(PPM) / u128::from(whole)) as u32,
    }
}
