//! What this device tells of itself: what was measured and what its owner says, passed on only when it changed by more than noise.

use crate::capabilities::{Capabilities, NO_GPU};
use rc_scheduler::{Capacity, Role, WhyNot};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, RwLock};

/// What the owner says of the device.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) tags: BTreeSet<String>,
    pub(crate) max_concurrent_tasks: u32,
    pub(crate) task_types: BTreeSet<String>,
    /// Those that it has not, and why.
    pub(crate) lacks: BTreeMap<String, WhyNot>,
    pub(crate) permissions: BTreeSet<String>,
    /// What commands are held to here.
    pub(crate) enforces: BTreeSet<String>,
}

/// The last sample, for the `system_info` task.
pub(crate) type Latest = Arc<RwLock<Capabilities>>;

impl Owner {
    /// Puts together what was measured and what the owner says.
    pub(crate) fn capacity(&self, now: &Capabilities) -> Capacity {
        let ppm = |permille: u32| permille.saturating_mul(1000).min(1_000_000);
        Capacity {
            name: self.name.clone(),
            role: Some(self.role),
            tags: self.tags.clone(),
            platform: now.platform.clone(),
            arch: now.arch.clone(),
            os_version: now.os_version.clone().unwrap_or_default(),
            cpu_cores_milli: Some(now.cpu_cores.saturating_mul(1000)),
            cpu_usage_ppm: now.cpu_usage_permille.map(ppm),
            load_milli: now.load_1m_milli,
            memory_total_bytes: now.memory_total_bytes,
            memory_available_bytes: now.memory_available_bytes,
            storage_total_bytes: now.storage_total_bytes,
            storage_available_bytes: now.storage_available_bytes,
            gpu: now.gpu.as_ref().map(|gpu| gpu != NO_GPU),
            sensors: now.sensors.as_ref().map(|sensors| sensors.iter().cloned().collect()),
            battery_ppm: now.battery.and_then(|b| b.level_percent).map(|percent| ppm(u32::from(percent) * 10)),
            charging: now.battery.and_then(|b| b.charging),
            mains: now.battery.map_or(now.no_battery, |battery| battery.charging == Some(true)),
            temperature_milli_c: now.temperature_milli_c,
            internet: now.internet,
            bandwidth_kbps: now.bandwidth_kbps,
            max_concurrent_tasks: self.max_concurrent_tasks,
            task_types: self.task_types.clone(),
            lacks: self.lacks.clone(),
            permissions: self.permissions.clone(),
            sandbox_level: now.sandbox_level,
            enforces: self.enforces.clone(),
            blocked: BTreeSet::new(),
            blocked_why: BTreeMap::new(),
            blocked_until_wall_ms: BTreeMap::new(),
        }
    }
}

/// The processor of a device in use is busy one second and idle the next. What is told moves a quarter of the way with each look, or
/// all others would be woken every time.
pub(super) fn smooth(old: Option<u32>, new: Option<u32>) -> Option<u32> {
    let (Some(old), Some(new)) = (old, new) else { return new };
    Some(if new >= old { old + (new - old).div_ceil(4) } else { old - (old - new).div_ceil(4) })
}

/// Whether something changed that placement could care about: anything fixed, or a measure by more than its step.
pub(super) fn is_news(told: &Capacity, now: &Capacity) -> bool {
    /// Keeps what was told unless the new value is at least a step away.
    fn settle<T: Copy + Into<i128>>(told: Option<T>, now: &mut Option<T>, step: i128) {
        if let (Some(old), Some(new)) = (told, *now)
            && (old.into() - new.into()).abs() < step
        {
            *now = told;
        }
    }
    let mut now = now.clone();
    let part = |total: Option<u64>| total.map_or(1, |total| i128::from(total / 20)).max(1);
    settle(told.cpu_usage_ppm, &mut now.cpu_usage_ppm, 100_000);
    settle(told.load_milli, &mut now.load_milli, i128::from(told.load_milli.unwrap_or(0) / 4).max(500));
    settle(told.memory_available_bytes, &mut now.memory_available_bytes, part(told.memory_total_bytes));
    settle(told.storage_available_bytes, &mut now.storage_available_bytes, part(told.storage_total_bytes));
    settle(told.battery_ppm, &mut now.battery_ppm, 50_000);
    settle(told.temperature_milli_c, &mut now.temperature_milli_c, 5_000);
    now != *told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_change_arrives_and_a_short_one_hardly_shows() {
        assert_eq!((smooth(None, Some(7)), smooth(Some(7), None)), (Some(7), None));
        assert_eq!(smooth(Some(100_000), Some(500_000)), Some(200_000));
        let mut usage = Some(0);
        for _ in 0..60 {
            usage = smooth(usage, Some(1_000_000));
        }
        assert_eq!(usage, Some(1_000_000));
        for _ in 0..60 {
            usage = smooth(usage, Some(0));
        }
        assert_eq!(usage, Some(0));
    }

    #[test]
    fn noise_is_no_news_and_drift_is() {
        let told = Capacity {
            cpu_usage_ppm: Some(300_000),
            memory_total_bytes: Some(1 << 30),
            memory_available_bytes: Some(1 << 29),
            ..Capacity::default()
        };
        let with = |cpu, memory| Capacity { cpu_usage_ppm: cpu, memory_available_bytes: Some(memory), ..told.clone() };
        assert!(!is_news(&told, &with(Some(399_999), (1 << 29) + 1000)));
        assert!(is_news(&told, &with(Some(200_000), 1 << 29)));
        assert!(is_news(&told, &with(Some(300_000), 1 << 28)));
        assert!(is_news(&told, &with(None, 1 << 29)), "unknown is not the same as unchanged");
        assert!(is_news(&told, &Capacity { internet: Some(false), ..told.clone() }));
    }
}
