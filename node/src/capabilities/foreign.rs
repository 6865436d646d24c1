//! Sampling on systems without `/proc`, by the crate `sysinfo`. Never lists processes, which takes it milliseconds.

use sysinfo::{Components, System};

use super::Capabilities;

/// What `sysinfo` keeps between two samples. `None` = it does not know this system.
#[derive(Debug)]
pub(super) struct Foreign {
    system: Option<System>,
}

pub(super) fn name_system(now: &mut Capabilities) {
    now.name = System::host_name().ok().filter(|name| !name.is_empty());
    now.os_version = System::long_os_version().ok();
}

impl Foreign {
    pub(super) fn new() -> Self {
        let mut system = System::new().ok();
        if let Some(system) = &mut system {
            system.refresh_cpu_usage();
        }
        Self { system }
    }

    pub(super) fn sample_fast(&mut self, now: &mut Capabilities) {
        let Some(system) = &mut self.system else {
            return;
        };
        system.refresh_cpu_usage();
        system.refresh_memory();
        let percent = system.global_cpu_usage();
        // Zero is also what it says when it cannot tell.
        now.cpu_usage_permille = (percent > 0.0 && percent <= 100.0).then(|| (percent * 10.0).round() as u32);
        let (total, available) = (system.total_memory(), system.available_memory());
        now.memory_total_bytes = Some(total).filter(|bytes| *bytes > 0);
        now.memory_available_bytes = Some(available).filter(|bytes| *bytes > 0 && *bytes <= total);
        // Windows has no load average.
        let load = System::load_average().ok().filter(|_| !cfg!(windows)).map(|load| load.one);
        let load = load.filter(|load| (0.0..1e6).contains(load));
        now.load_1m_milli = load.map(|load| (load * 1000.0).round() as u32);
    }

    pub(super) fn sample_power(&mut self, now: &mut Capabilities, _busy: bool) {
        let components = Components::new_with_refreshed_list().ok();
        let degrees =
            components.iter().flat_map(|components| components.iter()).filter_map(sysinfo::Component::temperature);
        let plausible = degrees.filter(|degrees| (1.0..=125.0).contains(degrees));
        now.temperature_milli_c = plausible.map(|degrees| (degrees * 1000.0).round() as i32).max();
    }
}

/// The disk whose mount point is the longest beginning of the path.
#[cfg(not(unix))]
pub(super) fn file_system_space(path: &std::path::Path) -> Option<(u64, u64)> {
    let path = path.canonicalize().ok()?;
    let disks = sysinfo::Disks::new_with_refreshed_list().ok()?;
    let holding = disks.iter().filter(|disk| path.starts_with(disk.mount_point()));
    let disk = holding.max_by_key(|disk| disk.mount_point().as_os_str().len())?;
    Some((disk.total_space(), disk.available_space())).filter(|(total, available)| available <= total)
}
