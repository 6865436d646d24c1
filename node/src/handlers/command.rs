//! `command`: runs a program on the device.
//!
//! It gets a private work directory, a clean environment and a process group of its own, and the whole group dies with
//! the task. How the process is started and confined is the [`Launcher`]'s business.
//!
//! The result is `{return_code, stdout, stderr}`. A program that a signal ended has the return code 128 + its number, as
//! in a shell; one that could not be found or started has 127 or 126. Any code but 0 is a `task_error` that still carries
//! the result. Output that is not UTF-8 is shown with U+FFFD in place of what is not.

mod output;
mod payload;
mod workdir;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{ErrorClass, Permission, TaskContext, TaskError, TaskHandler};
use crate::sandbox::{Exit, LaunchError, Launcher, Process, ProcessLimits, Program};
use output::Pumps;
use payload::CommandPayload;
use workdir::WorkDir;
pub use workdir::sweep_work_root;

/// Where programs are looked for if the payload does not set `PATH`: the node's own `PATH` says what this device has
/// (Termux keeps its programs elsewhere), this is for a node that has none.
const PATH_DEFAULT: &str = "/usr/local/bin:/usr/bin:/bin";

/// The handler of `command`.
pub struct Command {
    launcher: Arc<dyn Launcher>,
    work_root: PathBuf,
    path: OsString,
}

impl Command {
    /// A handler that starts programs with `launcher`, in work directories below `work_root` (created when needed).
    pub fn new(launcher: Arc<dyn Launcher>, work_root: PathBuf) -> Self {
        let path = std::env::var_os("PATH").unwrap_or_else(|| PATH_DEFAULT.into());
        Self { launcher, work_root, path }
    }

    fn program(&self, ctx: &TaskContext, payload: &CommandPayload, dir: &Path) -> Program {
        let limits = ctx.limits();
        let mut argv = payload.argv.iter().map(OsString::from);
        let mut env: Vec<(OsString, OsString)> = ctx.env().iter().map(|(k, v)| (k.into(), v.into())).collect();
        env.push(("PATH".into(), self.path.clone()));
        env.push(("LANG".into(), "C.UTF-8".into()));
        env.push(("HOME".into(), dir.into()));
        env.push(("TMPDIR".into(), dir.into()));
        // Last, so that they win over what stands above.
        env.extend(payload.env.iter().map(|(k, v)| (k.into(), v.into())));
        Program {
            program: argv.next().unwrap_or_default(),
            args: argv.collect(),
            env,
            cwd: payload.cwd.as_ref().map_or_else(|| dir.to_owned(), |cwd| dir.join(cwd)),
            stdin: payload.stdin.is_some(),
            limits: ProcessLimits {
                memory_bytes: limits.memory_bytes_max,
                file_bytes: Some(limits.file_bytes_max),
                open_files: Some(limits.open_files_max),
                stack_bytes: None,
            },
        }
    }
}

#[async_trait]
impl TaskHandler for Command {
    fn task_type(&self) -> &str {
        "command"
    }

    fn permissions(&self) -> &[Permission] {
        &[Permission::SystemCommands]
    }

    fn runs_inline(&self) -> bool {
        true
    }

    async fn execute(&self, ctx: TaskContext, payload: Value) -> Result<Value, TaskError> {
        let payload = CommandPayload::read(&payload)?;
        let dir = WorkDir::create(&self.work_root).await?;
        let done = self.run(&ctx, payload, dir.path()).await;
        dir.remove().await;
        done
    }
}

impl Command {
    async fn run(&self, ctx: &TaskContext, payload: CommandPayload, dir: &Path) -> Result<Value, TaskError> {
        let program = self.program(ctx, &payload, dir);
        if !program.cwd.is_dir() {
            return Err(TaskError::invalid(format!("`cwd` is no directory: {}", program.cwd.display())));
        }
        let process = self.launcher.launch(program).await.map_err(not_started)?;
        let marks = marks(ctx);
        let stdin = payload.stdin.map(String::into_bytes);
        let ended = supervise(ctx, process, stdin, payload.timeout, marks).await?;
        let code = ended.exit.code();
        let (stdout, stderr) = ctx.captured();
        let result = json!({ "return_code": code, "stdout": stdout.text(), "stderr": stderr.text() });
        let error = match ended.why {
            Why::Itself if code == 0 => return Ok(result),
            Why::Itself => match ended.exit.signal() {
                Some(signal) => TaskError::task(format!("the command was ended by signal {signal}")),
                None => TaskError::task(format!("the command exited with code {code}")),
            },
            Why::Stopped => TaskError::stopped(),
            Why::TimeUp(limit) => {
                let message = format!("the command was not done within {limit:?}");
                TaskError::new(ErrorClass::TimeoutError, message)
            }
        };
        Err(error.with_result(result))
    }
}

/// How a process of a task came to its end.
struct Ended {
    exit: Exit,
    why: Why,
}

enum Why {
    Itself,
    Stopped,
    TimeUp(Duration),
}

/// Sees a process through: feeds it, collects what it writes, ends it when it shall end, and leaves none of its group.
async fn supervise(
    ctx: &TaskContext,
    mut process: Process,
    stdin: Option<Vec<u8>>,
    timeout: Option<Duration>,
    marks: Vec<String>,
) -> Result<Ended, TaskError> {
    let pumps = Pumps::start(ctx, &mut process, stdin);
    let time_up = async {
        match timeout {
            Some(timeout) => tokio::time::sleep(timeout).await,
            None => std::future::pending().await,
        }
    };
    let why = tokio::select! {
        biased;
        exit = process.wait() => exit.map(|_| Why::Itself),
        () = ctx.cancelled() => Ok(Why::Stopped),
        () = time_up => Ok(Why::TimeUp(timeout.unwrap_or_default())),
    };
    let why = why.map_err(lost)?;
    if matches!(why, Why::Itself) {
        if !pumps.finish().await {
            // Someone who left the group still holds a pipe: it must be looked for.
            process.kill_tree(marks).await;
        }
    } else {
        process.signal_group(Signal::TERM);
        // Ended or not, the answer is the same: everyone who is left dies.
        let _ = tokio::time::timeout(ctx.stop_grace(), process.wait()).await;
        process.kill_tree(marks).await;
        pumps.finish().await;
    }
    let exit = process.wait().await.map_err(lost)?;
    ctx.add_usage(exit.usage);
    Ok(Ended { exit, why })
}

/// What tells the processes of this attempt from all others.
fn marks(ctx: &TaskContext) -> Vec<String> {
    let own = |(name, _): &&(String, String)| name == "RC_TASK_ID" || name == "RC_TASK_EPOCH";
    ctx.env().iter().filter(own).map(|(name, value)| format!("{name}={value}")).collect()
}

fn lost(error: std::io::Error) -> TaskError {
    TaskError::new(ErrorClass::ResourceExhausted, format!("lost sight of the command: {error}"))
}

/// A program that is not there will not be there next time; a device without room for one more process may.
fn not_started(error: LaunchError) -> TaskError {
    use std::io::ErrorKind;
    let LaunchError::Spawn { program, source } = &error else {
        return TaskError::new(ErrorClass::ResourceExhausted, error.to_string());
    };
    let failed = |code: i32| {
        let why = format!("cannot start `{program}`: {source}");
        // A shell would say so there, and `exec` prints nothing else.
        let result = json!({ "return_code": code, "stdout": "", "stderr": format!("rc-node: {why}\n") });
        TaskError::task(why).with_result(result)
    };
    match source.kind() {
        ErrorKind::NotFound => failed(127),
        ErrorKind::PermissionDenied => failed(126),
        ErrorKind::ArgumentListTooLong => TaskError::invalid("the arguments and the environment are too long"),
        ErrorKind::WouldBlock | ErrorKind::OutOfMemory => {
            TaskError::new(ErrorClass::ResourceExhausted, error.to_string())
        }
        // Among them ENOEXEC: a file that is no program.
        _ => failed(126),
    }
}
