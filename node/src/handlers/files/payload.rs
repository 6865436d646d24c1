//! What a `file_operation` payload may say.

use data_encoding::BASE64;
use rc_scheduler::BlobHash;
use serde_json::Value;

use crate::handlers::payload::missing;
use crate::handlers::{Fields, TaskError};

const OPERATIONS: [&str; 11] =
    ["read", "write", "append", "list", "stat", "exists", "mkdir", "copy", "move", "delete", "hash"];

/// What shall be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Read { base64: bool },
    Write(Content),
    Append(Content),
    List,
    Stat,
    Exists,
    Mkdir { recursive: bool },
    Copy { to: String, overwrite: bool },
    Move { to: String, overwrite: bool },
    Delete { recursive: bool },
    Hash,
}

/// What is written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    Bytes(Vec<u8>),
    Blob(BlobHash),
}

/// A checked payload.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FilePayload {
    pub(super) operation: Operation,
    pub(super) path: String,
}

impl FilePayload {
    pub(super) fn read(payload: &Value) -> Result<Self, TaskError> {
        let all = ["operation", "path", "content", "blob", "encoding", "destination", "overwrite", "recursive"];
        let fields = Fields::new(payload, &all)?;
        let name = fields.string("operation")?.ok_or_else(|| missing("operation"))?;
        // Each operation takes its own fields and no others: `recursive` on a read is a mistake somewhere.
        let own: &[&str] = match name {
            "read" => &["encoding"],
            "write" | "append" => &["content", "blob", "encoding"],
            "mkdir" | "delete" => &["recursive"],
            "copy" | "move" => &["destination", "overwrite"],
            _ => &[],
        };
        let known: Vec<_> = ["operation", "path"].iter().chain(own).copied().collect();
        if OPERATIONS.contains(&name) {
            Fields::new(payload, &known)?;
        }
        let flag = |name| fields.boolean(name).map(Option::unwrap_or_default);
        let to = || fields.string("destination")?.map(str::to_owned).ok_or_else(|| missing("destination"));
        let operation = match name {
            "read" => Operation::Read { base64: base64(&fields)? },
            "write" => Operation::Write(content(&fields)?),
            "append" => Operation::Append(content(&fields)?),
            "list" => Operation::List,
            "stat" => Operation::Stat,
            "exists" => Operation::Exists,
            "mkdir" => Operation::Mkdir { recursive: flag("recursive")? },
            "copy" => Operation::Copy { to: to()?, overwrite: flag("overwrite")? },
            "move" => Operation::Move { to: to()?, overwrite: flag("overwrite")? },
            "delete" => Operation::Delete { recursive: flag("recursive")? },
            "hash" => Operation::Hash,
            _ => return Err(TaskError::invalid(format!("`operation` must be one of {}", OPERATIONS.join(", ")))),
        };
        let path = fields.string("path")?.ok_or_else(|| missing("path"))?;
        Ok(Self { operation, path: path.to_owned() })
    }
}

fn base64(fields: &Fields<'_>) -> Result<bool, TaskError> {
    match fields.string("encoding")? {
        None | Some("utf-8") => Ok(false),
        Some("base64") => Ok(true),
        Some(_) => Err(TaskError::invalid("`encoding` must be utf-8 or base64")),
    }
}

fn content(fields: &Fields<'_>) -> Result<Content, TaskError> {
    let base64 = base64(fields)?;
    match (fields.string("content")?, fields.string("blob")?) {
        (Some(_), Some(_)) => Err(TaskError::invalid("give `content` or `blob`, not both")),
        (None, None) => Err(missing("content")),
        (Some(text), None) if base64 => {
            let bytes = BASE64.decode(text.as_bytes());
            bytes.map(Content::Bytes).map_err(|e| TaskError::invalid(format!("`content` is not base64: {e}")))
        }
        (Some(text), None) => Ok(Content::Bytes(text.as_bytes().to_vec())),
        (None, Some(hash)) => {
            let hash = hash.parse().map_err(|_| TaskError::invalid("`blob` must be the hash of a blob"))?;
            Ok(Content::Blob(hash))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn refusals_name_what_is_wrong() {
        let cases = [
            (json!({"path": "a"}), "`operation` is missing"),
            (json!({"operation": "read"}), "`path` is missing"),
            (json!({"operation": "chmod", "path": "a"}), "`operation` must be one of read, write"),
            (json!({"operation": "read", "path": "a", "recursive": true}), "unknown payload field `recursive`"),
            (json!({"operation": "write", "path": "a"}), "`content` is missing"),
            (json!({"operation": "write", "path": "a", "content": "x", "blob": "y"}), "not both"),
            (json!({"operation": "write", "path": "a", "blob": "y"}), "`blob` must be the hash"),
            (json!({"operation": "write", "path": "a", "content": "!", "encoding": "base64"}), "not base64"),
            (json!({"operation": "read", "path": "a", "encoding": "latin1"}), "`encoding` must be"),
            (json!({"operation": "copy", "path": "a"}), "`destination` is missing"),
            (json!({"operation": "read", "path": 7}), "`path` must be a string"),
        ];
        for (payload, expected) in cases {
            let error = FilePayload::read(&payload).unwrap_err();
            assert!(error.message.contains(expected), "{expected}: {}", error.message);
        }
    }
}
