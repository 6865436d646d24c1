//! `wasm`: runs a WebAssembly module, the same on every device.
//!
//! Core WebAssembly and WASI preview 1 with standard streams, arguments, variables, clocks and random bytes: a module reaches no
//! file and no network. It runs in a worker process, with limits on time, memory and, if the task gives one, fuel.
//!
//! A call of a `function` gives `{"return_value": …}` (a list, if it returns several), a WASI program `{stdout, stderr,
//! exit_code}`; an exit code but 0 is a `task_error` that still carries the result.

mod engine;
mod memo;
mod message;
mod payload;
mod wasi;
mod worker;

pub use worker::serve as serve_worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use super::workers::{Frame, PoolLimits, WorkerPool};
use super::{Captured, ErrorClass, ResourceUsage, Stream, TaskContext, TaskError, TaskHandler};
use memo::{Key, Memo, Remembered};
use message::{Bounds, End, Failure, Reply, Request};
use payload::{MODULE_BYTES_MAX, Source, WasmPayload};

/// The kind that [`crate::worker_main`] gets for these workers.
pub const WORKER_KIND: &str = "wasm";

/// Longest time for one run, unless the task's own limit is shorter.
const RUN_MAX: Duration = Duration::from_secs(3600);

/// What a worker needs besides the memory of a module: the module, what it is translated to, and a stack.
const WORKER_BYTES: u64 = 192 << 20;

/// Memory of a module, unless the task's own limit is lower, bytes.
const MEMORY_BYTES: u64 = 256 << 20;

/// The handler of `wasm`.
pub struct Wasm {
    pool: WorkerPool,
    memo: Memo,
    recalled: AtomicU64,
    files: Option<ModuleFiles>,
}

/// Reads a file of at most so many bytes, if its path is one that tasks may have.
pub type ModuleFiles = Arc<dyn Fn(&str, u64) -> Result<Vec<u8>, TaskError> + Send + Sync>;

impl Wasm {
    /// Bounds of a pool for this handler.
    #[must_use]
    pub fn pool_limits() -> PoolLimits {
        PoolLimits { memory_bytes: WORKER_BYTES + MEMORY_BYTES, ..PoolLimits::default() }
    }

    /// A handler that runs modules in the workers of `pool`, which are of the kind [`WORKER_KIND`].
    pub fn new(pool: WorkerPool) -> Self {
        Self { pool, memo: Memo::default(), recalled: AtomicU64::new(0), files: None }
    }

    /// The same, with modules from files of the device.
    #[must_use]
    pub fn with_files(mut self, files: ModuleFiles) -> Self {
        self.files = Some(files);
        self
    }

    /// The pool, to see what it does.
    pub fn pool(&self) -> &WorkerPool {
        &self.pool
    }

    /// How many results were given without running a module.
    pub fn recalled(&self) -> u64 {
        self.recalled.load(Ordering::Relaxed)
    }

    async fn load(&self, ctx: &TaskContext, source: &Source) -> Result<Vec<u8>, TaskError> {
        match source {
            Source::Bytes(bytes) => Ok(bytes.clone()),
            Source::Blob(hash) => {
                let path = ctx.blob(*hash).await?;
                let unread =
                    |e| TaskError::new(ErrorClass::ResourceExhausted, format!("the module cannot be read: {e}"));
                let file = tokio::fs::File::open(&path).await.map_err(unread)?;
                let mut bytes = Vec::new();
                file.take(MODULE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).await.map_err(unread)?;
                if bytes.len() > MODULE_BYTES_MAX {
                    return Err(TaskError::invalid(format!("the module is longer than {MODULE_BYTES_MAX} bytes")));
                }
                Ok(bytes)
            }
            Source::File(path) => {
                let Some(files) = &self.files else {
                    let message = format!("`module` is the path {path:?}, and this device gives tasks no files");
                    return Err(TaskError::new(ErrorClass::PermissionDenied, message));
                };
                let (files, path) = (Arc::clone(files), path.clone());
                let read = tokio::task::spawn_blocking(move || files(&path, MODULE_BYTES_MAX as u64));
                read.await.unwrap_or_else(|_| Err(TaskError::stopped()))
            }
        }
    }

    fn bounds(&self, ctx: &TaskContext, payload: &WasmPayload, time: Duration) -> Bounds {
        let limits = ctx.limits();
        let memory = self.pool.memory_bytes().saturating_sub(WORKER_BYTES).max(1 << 20);
        let memory = limits.memory_bytes_max.map_or(memory, |asked| asked.min(memory));
        Bounds {
            time_ms: u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
            memory_bytes: usize::try_from(memory).unwrap_or(usize::MAX),
            fuel: payload.fuel,
            output_bytes_max: limits.output_bytes_max,
        }
    }
}

#[async_trait]
impl TaskHandler for Wasm {
    fn task_type(&self) -> &str {
        "wasm"
    }

    fn side_effects(&self) -> bool {
        false
    }

    fn runs_inline(&self) -> bool {
        true
    }

    async fn execute(&self, ctx: TaskContext, payload: Value) -> Result<Value, TaskError> {
        let payload = WasmPayload::read(&payload)?;
        let module = self.load(&ctx, &payload.module).await?;
        let hash = *blake3::hash(&module).as_bytes();
        let time = ctx.limits().timeout.min(RUN_MAX);
        let bounds = self.bounds(&ctx, &payload, time);
        let key = key(&hash, &payload, bounds);
        if payload.pure
            && let Some(Remembered { result, stdout, stderr }) = self.memo.get(&key)
        {
            self.recalled.fetch_add(1, Ordering::Relaxed);
            ctx.output(Stream::Stdout, &stdout);
            ctx.output(Stream::Stderr, &stderr);
            return Ok(result);
        }
        let request = Request {
            module: hash,
            module_bytes: module.len(),
            call: payload.call,
            env: variables(&ctx, payload.env, payload.pure),
            bounds,
            seed: if payload.pure { key } else { seed()? },
            reproducible: payload.pure,
        };
        let mut tail = module;
        tail.extend_from_slice(&payload.stdin);
        let frame = Frame::new(&request, tail).map_err(|e| TaskError::invalid(e.to_string()))?;
        let mut told = [0; 2];
        let mut part = |part: &[u8]| {
            if let Some((stream, bytes)) = wasi::told(part) {
                told[stream as usize] += bytes.len();
                ctx.output(stream, bytes);
            }
        };
        let frame = tokio::select! {
            biased;
            // Dropping the request kills its worker; there is no other way to stop one.
            () = ctx.cancelled() => return Err(TaskError::stopped()),
            frame = self.pool.ask(&frame, time, &mut part) => frame?,
        };
        let broken = |e| TaskError::task(format!("the worker's answer is none: {e}"));
        let reply: Reply = frame.message().map_err(broken)?;
        let (stdout, stderr) = frame.tail.split_at(reply.stdout_bytes.min(frame.tail.len()));
        report(&ctx, &reply, stdout, stderr, told);
        let result = result(reply.end, stdout, stderr, [reply.stdout_more, reply.stderr_more])?;
        let whole = !reply.stdout_more && !reply.stderr_more;
        if request.reproducible && whole {
            let remembered = Remembered { result: result.clone(), stdout: stdout.to_vec(), stderr: stderr.to_vec() };
            self.memo.put(key, remembered);
        }
        Ok(result)
    }
}

/// What the program finds as variables. A pure run must not see which task it is.
fn variables(ctx: &TaskContext, own: Vec<(String, String)>, pure: bool) -> Vec<(String, String)> {
    let given = if pure { &[] } else { ctx.env() };
    given.iter().cloned().chain(own).collect()
}

fn seed() -> Result<[u8; 32], TaskError> {
    let mut seed = [0; 32];
    let none = |e| TaskError::new(ErrorClass::ResourceExhausted, format!("no randomness: {e}"));
    getrandom::fill(&mut seed).map_err(none)?;
    Ok(seed)
}

/// Everything that a pure run depends on. Time is left out: a run that ended within it is the same without.
fn key(module: &[u8; 32], payload: &WasmPayload, bounds: Bounds) -> Key {
    let mut hasher = blake3::Hasher::new_derive_key("rc-node wasm memo 1");
    hasher.update(module);
    // Values are in order of name, so equal payloads are equal texts.
    let asked = json!([payload.call, payload.env, payload.fuel, bounds.memory_bytes, bounds.output_bytes_max]);
    hasher.update(asked.to_string().as_bytes());
    hasher.update(&[0]);
    hasher.update(&payload.stdin);
    *hasher.finalize().as_bytes()
}

fn report(ctx: &TaskContext, reply: &Reply, stdout: &[u8], stderr: &[u8], told: [usize; 2]) {
    for (stream, bytes, more) in
        [(Stream::Stdout, stdout, reply.stdout_more), (Stream::Stderr, stderr, reply.stderr_more)]
    {
        // The rest of what was told while it ran.
        ctx.output(stream, bytes.get(told[stream as usize]..).unwrap_or_default());
        if more {
            // The worker kept as much as is kept here, so one byte beyond it marks the output as truncated.
            ctx.output(stream, b"\n");
        }
    }
    ctx.add_usage(ResourceUsage { cpu_micros: reply.cpu_micros, memory_bytes_max: reply.memory_bytes });
}

fn result(end: End, stdout: &[u8], stderr: &[u8], more: [bool; 2]) -> Result<Value, TaskError> {
    let text = |bytes: &[u8], truncated| Captured { bytes: bytes.to_vec(), truncated }.text();
    let written = || (text(stdout, more[0]), text(stderr, more[1]));
    match end {
        End::Returned(mut values) => {
            let value = if values.len() > 1 { Value::Array(values) } else { values.pop().unwrap_or_default() };
            Ok(json!({ "return_value": value }))
        }
        End::Exited(code) => {
            let (stdout, stderr) = written();
            let result = json!({"stdout": stdout, "stderr": stderr, "exit_code": code});
            if code == 0 {
                return Ok(result);
            }
            Err(TaskError::task(format!("the module ended with code {code}")).with_result(result))
        }
        End::Failed(failure, text) => {
            let class = match failure {
                Failure::Unfit => return Err(TaskError::invalid(text)),
                Failure::Trapped | Failure::Broken => ErrorClass::TaskError,
                Failure::TimeUp => ErrorClass::TimeoutError,
            };
            let (stdout, stderr) = written();
            Err(TaskError::new(class, text).with_result(json!({"stdout": stdout, "stderr": stderr})))
        }
    }
}

/// Reads a payload. Only for those who throw bytes at it.
pub(super) fn hear_payload(payload: &Value) {
    drop(payload::WasmPayload::read(payload));
}

/// Bounds of a run for those who throw modules and pointers at it.
const HEAR_BOUNDS: message::Bounds =
    message::Bounds { time_ms: 50, memory_bytes: 16 << 20, fuel: Some(200_000), output_bytes_max: 1000 };

/// Loads bytes as a module and runs what it exports. Only for those who throw bytes at it. The interpreter may panic, as some of its
/// assertions in debug builds do: in a worker that costs the worker.
pub(crate) fn hear_module(bytes: &[u8]) {
    drop(std::panic::catch_unwind(|| load_and_run(bytes)));
}

thread_local!(static HEARING: engine::Interpreter = engine::Interpreter::new());

fn load_and_run(bytes: &[u8]) {
    HEARING.with(|interpreter| load_and_run_in(interpreter, bytes));
}

fn load_and_run_in(interpreter: &engine::Interpreter, bytes: &[u8]) {
    let Ok(module) = interpreter.load(bytes) else { return };
    let names: Vec<String> = module.exports().take(4).map(|export| export.name().to_owned()).collect();
    for name in names {
        for args in [vec![], vec![Value::from(-1)], vec![Value::from(1), Value::from(0)]] {
            interpreter.run(&module, &message::Call::Function(name.clone(), args), HEAR_BOUNDS, hear_wasi());
        }
    }
    interpreter.run(&module, &message::Call::Program(Vec::new()), HEAR_BOUNDS, hear_wasi());
}

/// Calls a function of a module with these arguments. `None` if it does not return. Only for those who throw pointers at it.
#[doc(hidden)]
pub fn hear_call(module: &[u8], function: &str, args: &[i64]) -> Option<Vec<Value>> {
    HEARING.with(|interpreter| {
        let module = interpreter.load(module).ok()?;
        let args = args.iter().map(|arg| Value::from(*arg)).collect();
        let call = message::Call::Function(function.to_owned(), args);
        match interpreter.run(&module, &call, HEAR_BOUNDS, hear_wasi()).0 {
            message::End::Returned(values) => Some(values),
            _ => None,
        }
    })
}

fn hear_wasi() -> wasi::Wasi {
    wasi::Wasi::new(&["a".to_owned()], &[("B".to_owned(), "c".to_owned())], b"input".to_vec(), 1000, &[7; 32], true)
}
