//! Names for WebAssembly modules: what a name stands for, and what a task of that name is. Does not know where names are kept.

use super::blob::BlobRequest;
use super::number::Invalid;
use super::request::TaskRequest;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use std::collections::BTreeMap;

/// The type of the open tasks that keep names of modules.
pub const MODULE_KEPT_AS: &str = "wasm_type";
/// The type of those that keep templates of flows.
pub const TEMPLATE_KEPT_AS: &str = "flow_template";
/// Task types that need no name.
pub const BUILT_IN_TYPES: [&str; 8] =
    ["echo", "sleep", "system_info", "python_eval", "wasm", "command", "file_operation", "http_request"];

/// A task of this type keeps something and is never run.
#[must_use]
pub fn is_keeper(task_type: &str) -> bool {
    task_type == MODULE_KEPT_AS || task_type == TEMPLATE_KEPT_AS
}

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// The blob.
    pub module: String,
    /// The function; none of a program.
    #[serde(default)]
    pub function: Option<String>,
    /// Fields of the payload that are its arguments.
    #[serde(default)]
    pub params: Vec<String>,
}

fn raw(value: impl Serialize) -> Result<Box<RawValue>, Invalid> {
    to_raw_value(&value).map_err(|error| Invalid::new("payload", error.to_string()))
}

impl TaskRequest {
    /// The type that is asked for.
    #[must_use]
    pub fn task_type(&self) -> &str {
        &self.task_type
    }

    /// Makes it one that runs a module: its payload is the function's arguments, or the program's input.
    ///
    /// # Errors
    /// The payload is not what the module takes; the request is as it was.
    pub fn run_module(&mut self, registered: &Registered) -> Result<(), Invalid> {
        let mut payload = BTreeMap::from([("module", raw(&registered.module)?)]);
        if let Some(function) = &registered.function {
            let mut fields: BTreeMap<String, Box<RawValue>> = serde_json::from_str(self.payload.get())
                .map_err(|_| Invalid::new("payload", "must be a JSON object: the function's arguments by name"))?;
            payload.insert("function", raw(function)?);
            if registered.params.is_empty() {
                if let Some(args) = fields.remove("args") {
                    payload.insert("args", args);
                }
            } else {
                let value = |name: &String| {
                    let missing = || Invalid::new(format!("payload.{name}"), format!("is missing (-p {name}=VALUE)"));
                    fields.remove(name).ok_or_else(missing)
                };
                let args: Vec<Box<RawValue>> = registered.params.iter().map(value).collect::<Result<_, _>>()?;
                payload.insert("args", raw(&args)?);
            }
            if let Some(other) = fields.keys().next() {
                let known = if registered.params.is_empty() { "args".to_owned() } else { registered.params.join(", ") };
                let message = format!("this type has no parameter {other:?}; it has: {known}");
                return Err(Invalid::new(format!("payload.{other}"), message));
            }
        } else {
            payload.insert("stdin", raw(self.payload.get())?);
        }
        let payload = raw(&payload)?;
        let no_module = |_| Invalid::new("task_type", "its name stands for something that is no module");
        let blob = registered.module.parse().map(BlobRequest::Hash).map_err(no_module)?;
        self.payload = payload;
        self.blobs.push(blob);
        let name = std::mem::replace(&mut self.task_type, "wasm".to_owned());
        self.name.get_or_insert(name);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn request(payload: &Value) -> TaskRequest {
        serde_json::from_value(json!({"task_type": "fib", "payload": payload})).unwrap()
    }

    fn registered(function: Option<&str>, params: &[&str]) -> Registered {
        let params = params.iter().map(|name| (*name).to_owned()).collect();
        Registered { module: "0b".repeat(32), function: function.map(str::to_owned), params }
    }

    #[test]
    fn a_name_becomes_a_run_of_its_module() {
        let payload = |given: Value, registered: &Registered| {
            let mut request = request(&given);
            request.run_module(registered).map(|()| {
                assert_eq!(
                    (request.task_type(), request.name.as_deref(), request.blobs.len()),
                    ("wasm", Some("fib"), 1)
                );
                serde_json::from_str::<Value>(request.payload.get()).unwrap()
            })
        };
        let module = "0b".repeat(32);
        let two = registered(Some("add"), &["a", "b"]);
        let made = payload(json!({"b": 12345678901234567890_u64, "a": 1}), &two).unwrap();
        assert_eq!(made, json!({"module": module, "function": "add", "args": [1, 12345678901234567890_u64]}));
        let made = payload(json!({"args": [7]}), &registered(Some("f"), &[])).unwrap();
        assert_eq!(made, json!({"module": module, "function": "f", "args": [7]}));
        let made = payload(json!({"text": "ü"}), &registered(None, &[])).unwrap();
        assert_eq!(made, json!({"module": module, "stdin": "{\"text\":\"ü\"}"}));
        for (given, why) in [
            (json!({"a": 1}), "`payload.b`: is missing (-p b=VALUE)"),
            (json!({"a": 1, "b": 2, "c": 3}), "`payload.c`: this type has no parameter \"c\"; it has: a, b"),
            (json!([1, 2]), "`payload`: must be a JSON object: the function's arguments by name"),
        ] {
            assert_eq!(payload(given, &two).unwrap_err().to_string(), why);
        }
        let broken = Registered { module: "../x".to_owned(), ..two };
        assert!(payload(json!({"a": 1, "b": 2}), &broken).is_err());
    }
}
