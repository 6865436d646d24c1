//! The sandbox that a task asks for. Checked here so that a typo is refused; what it means is up to the device that runs it.

use super::number::{Invalid, SECONDS_MAX, count, scaled, text};
use crate::config::units;
use serde::{Deserialize, Serialize};

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
        self.max_file_size = bytes("sandbox.max_file_size", self.max_file_size)?;
        self.memory_limit = bytes("sandbox.memory_limit", self.memory_limit)?;
        Ok(self)
    }
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
