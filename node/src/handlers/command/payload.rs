//! What a `command` payload may say.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use rc_scheduler::BlobHash;
use serde::Deserialize;
use serde_json::Value;

use super::super::{Fields, TaskError};
use super::files;

const FIELDS: [&str; 10] = ["command", "shell", "argv", "cwd", "env", "stdin", "stdin_blob", "timeout", "in", "out"];

/// Arguments and variables, each; the system's own bound on their size comes on top.
const ENTRIES_MAX: usize = 1024;

/// Files that go in, and patterns of files that come out.
const FILES_MAX: usize = 32;

/// Longest pattern.
const PATTERN_BYTES_MAX: usize = 256;

/// A year, as for `sleep`.
const TIMEOUT_SECONDS_MAX: f64 = 31_536_000.0;

/// A checked payload.
#[derive(Debug, PartialEq)]
pub(super) struct CommandPayload {
    /// Program and arguments; at least the program.
    pub(super) argv: Vec<String>,
    /// Absolute, or below the work directory.
    pub(super) cwd: Option<PathBuf>,
    pub(super) env: Vec<(String, String)>,
    pub(super) stdin: Option<Input>,
    /// In addition to the task's own.
    pub(super) timeout: Option<Duration>,
    /// What goes into the work directory.
    pub(super) ins: Vec<InFile>,
    /// Patterns of what comes out of it.
    pub(super) outs: Vec<String>,
}

/// What a process reads from its standard input.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Input {
    Text(String),
    Blob(BlobHash),
}

/// A file that goes into the work directory.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct InFile {
    /// Below the work directory.
    pub(super) path: PathBuf,
    pub(super) blob: BlobHash,
    pub(super) executable: bool,
}

impl CommandPayload {
    pub(super) fn read(payload: &Value) -> Result<Self, TaskError> {
        let fields = Fields::new(payload, &FIELDS)?;
        let shell = fields.boolean("shell")?.unwrap_or(false);
        let argv = match (fields.string("command")?, fields.strings("argv")?) {
            (Some(_), Some(_)) => {
                return Err(TaskError::invalid("give `command` or `argv`, not both"));
            }
            (None, None) => {
                return Err(TaskError::invalid("payload field `argv` (or `command`) is missing"));
            }
            (Some(_), None) if !shell => {
                let hint = "`command` is run by a shell and needs `\"shell\": true`; without a shell give `argv`";
                return Err(TaskError::invalid(hint));
            }
            (Some(command), None) => vec!["/bin/sh", "-c", command],
            (None, Some(_)) if shell => {
                return Err(TaskError::invalid("`shell` goes with `command`, not with `argv`"));
            }
            (None, Some(argv)) => argv,
        };
        if argv.first().is_none_or(|program| program.is_empty()) {
            return Err(TaskError::invalid("`argv` must begin with a program"));
        }
        let env = fields.string_map("env")?;
        if argv.len() > ENTRIES_MAX || env.len() > ENTRIES_MAX {
            return Err(TaskError::invalid(format!("more than {ENTRIES_MAX} entries in `argv` or `env`")));
        }
        if argv.iter().any(|arg| arg.contains('\0')) {
            return Err(TaskError::invalid("an argument contains a NUL character"));
        }
        env.iter().try_for_each(|(name, value)| check_variable(name, value))?;
        let owned = |s: &str| s.to_owned();
        Ok(Self {
            argv: argv.into_iter().map(shell_path).collect(),
            cwd: fields.string("cwd")?.map(directory).transpose()?,
            env: env.into_iter().map(|(k, v)| (owned(k), owned(v))).collect(),
            stdin: input(&fields)?,
            timeout: fields.seconds("timeout", TIMEOUT_SECONDS_MAX)?.map(Duration::from_secs_f64),
            ins: ins(fields.value("in"))?,
            outs: outs(fields.strings("out")?.unwrap_or_default())?,
        })
    }
}

fn input(fields: &Fields<'_>) -> Result<Option<Input>, TaskError> {
    match (fields.string("stdin")?, fields.string("stdin_blob")?) {
        (Some(_), Some(_)) => Err(TaskError::invalid("give `stdin` or `stdin_blob`, not both")),
        (text, None) => Ok(text.map(|text| Input::Text(text.to_owned()))),
        (None, Some(hash)) => match hash.parse() {
            Ok(hash) => Ok(Some(Input::Blob(hash))),
            Err(_) => Err(TaskError::invalid("`stdin_blob` must be the hash of a blob")),
        },
    }
}

fn ins(list: Option<&Value>) -> Result<Vec<InFile>, TaskError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Entry {
        path: String,
        blob: String,
        #[serde(default)]
        executable: bool,
    }
    let Some(list) = list else { return Ok(Vec::new()) };
    let entries = Vec::<Entry>::deserialize(list)
        .map_err(|error| TaskError::invalid(format!("`in` must be a list of {{path, blob, executable}}: {error}")))?;
    if entries.len() > FILES_MAX {
        return Err(TaskError::invalid(format!("more than {FILES_MAX} files in `in`")));
    }
    let mut files: Vec<InFile> = Vec::with_capacity(entries.len());
    for Entry { path: text, blob, executable } in entries {
        let shown: String = text.chars().take(64).collect();
        let bad = |what: &str| TaskError::invalid(format!("`in`: {shown:?} {what}"));
        let path = files::below(&text).ok_or_else(|| bad("must be a path below the work directory, without `..`"))?;
        let blob = blob.parse().map_err(|_| bad("needs the hash of a blob"))?;
        if files.iter().any(|other| other.path.starts_with(&path) || path.starts_with(&other.path)) {
            return Err(bad("is there twice, or is a file and a directory"));
        }
        files.push(InFile { path, blob, executable });
    }
    Ok(files)
}

fn outs(globs: Vec<&str>) -> Result<Vec<String>, TaskError> {
    if globs.len() > FILES_MAX {
        return Err(TaskError::invalid(format!("more than {FILES_MAX} patterns in `out`")));
    }
    if let Some(bad) = globs.iter().find(|glob| glob.is_empty() || glob.len() > PATTERN_BYTES_MAX) {
        let shown: String = bad.chars().take(64).collect();
        return Err(TaskError::invalid(format!("`out`: {shown:?} is no pattern of 1 to {PATTERN_BYTES_MAX} bytes")));
    }
    Ok(globs.into_iter().map(str::to_owned).collect())
}

/// Android has its shell elsewhere.
fn shell_path(arg: &str) -> String {
    if cfg!(target_os = "android") && arg == "/bin/sh" { "/system/bin/sh".to_owned() } else { arg.to_owned() }
}

fn check_variable(name: &str, value: &str) -> Result<(), TaskError> {
    let shown: String = name.chars().take(64).collect();
    if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
        return Err(TaskError::invalid(format!("`env.{shown}` is not a variable that a process can have")));
    }
    if name.starts_with("RC_") {
        return Err(TaskError::invalid(format!("`env.{shown}`: names that begin with RC_ are the node's")));
    }
    Ok(())
}

fn directory(path: &str) -> Result<PathBuf, TaskError> {
    let climbs = Path::new(path).components().any(|part| part == Component::ParentDir);
    if path.is_empty() || path.contains('\0') || climbs {
        return Err(TaskError::invalid(format!("`cwd` must be a path without `..`, not {path:?}")));
    }
    Ok(path.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_forms_are_read() {
        let read = CommandPayload::read(&json!({"command": "echo $HOME", "shell": true})).unwrap();
        assert_eq!(read.argv, ["/bin/sh", "-c", "echo $HOME"]);
        let full = json!({
            "argv": ["cat", "-"], "cwd": "sub", "env": {"A": "b"}, "stdin": "text", "timeout": 1.5, "shell": false,
            "in": [{"path": "d/x", "blob": "ab".repeat(32), "executable": true}], "out": ["*.png"]
        });
        let expected = CommandPayload {
            argv: vec!["cat".into(), "-".into()],
            cwd: Some("sub".into()),
            env: vec![("A".into(), "b".into())],
            stdin: Some(Input::Text("text".into())),
            timeout: Some(Duration::from_millis(1500)),
            ins: vec![InFile { path: "d/x".into(), blob: BlobHash([0xab; 32]), executable: true }],
            outs: vec!["*.png".into()],
        };
        assert_eq!(CommandPayload::read(&full).unwrap(), expected);
    }

    #[test]
    fn refusals_name_what_is_wrong() {
        let cases = [
            (json!({}), "`argv` (or `command`) is missing"),
            (json!({"command": "ls"}), "needs `\"shell\": true`"),
            (json!({"command": "ls", "shell": "yes"}), "`shell` must be true or false"),
            (json!({"command": "ls", "argv": ["ls"]}), "not both"),
            (json!({"argv": ["ls"], "shell": true}), "`shell` goes with `command`"),
            (json!({"argv": []}), "must begin with a program"),
            (json!({"argv": [""]}), "must begin with a program"),
            (json!({"argv": ["ls", 1]}), "`argv[1]` must be a string"),
            (json!({"argv": "ls"}), "`argv` must be a list of strings, not a string"),
            (json!({"argv": ["a\u{0}b"]}), "NUL"),
            (json!({"argv": ["ls"], "env": {"A=B": "c"}}), "`env.A=B`"),
            (json!({"argv": ["ls"], "env": {"RC_TASK_ID": "x"}}), "`env.RC_TASK_ID`"),
            (json!({"argv": ["ls"], "cwd": "a/../../b"}), "`cwd`"),
            (json!({"argv": ["ls"], "timeout": -1}), "`timeout` must be between"),
            (json!({"argv": ["ls"], "timout": 1}), "unknown payload field `timout`"),
            (json!({"argv": ["ls"], "stdin": "a", "stdin_blob": "b"}), "not both"),
            (json!({"argv": ["ls"], "stdin_blob": "b"}), "`stdin_blob` must be the hash"),
            (json!({"argv": ["ls"], "in": [{"path": "../x", "blob": "ab".repeat(32)}]}), "without `..`"),
            (json!({"argv": ["ls"], "in": [{"path": "x", "blob": "ab"}]}), "needs the hash of a blob"),
            (json!({"argv": ["ls"], "in": [{"path": "x"}]}), "missing field `blob`"),
            (
                json!({"argv": ["ls"], "in": [{"path": "x", "blob": "ab".repeat(32)}, {"path": "x/y", "blob": "ab".repeat(32)}]}),
                "is a file and a directory",
            ),
            (json!({"argv": ["ls"], "out": [""]}), "is no pattern"),
            (json!({"argv": ["ls"], "out": vec!["*"; 33]}), "more than 32 patterns"),
            (json!({"argv": vec!["x"; ENTRIES_MAX + 1]}), "more than 1024 entries"),
        ];
        for (payload, expected) in cases {
            let error = CommandPayload::read(&payload).unwrap_err();
            assert!(error.message.contains(expected), "{expected}: {}", error.message);
        }
    }
}
