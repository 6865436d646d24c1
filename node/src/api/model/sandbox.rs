//! The sandbox that a task asks for. Checked here so that a typo is refused; what it means is up to the device that runs it.

use super::number::{Invalid, SECONDS_MAX, count, scaled, text};
use crate::config::units;
use crate::handlers::SandboxAsk;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

const PATHS_MAX: usize = 64;
const PATH_BYTES_MAX: usize = 4_096;

/// A size: a number of bytes, or a text such as `100MB`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(untagged)]
enum Size {
    Bytes(u64),
    Text(String),
}

/// As it travels in the specification.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SandboxRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    allow_network: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allow_filesystem: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allowed_paths: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_file_size: Option<Size>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_execution_time: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_limit: Option<Size>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_limit: Option<f64>,
}

impl SandboxRequest {
    /// The same with sizes in bytes.
    pub(super) fn checked(mut self) -> Result<Self, Invalid> {
        count("sandbox.allowed_paths", self.allowed_paths.len(), PATHS_MAX)?;
        for path in &self.allowed_paths {
            text("sandbox.allowed_paths", path.clone(), PATH_BYTES_MAX)?;
        }
        scaled("sandbox.max_execution_time", self.max_execution_time, SECONDS_MAX, 1.0)?;
        // Percent of one core: more than a hundred is more than one core.
        scaled("sandbox.cpu_limit", self.cpu_limit, 409_600.0, 1.0)?;
        if self.allow_filesystem == Some(false) && !self.allowed_paths.is_empty() {
            return Err(Invalid::new(
                "sandbox.allowed_paths",
                "names paths, and `allow_filesystem` is false; say one of them",
            ));
        }
        if let Some(path) = self.allowed_paths.iter().find(|path| !path.starts_with('/')) {
            return Err(Invalid::new("sandbox.allowed_paths", format!("{path:?} is not an absolute path")));
        }
        self.max_file_size = bytes("sandbox.max_file_size", self.max_file_size)?;
        self.memory_limit = bytes("sandbox.memory_limit", self.memory_limit)?;
        Ok(self)
    }
}

impl SandboxRequest {
    /// The permissions that what it asks for takes, besides those that the task names.
    pub(super) fn permissions(&self) -> impl Iterator<Item = &'static str> {
        let network = self.allow_network == Some(true);
        let files = self.allow_filesystem == Some(true) || !self.allowed_paths.is_empty();
        [("network_access", network), ("read_files", files)]
            .into_iter()
            .filter(|(_, asked)| *asked)
            .map(|(name, _)| name)
    }
}

/// What a device must be able to hold a task of this type to. Types that are this program's own interpreters and clients hold
/// themselves to their limits everywhere.
pub(super) fn enforced(task_type: &str, sandbox: &[u8]) -> BTreeSet<String> {
    const OWN: [&str; 7] = ["echo", "sleep", "system_info", "python_eval", "wasm", "http_request", "file_operation"];
    if OWN.contains(&task_type) {
        return BTreeSet::new();
    }
    SandboxAsk::of(sandbox).needs().into_iter().map(str::to_owned).collect()
}

fn bytes(field: &str, size: Option<Size>) -> Result<Option<Size>, Invalid> {
    size.map(|size| match size {
        Size::Bytes(bytes) => Ok(Size::Bytes(bytes)),
        Size::Text(text) => {
            units::parse_size(&text).map(Size::Bytes).map_err(|error| Invalid::new(field, error.to_string()))
        }
    })
    .transpose()
}
