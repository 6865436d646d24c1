//! What the rules said last, kept over a restart: a device that spares its battery until 60 % spares it until then, also when it is
//! switched off and on at 45 %. Only a memory: without it, or with one that makes no sense, the rules begin anew.

use crate::identity::{read_private, write_private};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;

const FILE: &str = "policy-state.json";
const FILE_BYTES_MAX: u64 = 4 * 1024;

/// Which rules block until something has recovered, each with the limit that it was judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Remembered {
    /// The battery was below so many percent.
    pub(super) battery_below: Option<u8>,
    /// The charger did not keep up.
    pub(super) charge_falls: bool,
    /// It was hotter than so many °C.
    pub(super) hotter_than: Option<u8>,
}

impl Remembered {
    /// Reads it; nothing if there is none.
    pub(super) fn read(data_dir: &Path) -> Self {
        let path = data_dir.join(FILE);
        let read = read_private(&path, FILE_BYTES_MAX);
        let parse = |bytes: Vec<u8>| serde_json::from_slice(&bytes).map_err(io::Error::other);
        read.and_then(|bytes| bytes.map(parse).transpose()).map(Option::unwrap_or_default).unwrap_or_else(|error| {
            tracing::warn!(path = %path.display(), %error, "what the policy's rules said last is not known");
            Self::default()
        })
    }

    /// Writes it.
    pub(super) fn write(&self, data_dir: &Path) -> io::Result<()> {
        write_private(&data_dir.join(FILE), &serde_json::to_vec(self).map_err(io::Error::other)?)
    }
}
