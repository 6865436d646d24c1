//! Task types that are programs of the owner's, in any language: one process per task, the payload as JSON on its standard input, the
//! result as JSON from its standard output. A line `{"progress": 40, "text": "…"}` on its standard error is progress; every other
//! line there is the task's stderr.
//!
//! The program runs as a `command` does, with the same limits and the same sandbox; how, is that handler's business.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ErrorClass, ResourceUsage, Stream, TaskContext, TaskError, TaskHandler, TaskInfo, TaskLimits, TaskSink};

/// Longest result, bytes.
const RESULT_BYTES_MAX: usize = 1 << 20;

/// Longest line that can be progress, bytes.
const LINE_BYTES_MAX: usize = 4096;

/// Longest piece of stderr in an error's text.
const LAST_WORDS_BYTES_MAX: usize = 300;

/// A task type that a program does.
pub struct Script {
    task_type: String,
    argv: Vec<String>,
    files: Vec<PathBuf>,
    runner: Arc<dyn TaskHandler>,
}

impl Script {
    /// The type `task_type`, done by the program and arguments `argv`, which `runner` starts: a handler of `command`. It asks that
    /// handler for `files`: those of the program itself.
    pub fn new(task_type: &str, argv: &[String], files: Vec<PathBuf>, runner: Arc<dyn TaskHandler>) -> Self {
        Self { task_type: task_type.to_owned(), argv: argv.to_vec(), files, runner }
    }
}

impl Script {
    /// The context of the program: the same attempt, but what it prints is looked at first.
    fn inside(&self, ctx: &TaskContext) -> TaskContext {
        let info = TaskInfo {
            task: ctx.task().to_owned(),
            attempt: ctx.attempt(),
            epoch: ctx.epoch(),
            traceparent: ctx.traceparent().map(str::to_owned),
            env: ctx.env().to_vec(),
        };
        let mut limits =
            TaskLimits { output_bytes_max: RESULT_BYTES_MAX, stop_grace: ctx.stop_grace(), ..ctx.limits().clone() };
        if !self.files.is_empty() {
            limits.sandbox.allow_filesystem = Some(true);
            limits.sandbox.allowed_paths.extend(self.files.iter().cloned());
        }
        let sink = Lines { ctx: ctx.clone(), line: Mutex::default() };
        TaskContext::new(info, limits, ctx.cancel_token().clone(), Some(Arc::new(sink)))
            .with_blobs(ctx.blobs().cloned())
    }
}

#[async_trait]
impl TaskHandler for Script {
    fn task_type(&self) -> &str {
        &self.task_type
    }

    fn runs_inline(&self) -> bool {
        self.runner.runs_inline()
    }

    async fn execute(&self, ctx: TaskContext, payload: Value) -> Result<Value, TaskError> {
        let inner = self.inside(&ctx);
        let command = json!({"argv": self.argv, "stdin": payload.to_string()});
        let done = self.runner.execute(inner.clone(), command).await;
        ctx.add_usage(inner.usage());
        let (stdout, stderr) = inner.captured();
        if let Err(mut error) = done {
            // What it printed is no result of this type, but its last words may say what went wrong.
            error.result = None;
            if error.class == ErrorClass::TaskError
                && let Some(words) = last_words(&stderr.bytes)
            {
                error.message = format!("{}: {words}", error.message);
            }
            return Err(error);
        }
        if stdout.truncated {
            return Err(TaskError::task(format!("`{}` printed more than {RESULT_BYTES_MAX} bytes", self.task_type)));
        }
        if stdout.bytes.trim_ascii().is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&stdout.bytes)
            .map_err(|e| TaskError::task(format!("`{}` did not print one JSON value: {e}", self.task_type)))
    }
}

fn last_words(stderr: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(stderr);
    let line =
        text.lines().rev().map(str::trim).find(|line| !line.is_empty() && progress(line.as_bytes()).is_none())?;
    Some(line[..line.floor_char_boundary(LAST_WORDS_BYTES_MAX)].to_owned())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Progress {
    progress: f64,
    #[serde(default)]
    text: String,
}

fn progress(line: &[u8]) -> Option<(u8, String)> {
    let said: Progress = serde_json::from_slice(line).ok()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0 to 100 before")]
    let percent = said.progress.clamp(0.0, 100.0) as u8;
    Some((percent, said.text))
}

/// Takes the program's standard error apart, line by line.
struct Lines {
    ctx: TaskContext,
    line: Mutex<Vec<u8>>,
}

impl Lines {
    fn end(&self, line: &[u8]) {
        match progress(line) {
            Some((percent, text)) => self.ctx.progress(percent, &text),
            None => self.ctx.output(Stream::Stderr, line),
        }
    }
}

impl TaskSink for Lines {
    fn progress(&self, percent: u8, text: &str) {
        self.ctx.progress(percent, text);
    }

    fn has_room(&self) -> bool {
        self.ctx.has_room()
    }

    fn usage(&self, usage: ResourceUsage) {
        self.ctx.seen_usage(usage);
    }

    fn output(&self, stream: Stream, chunk: &[u8]) {
        if stream == Stream::Stdout {
            return;
        }
        // What is half of a line when the program ends was said without its end; that is lost with the program.
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            line.extend_from_slice(piece);
            if piece.ends_with(b"\n") || line.len() > LINE_BYTES_MAX {
                self.end(&line);
                line.clear();
            }
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let line = std::mem::take(self.line.get_mut().unwrap_or_else(PoisonError::into_inner));
        if !line.is_empty() {
            self.end(&line);
        }
    }
}
