//! `command`: runs a program on the device.
//!
//! It gets a private work directory and a clean environment, and everything that it started dies with it. How it is held, so
//! that it can do no harm, is the [`Shelter`]'s business; what it asks for is granted as far as the device's owner grants it.
//!
//! Files go into the work directory before it starts (`in`), and out of it when it has ended by itself (`out`), as blobs.
//!
//! The result is `{return_code, stdout, stderr}`, with `files` if `out` asked for any. A program that a signal ended has the return code 128 + its number, as
//! in a shell; one that could not be found or started has 127 or 126. Any code but 0 is a `task_error` that still carries
//! the result. Output that is not UTF-8 is shown with U+FFFD in place of what is not.

mod files;
mod output;
mod payload;
mod watch;
mod workdir;

/// Reads a payload. Only for those who throw bytes at it.
pub(super) fn hear(payload: &Value) {
    drop(CommandPayload::read(payload));
}

#[cfg(test)]
mod tests;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{ErrorClass, Permission, ResourceUsage, TaskContext, TaskError, TaskHandler, ask};
use crate::sandbox::{Exit, Group, GroupLimits, Hold, LaunchError, Process, ProcessLimits, Program, Shelter, Tier};
use output::{Feed, Pumps};
use payload::{CommandPayload, Input};
use watch::{Bounds, Peak, watch};
use workdir::WorkDir;
pub use workdir::sweep_work_root;

/// Where programs are looked for if the payload does not set `PATH`: the node's own `PATH` says what this device has
/// (Termux keeps its programs elsewhere), this is for a node that has none.
const PATH_DEFAULT: &str = "/usr/local/bin:/usr/bin:/bin";

/// What the owner of the device lets commands have, if a task asks for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandGrants {
    /// The network.
    pub network: bool,
    /// Reading files below [`paths`](Self::paths).
    pub read: bool,
    /// Changing files below them, too.
    pub write: bool,
    /// Files and directories; absolute.
    pub paths: Vec<PathBuf>,
}

/// The handler of `command`.
pub struct Command {
    shelter: Arc<Shelter>,
    work_root: PathBuf,
    grants: CommandGrants,
    path: OsString,
}

impl Command {
    /// A handler that runs programs in `shelter`, in work directories below `work_root` (created when needed).
    pub fn new(shelter: Arc<Shelter>, work_root: PathBuf, grants: CommandGrants) -> Self {
        let path = std::env::var_os("PATH").unwrap_or_else(|| PATH_DEFAULT.into());
        // What root finds its programs by may be closed to whom they run as.
        let path = if shelter.other_user().is_some() { open_to_all(&path) } else { path };
        Self { shelter, work_root, grants, path }
    }

    /// What this device holds commands to, in the words of the device record.
    pub fn enforces(&self) -> Vec<&'static str> {
        let mut held = vec![ask::FILE_SIZE];
        if self.shelter.tier() > Tier::Limits {
            held.extend([ask::NETWORK, ask::FILESYSTEM]);
        }
        if cfg!(target_os = "linux") {
            held.push(ask::MEMORY);
        }
        if self.shelter.limits_cpu() {
            held.push(ask::CPU);
        }
        held
    }

    fn program(&self, ctx: &TaskContext, payload: &CommandPayload, dir: &Path) -> Program {
        let limits = ctx.limits();
        let seen = self.shelter.work_seen(dir);
        let mut argv = payload.argv.iter().map(OsString::from);
        let mut env: Vec<(OsString, OsString)> = ctx.env().iter().map(|(k, v)| (k.into(), v.into())).collect();
        env.push(("PATH".into(), self.path.clone()));
        env.push(("LANG".into(), "C.UTF-8".into()));
        env.push(("HOME".into(), seen.clone().into()));
        env.push(("TMPDIR".into(), seen.into()));
        // Last, so that they win over what stands above.
        env.extend(payload.env.iter().map(|(k, v)| (k.into(), v.into())));
        Program {
            program: argv.next().unwrap_or_default(),
            args: argv.collect(),
            env,
            cwd: payload.cwd.clone().unwrap_or_default(),
            stdin: payload.stdin.is_some(),
            limits: ProcessLimits {
                memory_bytes: limits.memory_bytes_max,
                file_bytes: Some(limits.file_bytes_max),
                open_files: Some(limits.open_files_max),
                stack_bytes: None,
            },
        }
    }

    /// A control group, if the task asks for what only that can keep.
    fn group(&self, ctx: &TaskContext) -> Result<Option<Group>, TaskError> {
        let limits = ctx.limits();
        let asked = GroupLimits {
            cpu_percent: limits.sandbox.cpu_percent,
            memory_bytes: limits.sandbox.memory_bytes.and(limits.memory_bytes_max),
            processes: Some(limits.processes_max),
        };
        self.shelter.group(asked).map_err(no_group)
    }

    /// What it is let reach: what it asks for, if the owner grants all of that and the device can hold it to the rest.
    fn hold(&self, ctx: &TaskContext, dir: &Path) -> Result<Hold, TaskError> {
        let asked = &ctx.limits().sandbox;
        let denied = |what: String| Err(TaskError::new(ErrorClass::PermissionDenied, what));
        let held = self.enforces();
        if let Some(need) = asked.needs().into_iter().find(|need| !held.contains(need)) {
            let message = format!("the task asks for a limit on {need}, which this device cannot enforce");
            return Err(TaskError::new(ErrorClass::UnsupportedOperation, message));
        }
        let network = asked.allow_network == Some(true);
        if network && !self.grants.network {
            return denied("the owner of this device does not grant network_access".to_owned());
        }
        let (mut read, mut write) = (Vec::new(), Vec::new());
        if asked.wants_files() {
            if !self.grants.read || (asked.writes && !self.grants.write) {
                return denied("the owner of this device does not grant these files".to_owned());
            }
            let own = &self.grants.paths;
            let paths = if asked.allowed_paths.is_empty() { own } else { &asked.allowed_paths };
            for path in paths {
                // The real place counts, not the name that leads there.
                let real = path.canonicalize().ok().filter(|path| own.iter().any(|own| path.starts_with(own)));
                let Some(real) = real else {
                    return denied(format!(
                        "{} is not among the paths that the owner of this device grants",
                        path.display()
                    ));
                };
                if asked.writes { write.push(real) } else { read.push(real) }
            }
        }
        let processes_max = ctx.limits().processes_max;
        Ok(Hold { work: dir.to_owned(), network, read, write, processes_max, groups: Vec::new() })
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
        let user = self.shelter.other_user();
        let dir = WorkDir::create(&self.work_root, user).await?;
        let done = match files::put_in(&ctx, dir.path(), &payload.ins, user).await {
            Ok(()) => self.run(&ctx, payload, dir.path()).await,
            Err(error) => Err(error),
        };
        dir.remove().await;
        done
    }
}

impl Command {
    async fn run(&self, ctx: &TaskContext, payload: CommandPayload, dir: &Path) -> Result<Value, TaskError> {
        let mut hold = self.hold(ctx, dir)?;
        let group = self.group(ctx)?;
        if let Some(group) = &group {
            hold.groups = group.doors().map_err(no_group)?;
        }
        let program = self.program(ctx, &payload, dir);
        let process = self.shelter.launch(program, &hold).await.map_err(not_started)?;
        drop(hold);
        let bounds = Bounds {
            memory_bytes: ctx.limits().memory_bytes_max,
            disk_bytes: ctx.limits().disk_bytes_max,
            work: dir.to_owned(),
        };
        let stdin = match payload.stdin {
            Some(Input::Blob(hash)) => Some(Feed::File(ctx.blob(hash).await?)),
            Some(Input::Text(text)) => Some(Feed::Bytes(text.into_bytes())),
            None => None,
        };
        let memory_max = bounds.memory_bytes;
        let ended = supervise(ctx, process, stdin, payload.timeout, bounds).await;
        let killed = group.as_ref().is_some_and(|group| group.out_of_memory() > 0);
        if let Some(group) = group {
            group.remove().await;
        }
        let mut ended = ended?;
        if killed && matches!(ended.why, Why::Itself) && ended.exit.code() != 0 {
            ended.why =
                Why::TooMuch(format!("its processes had more than {} bytes of memory", memory_max.unwrap_or(0)));
        }
        let code = ended.exit.code();
        let (stdout, stderr) = ctx.captured();
        let mut result = json!({ "return_code": code, "stdout": stdout.text(), "stderr": stderr.text() });
        if matches!(ended.why, Why::Itself) && !payload.outs.is_empty() {
            let (files, more) = files::take_out(ctx, dir, payload.outs).await?;
            result["files"] = files.into();
            result["files_omitted"] = more.into();
        }
        let error = match ended.why {
            Why::Itself if code == 0 => return Ok(result),
            Why::Itself => match ended.exit.signal() {
                Some(signal) => TaskError::task(format!("the command was ended by signal {signal}")),
                None => TaskError::task(format!("the command exited with code {code}")),
            },
            Why::Stopped => TaskError::stopped(),
            Why::TooMuch(what) => {
                TaskError::new(ErrorClass::ResourceExhausted, format!("the command was ended: {what}"))
            }
            Why::TimeUp(limit) => {
                let message = format!("the command was not done within {limit:?}");
                TaskError::new(ErrorClass::TimeoutError, message)
            }
        };
        Err(error.with_result(result))
    }
}

/// The directories of a `PATH` that everybody can enter.
fn open_to_all(path: &OsStr) -> OsString {
    use std::os::unix::fs::PermissionsExt;
    let enters = |dir: &Path| std::fs::metadata(dir).is_ok_and(|seen| seen.permissions().mode() & 0o001 != 0);
    let open = std::env::split_paths(path).filter(|dir| dir.is_absolute() && dir.ancestors().all(enters));
    std::env::join_paths(open).ok().filter(|path| !path.is_empty()).unwrap_or_else(|| PATH_DEFAULT.into())
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
    TooMuch(String),
}

/// Sees a process through: feeds it, collects what it writes, ends it when it shall end, and leaves none of its group.
async fn supervise(
    ctx: &TaskContext,
    mut process: Process,
    stdin: Option<Feed>,
    timeout: Option<Duration>,
    bounds: Bounds,
) -> Result<Ended, TaskError> {
    let marks = marks(ctx);
    let mut peak = Peak::default();
    let see = process.looker();
    let seen = |peak: &Peak| {
        let (cpu_micros, memory_bytes_max) =
            (Some(peak.cpu_micros), Some(peak.memory_bytes).filter(|bytes| *bytes > 0));
        ctx.seen_usage(ResourceUsage { cpu_micros, memory_bytes_max });
    };
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
        what = watch(|| Box::new(see.clone()), bounds, &mut peak, seen) => Ok(Why::TooMuch(what)),
    };
    let why = match why {
        Ok(why) => why,
        Err(error) => {
            process.kill_tree(marks).await;
            return Err(lost(error));
        }
    };
    if matches!(why, Why::Itself) {
        if !pumps.finish().await || process.tier() == Tier::Limits {
            // Someone who left the group still holds a pipe, or may have closed it: it must be looked for.
            process.kill_tree(marks).await;
        }
    } else {
        // Who takes too much gets no time to take more.
        if !matches!(why, Why::TooMuch(_)) {
            process.signal_group(Signal::TERM);
            // Ended or not, the answer is the same: everyone who is left dies.
            let _ = tokio::time::timeout(ctx.stop_grace(), process.wait()).await;
        }
        process.kill_tree(marks).await;
        pumps.finish().await;
    }
    let exit = process.wait().await.map_err(lost)?;
    // The kernel knows the largest single process, looking found the most that all had together.
    let most = |exact: Option<u64>, seen: u64| Some(exact.unwrap_or(0).max(seen)).filter(|most| *most > 0);
    ctx.add_usage(ResourceUsage {
        cpu_micros: most(exit.usage.cpu_micros, peak.cpu_micros),
        memory_bytes_max: most(exit.usage.memory_bytes_max, peak.memory_bytes),
    });
    Ok(Ended { exit, why })
}

/// What tells the processes of this attempt from all others.
fn marks(ctx: &TaskContext) -> Vec<String> {
    let own = |(name, _): &&(String, String)| name == "RC_TASK_ID" || name == "RC_TASK_EPOCH";
    ctx.env().iter().filter(own).map(|(name, value)| format!("{name}={value}")).collect()
}

fn no_group(error: std::io::Error) -> TaskError {
    TaskError::new(ErrorClass::ResourceExhausted, format!("no control group for the command: {error}"))
}

fn lost(error: std::io::Error) -> TaskError {
    TaskError::new(ErrorClass::ResourceExhausted, format!("lost sight of the command: {error}"))
}

/// A program that is not there will not be there next time; a device without room for one more process may.
fn not_started(error: LaunchError) -> TaskError {
    use std::io::ErrorKind;
    let (program, source) = match &error {
        LaunchError::Spawn { program, source } => (program, source),
        LaunchError::Directory(why) => return TaskError::invalid(format!("`cwd` cannot be entered: {why}")),
        _ => return TaskError::new(ErrorClass::ResourceExhausted, error.to_string()),
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
