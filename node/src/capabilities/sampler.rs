//! Keeps a device's capabilities up to date: what changes by the second, cheaply, and the rest seldom.

use std::path::{Path, PathBuf};

#[cfg(any(target_os = "linux", target_os = "android"))]
use super::proc::CpuTimes;
use super::{Capabilities, Roots, hardware, platform};
#[cfg(any(target_os = "linux", target_os = "android"))]
use super::{NO_GPU, cgroup, network, power, proc, read_text};
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::collections::BTreeSet;

/// Samples this device. Blocks while it reads, so: on a thread that may.
#[derive(Debug)]
pub struct Sampler {
    roots: Roots,
    data_dir: PathBuf,
    /// What the use of the processor is counted from.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    cpu: Option<CpuTimes>,
    #[cfg(any(target_os = "linux", target_os = "android"))]
    termux: super::termux::Termux,
    now: Capabilities,
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    foreign: super::foreign::Foreign,
}

impl Sampler {
    /// Looks at everything once. `data_dir` is where the storage is measured; it need not exist yet. On a phone this can
    /// take some seconds, because its helper programs do. The use of the processor is known from the next sample on.
    pub fn new(data_dir: &Path) -> Self {
        Self::with_roots(Roots::of_environment(), data_dir)
    }

    pub(super) fn with_roots(roots: Roots, data_dir: &Path) -> Self {
        let now = Capabilities {
            platform: platform::platform(&roots).to_owned(),
            arch: platform::arch().to_owned(),
            cpu_cores: std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(1)),
            gpu: hardware::gpu(&roots),
            sensors: hardware::sensors(&roots),
            ..Capabilities::default()
        };
        let mut sampler = Self {
            roots,
            data_dir: data_dir.to_owned(),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            cpu: None,
            #[cfg(any(target_os = "linux", target_os = "android"))]
            termux: super::termux::Termux::default(),
            now,
            #[cfg(not(any(target_os = "linux", target_os = "android")))]
            foreign: super::foreign::Foreign::new(),
        };
        sampler.name_system();
        sampler.sample_power(true);
        sampler.sample_slow();
        sampler.sample_fast();
        sampler
    }

    /// What is known.
    pub fn capabilities(&self) -> &Capabilities {
        &self.now
    }

    /// Sets how well commands are isolated, which is found out elsewhere.
    pub fn set_sandbox_level(&mut self, level: u8) {
        self.now.sandbox_level = level;
    }

    fn storage(&mut self) {
        // The directory may be created later, but its file system is there.
        let existing = self.data_dir.ancestors().find(|dir| dir.exists());
        let space = existing.and_then(file_system_space);
        self.now.storage_total_bytes = space.map(|(total, _)| total);
        self.now.storage_available_bytes = space.map(|(_, available)| available);
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Sampler {
    fn name_system(&mut self) {
        self.now.name = platform::host_name(&self.roots);
        self.now.os_version = platform::os_version(&self.roots);
        if self.now.platform == "android" {
            let property = |name| platform::android_property(&self.roots, name);
            self.now.name = self.now.name.take().or_else(|| property("ro.product.model"));
            let version = property("ro.build.version.release").map(|version| format!("Android {version}"));
            self.now.os_version = version.or(self.now.os_version.take());
            // The kernel's tree shows a phone's parts to hardly anybody: what is not in it may be there.
            let seen = self.now.gpu.take().filter(|gpu| gpu != NO_GPU);
            self.now.gpu = seen.or_else(|| property("ro.hardware.egl"));
            let told = self.termux.ask(&self.roots, "termux-sensor", &["-l"]);
            let told = told.and_then(|json| hardware::termux_sensors(&json));
            let seen = self.now.sensors.take().filter(|seen| !seen.is_empty());
            self.now.sensors = match (seen, told) {
                (None, None) => None,
                (seen, told) => {
                    let all: BTreeSet<_> = seen.into_iter().chain(told).flatten().collect();
                    Some(all.into_iter().collect())
                }
            };
        }
    }

    /// Processor, memory and load: about 100 µs. Every second or two.
    pub fn sample_fast(&mut self) {
        let cpu = read_text(self.roots.proc.join("stat")).and_then(|stat| CpuTimes::parse(&stat));
        match (cpu, self.cpu) {
            (Some(cpu), Some(before)) => {
                // Two samples in a row: the use of the time before is still the best answer.
                if let Some(usage) = cpu.usage_permille(before) {
                    (self.now.cpu_usage_permille, self.cpu) = (Some(usage), Some(cpu));
                } else if cpu.total < before.total {
                    (self.now.cpu_usage_permille, self.cpu) = (None, Some(cpu));
                }
            }
            (cpu, _) => (self.now.cpu_usage_permille, self.cpu) = (None, cpu),
        }
        self.now.load_1m_milli = read_text(self.roots.proc.join("loadavg")).and_then(|text| proc::load(&text));
        self.memory();
    }

    fn memory(&mut self) {
        let meminfo = read_text(self.roots.proc.join("meminfo")).unwrap_or_default();
        let (total, available) = proc::memory(&meminfo);
        let limit = cgroup::memory_limit(&self.roots);
        let least = |a: Option<u64>, b: Option<u64>| a.into_iter().chain(b).min();
        self.now.memory_total_bytes = least(total, limit.map(|limit| limit.limit));
        // With a limit whose use does not show, what the machine has left may be more than we get.
        let left = limit.map(|limit| limit.available.unwrap_or(limit.limit));
        self.now.memory_available_bytes = available.and_then(|available| least(Some(available), left));
    }

    /// Battery and temperature: some 100 µs, on a phone up to seconds, but not each time. `busy`: something runs, and may have to be
    /// given up.
    pub fn sample_power(&mut self, busy: bool) {
        let read = power::battery(&self.roots);
        self.now.battery = if self.now.platform == "android" && read.is_none_or(|battery| battery.charging.is_none()) {
            self.termux.battery(&self.roots, busy).or(read)
        } else {
            read
        };
        // A phone that does not tell has one all the same.
        let tells = self.now.platform != "android" && power::is_told(&self.roots);
        self.now.no_battery = self.now.battery.is_none() && tells;
        self.now.temperature_milli_c = power::temperature(&self.roots);
    }

    /// Storage and routes: some 100 µs. Every half minute or so.
    pub fn sample_slow(&mut self) {
        self.storage();
        let net = self.roots.proc.join("net");
        let (v4, v6) = (read_text(net.join("route")), read_text(net.join("ipv6_route")));
        self.now.bandwidth_kbps = network::bandwidth_kbps(&self.roots);
        if self.now.platform == "android" && self.now.bandwidth_kbps.is_none() {
            self.now.bandwidth_kbps = self.termux.bandwidth_kbps(&self.roots);
        }
        // A route says that there may be a way out, not that there is.
        self.now.internet = proc::default_route(v4.as_deref(), v6.as_deref()).filter(|route| !route);
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
impl Sampler {
    fn name_system(&mut self) {
        super::foreign::name_system(&mut self.now);
        self.foreign.look_once(&self.roots, &mut self.now);
    }

    /// Processor, memory and load. Every second or two.
    pub fn sample_fast(&mut self) {
        self.foreign.sample_fast(&mut self.now);
    }

    /// Battery and temperature: a helper program, tens of milliseconds. Every half minute or so, and more often while something runs.
    pub fn sample_power(&mut self, busy: bool) {
        self.foreign.sample_power(&self.roots, &mut self.now, busy);
    }

    /// Storage. Every half minute or so.
    pub fn sample_slow(&mut self) {
        self.storage();
    }
}

/// Total and available bytes of the file system that a path is on.
#[cfg(unix)]
fn file_system_space(path: &Path) -> Option<(u64, u64)> {
    let stat = rustix::fs::statvfs(path).ok()?;
    let bytes = |blocks: u64| blocks.checked_mul(stat.f_frsize);
    let (total, available) = (bytes(stat.f_blocks)?, bytes(stat.f_bavail)?);
    (total > 0 && available <= total).then_some((total, available))
}

#[cfg(not(unix))]
fn file_system_space(path: &Path) -> Option<(u64, u64)> {
    super::foreign::file_system_space(path)
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;

    #[test]
    fn this_machine_has_what_every_machine_has() {
        let mut sampler = Sampler::new(Path::new("/nonexistent/below/root"));
        sampler.sample_fast();
        let now = sampler.capabilities();
        assert!(now.cpu_cores >= 1 && ["linux", "android"].contains(&now.platform.as_str()));
        assert!(now.memory_available_bytes.unwrap() <= now.memory_total_bytes.unwrap());
        assert!(now.storage_available_bytes.unwrap() <= now.storage_total_bytes.unwrap());
        assert!(now.load_1m_milli.is_some() && now.os_version.is_some());
        let json = serde_json::to_value(now).unwrap();
        assert_eq!(json["sandbox_level"], 0);
    }

    #[test]
    fn forbidden_files_are_unknown_and_come_back() {
        let fixture = Fixture::new(&[("proc/stat", "cpu  0 0 0 1000\n"), ("data/x", "")]);
        let mut sampler = Sampler::with_roots(fixture.roots(), fixture.path());
        let now = sampler.capabilities();
        assert_eq!((now.cpu_usage_permille, now.load_1m_milli, now.internet), (None, None, None));
        assert_eq!((now.memory_total_bytes, now.memory_available_bytes, now.battery), (None, None, None));

        fixture.write("proc/stat", "cpu  50 0 0 1050\n");
        sampler.sample_fast();
        assert_eq!(sampler.capabilities().cpu_usage_permille, Some(500));
        sampler.sample_fast();
        assert_eq!(sampler.capabilities().cpu_usage_permille, Some(500), "too soon to say anything new");
        fixture.write("proc/stat", "permission denied");
        sampler.sample_fast();
        assert_eq!(sampler.capabilities().cpu_usage_permille, None);
        fixture.write("proc/stat", "cpu  0 0 0 2000\n");
        sampler.sample_fast();
        fixture.write("proc/stat", "cpu  10 0 0 2090\n");
        sampler.sample_fast();
        assert_eq!(sampler.capabilities().cpu_usage_permille, Some(100));
    }

    #[test]
    fn a_phone_that_shows_little_is_known_by_what_its_helpers_tell() {
        let fixture = Fixture::new(&[
            ("proc/sys/kernel/osrelease", "5.10.157-android13-4-00001\n"),
            ("proc/sys/kernel/hostname", "localhost\n"),
            ("proc/meminfo", "MemTotal: 5741956 kB\nMemFree: 210000 kB\nMemAvailable: 2106000 kB\n"),
        ]);
        let mut bare = Sampler::with_roots(fixture.roots(), fixture.path());
        bare.sample_fast();
        let now = bare.capabilities();
        assert_eq!((now.platform.as_str(), &now.name), ("android", &None));
        assert_eq!((now.cpu_usage_permille, now.load_1m_milli, now.temperature_milli_c), (None, None, None));
        assert_eq!((&now.gpu, &now.sensors, now.battery, now.bandwidth_kbps), (&None, &None, None, None));
        assert_eq!(now.memory_total_bytes, Some(5_741_956 * 1024));

        let programs = [
            ("getprop", "Pixel 6"),
            ("termux-sensor", r#"{"sensors": ["LSM6DSR Accelerometer", "TMD3719 Proximity Sensor"]}"#),
            (
                "termux-battery-status",
                r#"{"health": "GOOD", "percentage": 80, "plugged": "PLUGGED_AC", "status": "NOT_CHARGING",
                    "temperature": 31.2, "current": 0}"#,
            ),
            (
                "termux-wifi-connectioninfo",
                r#"{"bssid": "02:00:00:00:00:00", "frequency_mhz": 5180, "ip": "192.168.1.23", "link_speed_mbps": 433,
                    "network_id": 3, "rssi": -53, "ssid": "home", "supplicant_state": "COMPLETED"}"#,
            ),
        ];
        programs.iter().for_each(|(name, recorded)| fixture.program(name, recorded));
        let told = Sampler::with_roots(fixture.roots(), fixture.path());
        let now = told.capabilities();
        assert_eq!((now.name.as_deref(), now.os_version.as_deref()), (Some("Pixel 6"), Some("Android Pixel 6")));
        assert_eq!(now.gpu.as_deref(), Some("Pixel 6"), "one program answers every question here");
        assert_eq!(now.sensors.as_deref().unwrap(), ["accelerometer", "proximity"]);
        let battery = now.battery.unwrap();
        assert_eq!((battery.level_percent, battery.charging, battery.full), (Some(80), Some(true), Some(true)));
        assert_eq!((battery.temperature_milli_c, now.bandwidth_kbps), (Some(31_200), Some(433_000)));
    }

    #[test]
    fn memory_is_what_the_control_group_leaves() {
        let fixture = Fixture::new(&[
            ("proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 700 kB\n"),
            ("proc/self/cgroup", "0::/\n"),
            ("sys/fs/cgroup/memory.max", "512000\n"),
        ]);
        let mut sampler = Sampler::with_roots(fixture.roots(), fixture.path());
        let memory = |s: &Sampler| (s.now.memory_total_bytes.unwrap(), s.now.memory_available_bytes.unwrap());
        assert_eq!(memory(&sampler), (512_000, 512_000));
        fixture.write("sys/fs/cgroup/memory.current", "500000\n");
        sampler.sample_fast();
        assert_eq!(memory(&sampler), (512_000, 12_000));
        fixture.write("sys/fs/cgroup/memory.max", "max\n");
        sampler.sample_fast();
        assert_eq!(memory(&sampler), (1_024_000, 716_800));
    }
}
