//! What a `wasm` payload may say.

use data_encoding::BASE64;
use rc_scheduler::BlobHash;
use serde_json::Value;

use super::message::Call;
use crate::handlers::payload::missing;
use crate::handlers::{Fields, TaskError};

const FIELDS: [&str; 7] = ["module", "function", "args", "stdin", "env", "fuel", "pure"];

/// Longest module, bytes.
pub(super) const MODULE_BYTES_MAX: usize = 16 << 20;

/// Longest standard input, bytes.
const STDIN_BYTES_MAX: usize = 16 << 20;

/// Arguments and variables, each, and bytes of all of them.
const ENTRIES_MAX: usize = 1024;
const TEXT_BYTES_MAX: usize = 1 << 20;

/// How every module begins: a zero and `asm`, in base64.
const MAGIC_BASE64: &str = "AGFzb";

/// Where the module is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Source {
    Bytes(Vec<u8>),
    Blob(BlobHash),
    /// On the device that runs the task.
    File(String),
}

/// A checked payload.
#[derive(Debug, PartialEq)]
pub(super) struct WasmPayload {
    pub(super) module: Source,
    pub(super) call: Call,
    pub(super) stdin: Vec<u8>,
    pub(super) env: Vec<(String, String)>,
    pub(super) fuel: Option<u64>,
    /// The same module with the same input gives the same result, says whoever sent it.
    pub(super) pure: bool,
}

impl WasmPayload {
    pub(super) fn read(payload: &Value) -> Result<Self, TaskError> {
        let fields = Fields::new(payload, &FIELDS)?;
        let module = source(fields.value("module").ok_or_else(|| missing("module"))?)?;
        let call = match fields.string("function")? {
            Some(name) => Call::Function(name.to_owned(), list(fields.value("args"))?),
            None => {
                let args: Vec<String> =
                    fields.strings("args")?.unwrap_or_default().into_iter().map(str::to_owned).collect();
                check("args", args.len(), args.iter().map(String::len).sum())?;
                Call::Program(args)
            }
        };
        let env: Vec<_> =
            fields.string_map("env")?.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        check("env", env.len(), env.iter().map(|(name, value)| name.len() + value.len()).sum())?;
        let args: &[String] = if let Call::Program(args) = &call { args } else { &[] };
        let texts = args.iter().chain(env.iter().flat_map(|(name, value)| [name, value]));
        if texts.into_iter().any(|text| text.contains('\0')) {
            return Err(TaskError::invalid("an argument or a variable contains a NUL character"));
        }
        if env.iter().any(|(name, _)| name.is_empty() || name.contains('=')) {
            return Err(TaskError::invalid("`env` has a name that a variable cannot have"));
        }
        let stdin = fields.string("stdin")?.unwrap_or_default().as_bytes().to_vec();
        if stdin.len() > STDIN_BYTES_MAX {
            return Err(TaskError::invalid(format!("`stdin` is longer than {STDIN_BYTES_MAX} bytes")));
        }
        let fuel = match fields.value("fuel") {
            None => None,
            Some(fuel) => Some(fuel.as_u64().ok_or_else(|| TaskError::invalid("`fuel` must be a whole number"))?),
        };
        Ok(Self { module, call, stdin, env, fuel, pure: fields.boolean("pure")?.unwrap_or(false) })
    }
}

fn list(args: Option<&Value>) -> Result<Vec<Value>, TaskError> {
    let args = match args {
        None => Vec::new(),
        Some(Value::Array(args)) => args.clone(),
        Some(_) => return Err(TaskError::invalid("`args` must be a list")),
    };
    check("args", args.len(), 0)?;
    Ok(args)
}

fn check(field: &str, entries: usize, bytes: usize) -> Result<(), TaskError> {
    if entries > ENTRIES_MAX || bytes > TEXT_BYTES_MAX {
        let message = format!("`{field}` has more than {ENTRIES_MAX} entries or {TEXT_BYTES_MAX} bytes");
        return Err(TaskError::invalid(message));
    }
    Ok(())
}

fn source(module: &Value) -> Result<Source, TaskError> {
    let text = match module {
        Value::String(text) => text,
        Value::Array(bytes) if bytes.len() <= MODULE_BYTES_MAX => {
            let byte = |value: &Value| value.as_u64().and_then(|byte| u8::try_from(byte).ok());
            let bytes: Option<Vec<u8>> = bytes.iter().map(byte).collect();
            let wrong = || TaskError::invalid("`module` as a list must be bytes: numbers from 0 to 255");
            return bytes.map(Source::Bytes).ok_or_else(wrong);
        }
        _ => {
            let forms = "the hash of a blob, the module in base64, a list of bytes, or a path on the device";
            return Err(TaskError::invalid(format!("`module` must be {forms}")));
        }
    };
    if let Ok(hash) = text.parse() {
        return Ok(Source::Blob(hash));
    }
    if text.starts_with(MAGIC_BASE64) {
        let bytes = BASE64.decode(text.as_bytes());
        return bytes.map(Source::Bytes).map_err(|e| TaskError::invalid(format!("`module` is not base64: {e}")));
    }
    if text.is_empty() || text.len() > 4096 || text.contains('\0') {
        return Err(TaskError::invalid("`module` is no path"));
    }
    Ok(Source::File(text.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_form_of_a_module_is_told_from_the_others() {
        let read = |module: Value| WasmPayload::read(&json!({"module": module})).unwrap().module;
        assert_eq!(read(json!("AGFzbQEAAAA=")), Source::Bytes(b"\0asm\x01\0\0\0".to_vec()));
        assert_eq!(read(json!([0, 97])), Source::Bytes(vec![0, 97]));
        assert_eq!(read(json!("0b".repeat(32))), Source::Blob(BlobHash([11; 32])));
        assert_eq!(read(json!("tools/fib.wasm")), Source::File("tools/fib.wasm".to_owned()));
    }

    #[test]
    fn refusals_name_what_is_wrong() {
        let module = "AGFzbQEAAAA=";
        let cases = [
            (json!({}), "`module` is missing"),
            (json!({"module": 7}), "`module` must be the hash"),
            (json!({"module": [0, 256]}), "numbers from 0 to 255"),
            (json!({"module": "AGFzb!"}), "not base64"),
            (json!({"module": ""}), "no path"),
            (json!({"module": module, "args": [1]}), "`args[0]` must be a string"),
            (json!({"module": module, "function": "f", "args": 1}), "`args` must be a list"),
            (json!({"module": module, "env": {"A=B": ""}}), "`env` has a name"),
            (json!({"module": module, "args": ["a\u{0}"]}), "NUL"),
            (json!({"module": module, "fuel": -1}), "`fuel` must be a whole number"),
            (json!({"module": module, "args": vec!["x"; ENTRIES_MAX + 1]}), "more than 1024"),
            (json!({"module": module, "pur": true}), "unknown payload field `pur`"),
        ];
        for (payload, expected) in cases {
            let error = WasmPayload::read(&payload).unwrap_err();
            assert!(error.message.contains(expected), "{expected}: {}", error.message);
        }
    }
}
