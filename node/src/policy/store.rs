//! What the owner said while the node ran, kept in the data directory for the next start.

use super::order::Order;
use super::rules::{Key, Limits};
use crate::identity::{read_private, write_private};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

const FILE: &str = "policy.json";
const FILE_BYTES_MAX: u64 = 64 * 1024;
const VERSION: u32 = 1;

/// The file cannot be read or written. A node does not start on a guess at what its owner allows.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk says no.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not what this program writes.
    #[error("{path}: {why}; correct the file, or delete it for the defaults")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    limits: BTreeMap<String, String>,
    order: Order,
}

/// What is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Kept {
    pub(super) limits: Limits,
    pub(super) order: Order,
}

/// Reads it; nothing is kept at the first start.
pub(super) fn read(data_dir: &Path) -> Result<Kept, StoreError> {
    let path = data_dir.join(FILE);
    let bytes = match read_private(&path, FILE_BYTES_MAX) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(Kept::default()),
        Err(source) => return Err(StoreError::Io { path, source }),
    };
    let malformed = |why: String| StoreError::Malformed { path: path.clone(), why };
    let file: File = serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
    if file.version != VERSION {
        return Err(malformed(format!("it has version {}, this program knows {VERSION}", file.version)));
    }
    let limit = |(key, value): (String, String)| Ok((Key::from_word(&key)?, value));
    let limits: Result<Limits, super::RulesError> = file.limits.into_iter().map(limit).collect();
    Ok(Kept { limits: limits.map_err(|error| malformed(error.to_string()))?, order: file.order })
}

/// Writes it. After a crash there is what was kept before, or this.
pub(super) fn write(data_dir: &Path, kept: &Kept) -> Result<(), StoreError> {
    let limits = kept.limits.iter().map(|(key, value)| (key.word().to_owned(), value.clone())).collect();
    let file = File { version: VERSION, limits, order: kept.order };
    // Texts and numbers: nothing in it that cannot be written.
    let bytes = serde_json::to_vec_pretty(&file).unwrap_or_default();
    let path = data_dir.join(FILE);
    write_private(&path, &bytes).map_err(|source| StoreError::Io { path, source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Pause;

    #[test]
    fn what_is_kept_is_read_again_and_nonsense_is_not_guessed_at() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()).unwrap(), Kept::default());
        let pause = Some(Pause { until_wall_ms: Some(5), left_ms: Some(3) });
        let kept =
            Kept { limits: [(Key::Windows, "22:00-07:00".to_owned())].into(), order: Order { pause, drain: true } };
        write(dir.path(), &kept).unwrap();
        assert_eq!(read(dir.path()).unwrap(), kept);
        let path = dir.path().join(FILE);
        for nonsense in [
            "",
            "{}",
            r#"{"version":2,"limits":{},"order":{}}"#,
            r#"{"version":1,"limits":{"battery.maximum":"1"},"order":{}}"#,
            r#"{"version":1,"limits":{},"order":{"paused":true}}"#,
        ] {
            std::fs::write(&path, nonsense).unwrap();
            let error = read(dir.path()).unwrap_err().to_string();
            assert!(error.contains("policy.json") && error.contains("delete it"), "{nonsense}: {error}");
        }
    }
}
