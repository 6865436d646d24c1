//! Sampling on systems without `/proc`, by the crate `sysinfo`. Never lists processes, which takes it milliseconds.

use sysinfo::{Components, System};

use super::{Capabilities, Roots};

/// What `sysinfo` keeps between two samples. `None` = it does not know this system.
#[derive(Debug)]
pub(super) struct Foreign {
    system: Option<System>,
    /// How often the power was looked at.
    asked: u32,
}

#[cfg(windows)]
fn powershell(roots: &Roots, script: &str) -> Option<String> {
    super::platform::helper(roots, "powershell", &["-NoProfile", "-NonInteractive", "-Command", script])
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
        Self { system, asked: 0 }
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

    /// What the system's own programs tell of the graphics processor; once, for they take their time.
    pub(super) fn look_once(&self, roots: &Roots, now: &mut Capabilities) {
        #[cfg(target_os = "macos")]
        {
            let told = super::platform::helper(roots, "system_profiler", &["SPDisplaysDataType"]);
            now.gpu = told.and_then(|text| super::macos::gpu(&text));
        }
        #[cfg(windows)]
        {
            now.gpu = powershell(roots, super::windows::GPU).and_then(|csv| super::windows::gpu(&csv));
        }
        #[cfg(not(any(target_os = "macos", windows)))]
        let _ = (roots, now);
    }

    /// The battery, if the system has a program that tells. `None` of a reading that failed stays unknown.
    fn battery(roots: &Roots) -> Option<Option<super::Battery>> {
        #[cfg(target_os = "macos")]
        return super::macos::battery(&super::platform::helper(roots, "pmset", &["-g", "batt"])?);
        #[cfg(windows)]
        return super::windows::battery(&powershell(roots, super::windows::BATTERY)?);
        #[cfg(not(any(target_os = "macos", windows)))]
        {
            let _ = roots;
            None
        }
    }

    /// Battery and temperature. Not each time if nothing runs: the programs cost more than a look at a file.
    pub(super) fn sample_power(&mut self, roots: &Roots, now: &mut Capabilities, busy: bool) {
        self.asked = self.asked.wrapping_add(1);
        if busy || self.asked % 4 == 1 {
            let read = Self::battery(roots);
            now.no_battery = matches!(read, Some(None));
            now.battery = read.flatten();
        }
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
