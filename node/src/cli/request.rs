//! Puts a request together from a file, a payload and flags, and checks it here before anything is sent or started.

use super::args::{SubmitArgs, TaskFlags};
use super::error::{CliError, Exit};
use super::files::Files;
use crate::api::model::{ExtraRequest, TaskRequests, parse_tasks, without_place};
use crate::trace::Traceparent;
use data_encoding::BASE64;
use rc_scheduler::DeviceId;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

/// Longest file or payload that is read at all; the node says what it takes of that.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// Longest module; a device takes no longer one.
const MODULE_BYTES_MAX: u64 = 16 << 20;

type Raw = Box<RawValue>;

/// A JSON object whose values stay as they were written, so that no number loses digits on the way.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Object(BTreeMap<String, Raw>);

impl Object {
    fn parse(what: &str, text: &str) -> Result<Self, CliError> {
        serde_json::from_str(text).map(Self).map_err(|error| {
            CliError::usage(format!("{what} is no JSON object: {error}"), "write e.g. '{\"message\": \"hi\"}'")
        })
    }

    pub(super) fn set(&mut self, key: &str, value: impl Serialize) -> Result<(), CliError> {
        let raw = to_raw_value(&value).map_err(|error| CliError::usage(format!("{key}: {error}"), String::new()))?;
        self.0.insert(key.to_owned(), raw);
        Ok(())
    }

    fn set_some(&mut self, key: &str, value: Option<impl Serialize>) -> Result<(), CliError> {
        value.map_or(Ok(()), |value| self.set(key, value))
    }

    fn set_list(&mut self, key: &str, values: &[String]) -> Result<(), CliError> {
        self.set_some(key, (!values.is_empty()).then_some(values))
    }

    /// The object at `key`, to be put back with [`Self::put`].
    fn take(&mut self, key: &str) -> Result<Self, CliError> {
        match self.0.remove(key) {
            Some(raw) => Self::parse(&format!("`{key}`"), raw.get()),
            None => Ok(Self::default()),
        }
    }

    fn put(&mut self, key: &str, object: Self) -> Result<(), CliError> {
        self.set_some(key, (!object.0.is_empty()).then_some(&object.0))
    }

    /// Puts the flags over what is there.
    pub(super) fn apply(&mut self, flags: &TaskFlags) -> Result<(), CliError> {
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
        self.set_some("priority", flags.priority.as_ref())?;
        self.set_some("name", flags.name.as_ref())?;
        self.set_some("submitter", flags.submitter.as_ref())?;
        self.set_some("idempotency_key", flags.idempotency_key.as_ref())?;
        self.set_some("idempotent", flags.idempotent.then_some(true))?;
        self.set_some("speculative", flags.speculative.then_some(true))?;
        self.set_list("required_permissions", &flags.required_permissions)?;
        let mut labels = self.take("labels")?;
        for label in &flags.labels {
            let (key, value) = pair("--label", label)?;
            labels.set(key, value)?;
        }
        self.put("labels", labels)?;

        let mut needs = self.take("requirements")?;
        needs.set_some("timeout_seconds", seconds(flags.timeout))?;
        needs.set_some("min_cpu_cores", flags.min_cpu_cores)?;
        needs.set_some("min_memory_gb", flags.min_memory_gb)?;
        needs.set_some("min_storage_gb", flags.min_storage_gb)?;
        needs.set_some("min_cpu_available", flags.min_cpu_available)?;
        needs.set_some("required_platform", flags.required_platform.as_ref())?;
        needs.set_some("required_arch", flags.required_arch.as_ref())?;
        needs.set_some("required_role", flags.required_role.as_ref())?;
        needs.set_list("required_tags", &flags.required_tags)?;
        needs.set_some("max_cpu_usage", flags.max_cpu_usage)?;
        needs.set_some("max_memory_usage", flags.max_memory_usage)?;
        needs.set_some("requires_gpu", flags.requires_gpu.then_some(true))?;
        needs.set_some("requires_internet", flags.requires_internet.then_some(true))?;
        needs.set_some("bandwidth_mbps", flags.bandwidth_mbps)?;
        needs.set_list("requires_sensors", &flags.requires_sensors)?;
        needs.set_some("exclusive", flags.exclusive.then_some(true))?;
        needs.set_list("exclude_devices", &flags.exclude_devices)?;
        needs.set_list("only_devices", &flags.only_devices)?;
        if flags.max_retries.is_some() {
            // Said by a flag, it replaces what a file says at either place.
            needs.0.remove("max_retries");
        }
        self.put("requirements", needs)?;

        let mut sandbox = self.take("sandbox")?;
        sandbox.set_some("allow_network", flags.allow_network)?;
        sandbox.set_some("allow_filesystem", flags.allow_filesystem)?;
        sandbox.set_list("allowed_paths", &flags.allowed_paths)?;
        sandbox.set_some("max_file_size", flags.max_file_size)?;
        sandbox.set_some("max_execution_time", seconds(flags.max_execution_time))?;
        sandbox.set_some("memory_limit", flags.memory_limit)?;
        sandbox.set_some("cpu_limit", flags.cpu_limit)?;
        self.put("sandbox", sandbox)?;

        let mut retry = self.take("retry")?;
        retry.set_some("max_retries", flags.max_retries)?;
        retry.set_some("backoff_strategy", flags.backoff_strategy.as_ref())?;
        retry.set_some("base_delay", seconds(flags.base_delay))?;
        retry.set_some("max_delay", seconds(flags.max_delay))?;
        retry.set_list("retry_on", &flags.retry_on)?;
        retry.set_some("crash_limit", flags.crash_limit)?;
        self.put("retry", retry)
    }
}

/// The trace that the flags or the environment name. A command that runs as a task finds its own there; what makes no sense there is
/// none.
pub(super) fn trace_of(flags: &TaskFlags) -> Option<Traceparent> {
    let around = || std::env::var("RC_TRACEPARENT").ok()?.parse().ok();
    flags.traceparent.or_else(around)
}

/// What is sent.
#[derive(Debug)]
pub(super) struct Body {
    /// JSON text.
    pub(super) bytes: Vec<u8>,
    /// It is a list.
    pub(super) many: bool,
    /// A task type among them that devices run only when their owners say so.
    pub(super) needs_command: bool,
}

/// A device that is not there: a JSON object, or `key=value,…` with lists separated by `+`.
pub(super) fn extra(text: &str) -> Result<ExtraRequest, CliError> {
    let hint = "write e.g. --add like=nas or --add cpu_cores=8,memory_gb=16,max_concurrent_tasks=8,tags=ssd+fast";
    let invalid = |error: String| CliError::usage(format!("--add {text}: {error}"), hint);
    let broken = |error: serde_json::Error| invalid(without_place(&error.to_string()).to_owned());
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map_err(&broken);
    }
    const LISTS: [&str; 3] = ["tags", "task_types", "permissions"];
    let mut object = Object::default();
    for part in text.split(',') {
        let (key, value) = part.split_once('=').ok_or_else(|| invalid(format!("{part:?} has no `=`")))?;
        match serde_json::from_str::<Raw>(value) {
            _ if LISTS.contains(&key) => object.set(key, value.split('+').collect::<Vec<_>>())?,
            Ok(raw) => object.set(key, raw)?,
            Err(_) => object.set(key, value)?,
        }
    }
    let bytes = serde_json::to_vec(&object).map_err(|error| invalid(error.to_string()))?;
    serde_json::from_slice(&bytes).map_err(broken)
}

/// The request that the flags of `submit` ask for.
pub(super) fn of_submit(args: &SubmitArgs, files: &Files) -> Result<Body, CliError> {
    let text = match &args.file {
        Some(path) => read_file(path)?,
        None => "{}".to_owned(),
    };
    let many = text.trim_start().starts_with('[');
    let mut tasks: Vec<BTreeMap<String, Raw>> = if many {
        serde_json::from_str(&text)
            .map_err(|error| CliError::usage(format!("the file is no JSON list of tasks: {error}"), ""))?
    } else {
        vec![Object::parse("the file", &text)?.0]
    };
    let payload = args.payload.as_deref().map(payload).transpose()?;
    let module = args.module.as_deref().map(module).transpose()?;
    for fields in &mut tasks {
        let mut task = Object(std::mem::take(fields));
        task.set_some("task_type", args.task_type.as_ref())?;
        task.set_some("payload", payload.as_ref())?;
        task.set_list("blobs", &args.blobs)?;
        if !args.param.is_empty() {
            let mut object = task.take("payload")?;
            for param in &args.param {
                let (key, value) = pair("-p", param)?;
                match serde_json::from_str::<Raw>(value) {
                    Ok(raw) => object.set(key, raw)?,
                    Err(_) => object.set(key, value)?,
                }
            }
            task.set("payload", &object.0)?;
        }
        if let Some(module) = &module {
            let mut object = task.take("payload")?;
            object.set("module", module)?;
            task.set("payload", &object.0)?;
        }
        if !files.is_empty() {
            if task.0.get("task_type").is_none_or(|word| word.get() != "\"command\"") {
                return Err(CliError::usage("--in, --out, --stdin and --env go with tasks of type command", ""));
            }
            let mut object = task.take("payload")?;
            files.apply(&mut object)?;
            task.set("payload", &object.0)?;
        }
        task.apply(&args.task)?;
        *fields = task.0;
    }
    let bytes = if many { serde_json::to_vec(&tasks) } else { serde_json::to_vec(&tasks.first()) };
    check(bytes.map_err(|error| CliError::usage(error.to_string(), ""))?)
}

/// The same request, whose tasks come after these, too.
pub(super) fn with_after(body: Body, ids: &[String]) -> Result<Body, CliError> {
    if ids.is_empty() {
        return Ok(body);
    }
    let broken = |error: serde_json::Error| CliError::usage(error.to_string(), "");
    let mut tasks: Vec<Object> = if body.many {
        serde_json::from_slice(&body.bytes).map_err(broken)?
    } else {
        vec![serde_json::from_slice(&body.bytes).map_err(broken)?]
    };
    for task in &mut tasks {
        let mut after: Vec<String> = match task.0.get("after") {
            Some(raw) => serde_json::from_str(raw.get()).map_err(broken)?,
            None => Vec::new(),
        };
        after.extend(ids.iter().cloned());
        task.set("after", after)?;
    }
    check(if body.many { serde_json::to_vec(&tasks) } else { serde_json::to_vec(&tasks.first()) }.map_err(broken)?)
}

/// A request from its fields.
pub(super) fn of_object(object: &Object) -> Result<Body, CliError> {
    let bytes = serde_json::to_vec(&object.0);
    check(bytes.map_err(|error| CliError::usage(error.to_string(), ""))?)
}

/// Reads the request as the node will; only the devices' names cannot be checked without one.
fn check(bytes: Vec<u8>) -> Result<Body, CliError> {
    let invalid = |error: crate::api::model::Invalid| {
        let hint = "see `rc-node submit --help`";
        CliError::new(Exit::Usage, "the task is not valid", error.to_string(), hint)
    };
    let (tasks, many) = match parse_tasks(&bytes).map_err(invalid)? {
        TaskRequests::One(task) => (vec![*task], false),
        TaskRequests::Many(tasks) => (tasks, true),
    };
    let mut needs_command = false;
    for (index, task) in tasks.into_iter().enumerate() {
        let task = task
            .into_task(&|_| Ok(DeviceId::default()))
            .map_err(|error| invalid(if many { error.at(index) } else { error }))?;
        needs_command |= task.spec.task_type == "command";
    }
    Ok(Body { bytes, many, needs_command })
}

fn pair<'a>(flag: &str, text: &'a str) -> Result<(&'a str, &'a str), CliError> {
    text.split_once('=')
        .filter(|(key, _)| !key.is_empty())
        .ok_or_else(|| CliError::usage(format!("{flag} {text:?} has no `=`"), format!("write {flag} key=value")))
}

/// `KEY=VALUE` pairs as an object of texts.
pub(super) fn texts(flag: &str, pairs: &[String]) -> Result<BTreeMap<String, String>, CliError> {
    let split = |text: &String| pair(flag, text).map(|(k, v)| (k.to_owned(), v.to_owned()));
    pairs.iter().map(split).collect()
}

fn payload(text: &str) -> Result<Raw, CliError> {
    let text = match text.strip_prefix('@') {
        _ if text == "-" => read_stdin()?,
        Some(path) => read_bounded(Path::new(path), FILE_BYTES_MAX)?,
        None => text.to_owned(),
    };
    serde_json::from_str(&text).map_err(|error| {
        CliError::usage(
            format!("the payload is not JSON: {error}"),
            "a text is written with its quotes: --payload '\"hi\"'; fields with -p key=value",
        )
    })
}

/// Standard input as text.
pub(super) fn read_stdin() -> Result<String, CliError> {
    read_to_limit(io::stdin().lock(), "standard input", FILE_BYTES_MAX)
}

/// A module as it goes into a payload.
fn module(path: &Path) -> Result<String, CliError> {
    let name = path.display().to_string();
    let unread = |error| CliError::usage(format!("{name}: {error}"), "check the file's name");
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MODULE_BYTES_MAX + 1).read_to_end(&mut bytes)).map_err(unread)?;
    if bytes.len() as u64 > MODULE_BYTES_MAX {
        return Err(CliError::usage(
            format!("{name} is longer than {MODULE_BYTES_MAX} bytes"),
            "make a smaller module",
        ));
    }
    if !bytes.starts_with(b"\0asm") {
        let hint = "compile it first, e.g. cargo build --target wasm32-wasip1, or wat2wasm FILE";
        return Err(CliError::usage(format!("{name} is no WebAssembly module"), hint));
    }
    Ok(BASE64.encode(&bytes))
}

pub(super) fn read_file(path: &Path) -> Result<String, CliError> {
    if path.as_os_str() == "-" {
        return read_to_limit(io::stdin().lock(), "standard input", FILE_BYTES_MAX);
    }
    read_bounded(path, FILE_BYTES_MAX)
}

fn read_bounded(path: &Path, max: u64) -> Result<String, CliError> {
    let name = path.display().to_string();
    let file =
        File::open(path).map_err(|error| CliError::usage(format!("{name}: {error}"), "check the file's name"))?;
    read_to_limit(file, &name, max)
}

fn read_to_limit(source: impl Read, name: &str, max: u64) -> Result<String, CliError> {
    let mut bytes = Vec::new();
    source
        .take(max + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| CliError::usage(format!("{name}: {error}"), "check that it can be read"))?;
    if bytes.len() as u64 > max {
        return Err(CliError::new(
            Exit::Usage,
            "the request is too large",
            format!("{name} is longer than {max} bytes"),
            "put large data in as a blob: rc-node blob put FILE",
        ));
    }
    String::from_utf8(bytes).map_err(|_| CliError::usage(format!("{name} is not UTF-8 text"), "send JSON or text"))
}
