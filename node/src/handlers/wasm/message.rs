//! What node and worker say to each other about a run of a module. The tail of a request is the module and then the standard
//! input; that of a reply is what was written to stdout and then to stderr.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Request {
    /// blake3 of the module, under which a worker keeps it ready.
    pub(super) module: [u8; 32],
    /// How much of the tail is the module.
    pub(super) module_bytes: usize,
    pub(super) call: Call,
    /// Variables that the program sees.
    pub(super) env: Vec<(String, String)>,
    pub(super) bounds: Bounds,
    /// What `random_get` draws from.
    pub(super) seed: [u8; 32],
    /// Clocks that count calls instead of time: the run then depends on nothing but the request.
    pub(super) reproducible: bool,
}

/// What is called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Call {
    /// A WASI program, with its arguments after its own name.
    Program(Vec<String>),
    /// An exported function, with its parameters as they were written.
    Function(String, Vec<Value>),
}

/// Bounds of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bounds {
    pub(super) time_ms: u64,
    /// Of the linear memory, bytes.
    pub(super) memory_bytes: usize,
    /// About one for each instruction. `None` = as many as the time allows.
    pub(super) fuel: Option<u64>,
    /// Of each output stream that are kept.
    pub(super) output_bytes_max: usize,
}

/// How it went.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Reply {
    pub(super) end: End,
    /// How much of the tail is stdout.
    pub(super) stdout_bytes: usize,
    /// More was written than is kept.
    pub(super) stdout_more: bool,
    pub(super) stderr_more: bool,
    pub(super) cpu_micros: Option<u64>,
    /// Of the worker, earlier runs included.
    pub(super) memory_bytes: Option<u64>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum End {
    /// The function returned.
    Returned(Vec<Value>),
    /// The program ended, with its exit code.
    Exited(i32),
    /// Neither.
    Failed(Failure, String),
}

/// Why a run failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Failure {
    /// It could never work: no module, another kind of module, a function or parameters that do not fit.
    Unfit,
    /// The module trapped, or used up its fuel.
    Trapped,
    /// The time was up.
    TimeUp,
    /// The interpreter failed, not the module.
    Broken,
}
