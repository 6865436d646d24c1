//! `python_eval`: evaluates a Python expression. No Python on the device is needed, and nothing outside is reachable.
//!
//! The interpreter is a part of this binary but runs in worker processes: an expression that exhausts memory or stack
//! takes a worker with it, not the node. The result is `{"result": …, "expression": …}`; a value that JSON cannot say
//! has `"result": null` and its `"repr"`. What the expression prints is the task's stdout, told while it runs.

mod engine;
mod message;
mod worker;

pub use worker::serve as serve_worker;

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::payload::missing;
use super::workers::{Frame, WorkerPool};
use super::{ErrorClass, Fields, ResourceUsage, Stream, TaskContext, TaskError, TaskHandler};
use message::{Failure, Reply, Request};

/// The kind that [`crate::worker_main`] gets for these workers.
pub const WORKER_KIND: &str = "python";

/// Longest expression, in bytes.
const EXPRESSION_BYTES_MAX: usize = 256 * 1024;

/// Longest time for one evaluation, unless the task's own limit is shorter: a worker that computes is a core that does.
const EVALUATION_MAX: Duration = Duration::from_secs(3600);

/// The handler of `python_eval`.
pub struct PythonEval {
    pool: WorkerPool,
}

impl PythonEval {
    /// A handler that evaluates with the workers of `pool`, which are of the kind [`WORKER_KIND`].
    pub fn new(pool: WorkerPool) -> Self {
        Self { pool }
    }

    /// The pool, to see what it does.
    pub fn pool(&self) -> &WorkerPool {
        &self.pool
    }
}

#[async_trait]
impl TaskHandler for PythonEval {
    fn task_type(&self) -> &str {
        "python_eval"
    }

    fn side_effects(&self) -> bool {
        false
    }

    fn runs_inline(&self) -> bool {
        true
    }

    async fn execute(&self, ctx: TaskContext, payload: Value) -> Result<Value, TaskError> {
        let fields = Fields::new(&payload, &["expression"])?;
        let expression = fields.string("expression")?.ok_or_else(|| missing("expression"))?;
        if expression.len() > EXPRESSION_BYTES_MAX {
            let message = format!("`expression` is longer than {EXPRESSION_BYTES_MAX} bytes");
            return Err(TaskError::invalid(message));
        }
        let limit = ctx.limits().timeout.min(EVALUATION_MAX);
        let request = Request {
            expression: expression.to_owned(),
            limit_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
            print_bytes_max: ctx.limits().output_bytes_max,
            // While one value is made from another, both are there.
            memory_bytes: usize::try_from(self.pool.memory_bytes() / 2).unwrap_or(usize::MAX),
        };
        let request = Frame::new(&request, Vec::new()).map_err(|e| TaskError::invalid(e.to_string()))?;
        let mut told = 0;
        let mut part = |part: &[u8]| {
            told += part.len();
            ctx.output(Stream::Stdout, part);
        };
        let reply = tokio::select! {
            biased;
            // Dropping the evaluation kills its worker; there is no other way to stop one.
            () = ctx.cancelled() => return Err(TaskError::stopped()),
            reply = self.pool.ask(&request, limit, &mut part) => reply?,
        };
        let reply: Reply = reply.message().map_err(|e| TaskError::task(format!("the worker's answer is none: {e}")))?;
        report(&ctx, &reply, told);
        match reply.value {
            Ok(message::Evaluated { result, repr: None }) => Ok(json!({"result": result, "expression": expression})),
            Ok(message::Evaluated { repr: Some(repr), .. }) => {
                Ok(json!({"result": null, "repr": repr, "expression": expression}))
            }
            Err((failure, text)) => Err(TaskError::new(failure.class(), text)),
        }
    }
}

fn report(ctx: &TaskContext, reply: &Reply, told: usize) {
    // The rest of what was told while it ran.
    ctx.output(Stream::Stdout, reply.printed.as_bytes().get(told..).unwrap_or_default());
    if reply.printed_more {
        // The worker kept as much as is kept here, so one byte beyond it marks the output as truncated.
        ctx.output(Stream::Stdout, b"\n");
    }
    ctx.add_usage(ResourceUsage { cpu_micros: reply.cpu_micros, memory_bytes_max: reply.memory_bytes });
}

impl Failure {
    fn class(self) -> ErrorClass {
        match self {
            Self::Raised | Self::Broken => ErrorClass::TaskError,
            Self::TimeUp => ErrorClass::TimeoutError,
            Self::TooLarge => ErrorClass::ResourceExhausted,
        }
    }
}
