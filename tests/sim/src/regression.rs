//! A run written down: a small file that a person can read, and that fails when what it is about is broken again.

use crate::scenario::Scenario;
use ron::ser::PrettyConfig;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// Of the form of these files.
const VERSION: u32 = 1;
/// What their names end with.
const ENDING: &str = "trace";

/// A scenario, and what it is about.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Regression {
    version: u32,
    /// What was wrong, in words.
    pub about: String,
    /// The property that it broke.
    pub breaks: String,
    /// The mutation without whose rule it breaks again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without: Option<String>,
    /// The run.
    pub scenario: Scenario,
}

impl Regression {
    /// A run that breaks a property.
    #[must_use]
    pub const fn new(about: String, breaks: String, without: Option<String>, scenario: Scenario) -> Self {
        Self { version: VERSION, about, breaks, without, scenario }
    }

    /// Reads one from its text.
    ///
    /// # Errors
    /// What is wrong with the text, and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let regression: Self = ron::from_str(text).map_err(|error| error.to_string())?;
        if regression.version != VERSION {
            return Err(format!("its version is {}; this simulator knows {VERSION}", regression.version));
        }
        let devices = regression.scenario.devices.len();
        if devices == 0 || devices > 60 {
            return Err(format!("{devices} devices; 1 to 60 can be"));
        }
        if let Some(script) = regression.scenario.scripts.values().find(|script| script.device >= devices) {
            return Err(format!("a task is submitted at device {}, and there are {devices}", script.device));
        }
        Ok(regression)
    }

    /// Its text, with one device, task or fault a line.
    ///
    /// # Panics
    /// Never: everything in it can be written.
    #[must_use]
    pub fn text(&self) -> String {
        let form = PrettyConfig::new().depth_limit(3).indentor("  ");
        let text = ron::ser::to_string_pretty(self, form).expect("numbers, words and lists can be written");
        format!("// A trace for the simulator: cargo sim --replay FILE\n{text}\n")
    }

    /// Reads one from a file.
    ///
    /// # Errors
    /// That it cannot be read, or what is wrong with it.
    pub fn read(file: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        Self::parse(&text).map_err(|error| format!("{}: {error}", file.display()))
    }

    /// Writes it to a file.
    ///
    /// # Errors
    /// That it cannot be written.
    pub fn write(&self, file: &Path) -> Result<(), String> {
        fs::write(file, self.text()).map_err(|error| format!("{}: {error}", file.display()))
    }
}

/// The traces that are kept with this crate.
///
/// # Errors
/// That the directory cannot be read, or one of them.
pub fn kept() -> Result<Vec<(PathBuf, Regression)>, String> {
    let room = room();
    let entries = fs::read_dir(&room).map_err(|error| format!("{}: {error}", room.display()))?;
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == ENDING));
    files.sort();
    files.into_iter().map(|file| Regression::read(&file).map(|regression| (file, regression))).collect()
}

/// The name of the file for a trace about something.
#[must_use]
pub fn file_name(about: &str) -> String {
    let words: String = about.chars().filter(|c| !"',".contains(*c)).collect();
    format!("{}.{ENDING}", words.replace(|c: char| !c.is_ascii_alphanumeric(), "-"))
}

fn room() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions")
}
