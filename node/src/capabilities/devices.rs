//! Whole devices, as recorded in `tests/devices`: what their kernels and helper programs say, and what is to be made of it. A file has
//! sections: `== PATH` is a file of the kernel, `== later PATH` what it says some seconds later, `== $ PROGRAM ARGS` what a program
//! prints, `== means` the record, as far as it comes from these.

use super::fixture::Fixture;
use super::{Sampler, macos, windows};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

struct Device {
    file: PathBuf,
    sections: Vec<(String, String)>,
}

fn devices() -> Vec<Device> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/devices");
    let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().flatten().map(|entry| entry.path()).collect();
    files.sort();
    let device = |file: PathBuf| {
        let text = std::fs::read_to_string(&file).unwrap();
        let mut sections: Vec<(String, String)> = Vec::new();
        for line in text.lines() {
            match line.strip_prefix("== ") {
                Some(name) => sections.push((name.to_owned(), String::new())),
                // What stands before the first section is for people.
                None => sections.last_mut().into_iter().for_each(|(_, text)| *text += &format!("{line}\n")),
            }
        }
        Device { file, sections }
    };
    files.into_iter().map(device).collect()
}

impl Device {
    fn means(&self) -> Value {
        let text = self.said("means").unwrap_or_else(|| panic!("{} means nothing", self.file.display()));
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{}: {error}", self.file.display()))
    }

    fn said(&self, name: &str) -> Option<&str> {
        self.sections.iter().find(|(section, _)| section == name).map(|(_, text)| text.as_str())
    }

    /// Its kernel's files, and its helper programs, which print what is recorded for their arguments.
    #[cfg(unix)]
    fn fixture(&self) -> Fixture {
        let fixture = Fixture::new(&[]);
        let mut programs: BTreeMap<&str, String> = BTreeMap::new();
        for (name, text) in &self.sections {
            if let Some(call) = name.strip_prefix("$ ") {
                let (program, args) = call.split_once(' ').unwrap_or((call, ""));
                let case = format!("if [ \"$*\" = \"{args}\" ]; then cat <<'END'\n{text}END\nexit; fi\n");
                *programs.entry(program).or_default() += &case;
            } else if name != "means" && !name.starts_with("later ") {
                fixture.write(name, text);
            }
        }
        for (program, cases) in programs {
            fixture.script(program, &format!("{cases}exit 1\n"));
        }
        fixture
    }

    fn expect(&self, record: &Value) {
        for (key, value) in self.means().as_object().unwrap() {
            assert_eq!(record.get(key), Some(value), "{key} of {}", self.file.display());
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_recorded_device_is_known_for_what_it_is() {
    let mut seen = 0;
    for device in devices().iter().filter(|device| device.said("proc/sys/kernel/osrelease").is_some()) {
        let fixture = device.fixture();
        let mut sampler = Sampler::with_roots(fixture.roots(), fixture.path());
        for (name, text) in &device.sections {
            if let Some(path) = name.strip_prefix("later ") {
                fixture.write(path, text);
            }
        }
        sampler.sample_fast();
        sampler.sample_power(true);
        device.expect(&serde_json::to_value(sampler.capabilities()).unwrap());
        seen += 1;
    }
    assert!(seen >= 7, "{seen}");
}

#[test]
fn other_systems_programs_are_understood() {
    let mut seen = 0;
    for device in devices() {
        let (battery, gpu) = if let Some(told) = device.said("$ pmset -g batt") {
            (macos::battery(told), device.said("$ system_profiler SPDisplaysDataType").and_then(macos::gpu))
        } else if let Some(told) = device.said("$ powershell BATTERY") {
            (windows::battery(told), device.said("$ powershell GPU").and_then(windows::gpu))
        } else {
            continue;
        };
        let battery = battery.unwrap_or_else(|| panic!("{} was not understood", device.file.display()));
        device.expect(&serde_json::json!({"battery": battery, "gpu": gpu}));
        seen += 1;
    }
    assert!(seen >= 4, "{seen}");
}
