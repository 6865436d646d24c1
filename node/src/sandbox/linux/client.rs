//! The node's side of the spawner: starts it, asks it for programs, and hears of each over a pipe of its own.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::pipe::{PipeFlags, pipe_with};
use tokio::net::unix::pipe::Receiver;
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};

use super::super::process::{Exit, Process};
use super::super::{Hold, LaunchError, Program, SPAWNER_KIND, Tier};
use super::wire::{Hello, Launch, Limits, Message, RECORD_BYTES, Record, Step, Text, receive, send};
use crate::handlers::ResourceUsage;

/// How long a spawner may take to be ready.
const HELLO_TIME_MAX: Duration = Duration::from_secs(5);
/// How long a program may take to begin: the slowest storage is done by then.
const BEGIN_TIME_MAX: Duration = Duration::from_secs(20);

struct Order {
    message: Message,
    files: Vec<OwnedFd>,
}

/// A running spawner. Dropping it ends it, and with it everything that it started.
#[derive(Debug)]
pub(in super::super) struct Spawner {
    orders: mpsc::Sender<Order>,
    next: AtomicU64,
    own_network: bool,
}

impl Spawner {
    /// Starts a spawner: this very program, begun anew. Blocks until it is ready.
    ///
    /// # Errors
    /// It cannot be started, or says that it cannot serve.
    pub(in super::super) fn start(program: &Path, network: bool) -> io::Result<Self> {
        let (mut ours, theirs) = UnixStream::pair()?;
        let mut child = Command::new(program)
            .args(["__worker", SPAWNER_KIND])
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .spawn()?;
        let hello = (|| {
            ours.set_read_timeout(Some(HELLO_TIME_MAX))?;
            ours.set_write_timeout(Some(HELLO_TIME_MAX))?;
            send(&mut ours, &Message::Configure { network }, &[])?;
            let (hello, _) = receive::<Hello>(&mut ours)?.ok_or_else(|| io::Error::other("it ended at once"))?;
            ours.set_write_timeout(None)?;
            match hello.trouble {
                Some(trouble) => Err(io::Error::other(trouble)),
                None => Ok(hello),
            }
        })();
        let hello = match hello {
            Ok(hello) => hello,
            Err(error) => {
                end(&mut child);
                return Err(error);
            }
        };
        let (orders, queue) = mpsc::channel();
        std::thread::Builder::new().name("spawner".to_owned()).spawn(move || forward(ours, child, &queue))?;
        Ok(Self { orders, next: AtomicU64::new(1), own_network: hello.own_network })
    }

    /// Whether its programs live in a network that has nothing in it.
    pub(in super::super) fn own_network(&self) -> bool {
        self.own_network
    }

    /// Starts a program. `processes_max` is the kernel's limit for its user, in its namespace if it has one.
    ///
    /// # Errors
    /// It could not be started; nothing of it is left.
    pub(in super::super) async fn launch(
        &self,
        program: Program,
        hold: &Hold,
        tier: Tier,
        processes_max: u64,
    ) -> Result<Process, LaunchError> {
        let name = program.program.to_string_lossy().into_owned();
        let failed = |source: io::Error| LaunchError::Spawn { program: name.clone(), source };
        let work = rustix::fs::open(&hold.work, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        let work = work.map_err(|error| LaunchError::Hold(format!("no work directory: {error}")))?;
        let made = Pipes::make(program.stdin).map_err(failed)?;
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let launch = launch_message(id, program, hold, tier, processes_max);
        let Pipes { mut gate, report, stdout, stderr, stdin, theirs } = made;
        let mut files = theirs;
        files.insert(4, work);
        files.extend(hold.groups.iter().filter_map(|group| group.try_clone().ok()));
        let order = Order { message: Message::Launch(Box::new(launch)), files };
        self.orders.send(order).map_err(|_| LaunchError::Gone)?;
        // From here on dropping it kills the program, wherever this is given up.
        let mut held = Held::new(id, report, self.orders.clone());
        match tokio::time::timeout(BEGIN_TIME_MAX, begun(&mut gate)).await {
            Err(_) => return Err(failed(io::Error::from(io::ErrorKind::TimedOut))),
            Ok(Err(error)) => return Err(failed(error)),
            Ok(Ok(None)) => {}
            Ok(Ok(Some((step, error)))) => {
                held.over = Some(Exit { status: ExitStatus::from_raw(126 << 8), usage: ResourceUsage::default() });
                return Err(match step {
                    Step::Execute => failed(error),
                    Step::Directory => LaunchError::Directory(error),
                    Step::Clone | Step::Fork => failed(error),
                    step => LaunchError::Hold(format!("cannot {}: {error}", step.text())),
                });
            }
        }
        let pid = held.pid().await.map_err(|_| LaunchError::Gone)?;
        Process::held(pid, tier, held, stdin, stdout, stderr).map_err(failed)
    }
}

/// `Some` is what kept the program from beginning.
async fn begun(gate: &mut Receiver) -> io::Result<Option<(Step, io::Error)>> {
    use tokio::io::AsyncReadExt;
    let mut bytes = Vec::with_capacity(8);
    gate.take(8).read_to_end(&mut bytes).await?;
    let Ok(bytes) = <[u8; 8]>::try_from(bytes) else { return Ok(None) };
    let number = |at: usize| [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
    let step = Step::of(u32::from_le_bytes(number(0))).unwrap_or(Step::Clone);
    Ok(Some((step, io::Error::from_raw_os_error(i32::from_le_bytes(number(4))))))
}

fn launch_message(id: u64, program: Program, hold: &Hold, tier: Tier, processes_max: u64) -> Launch {
    let text = |text: &OsStr| Text::from(text.as_bytes());
    let paths = |paths: &[PathBuf]| paths.iter().map(|path| text(path.as_os_str())).collect();
    let argv = std::iter::once(&program.program).chain(&program.args).map(|arg| text(arg)).collect();
    // Of two variables with one name the last one counts.
    let env: BTreeMap<OsString, OsString> = program.env.into_iter().collect();
    let variable = |(name, value): (OsString, OsString)| {
        let mut line = name;
        line.push("=");
        line.push(value);
        text(&line)
    };
    Launch {
        id,
        namespaces: tier == Tier::Namespaces,
        argv,
        env: env.into_iter().map(variable).collect(),
        cwd: text(program.cwd.as_os_str()),
        stdin: program.stdin,
        network: hold.network,
        read: paths(&hold.read),
        write: paths(&hold.write),
        limits: Limits {
            memory_bytes: program.limits.memory_bytes,
            file_bytes: program.limits.file_bytes,
            open_files: program.limits.open_files,
            stack_bytes: program.limits.stack_bytes,
            processes: Some(processes_max),
        },
    }
}

/// Both ends of what a program is connected by.
struct Pipes {
    gate: Receiver,
    report: Receiver,
    stdout: ChildStdout,
    stderr: ChildStderr,
    stdin: Option<ChildStdin>,
    /// Gate, report, stdout, stderr, and stdin if there is one.
    theirs: Vec<OwnedFd>,
}

impl Pipes {
    fn make(stdin: bool) -> io::Result<Self> {
        let pipe = || pipe_with(PipeFlags::CLOEXEC);
        let (gate, gate_in) = pipe()?;
        let (report, report_in) = pipe()?;
        let (stdout, stdout_in) = pipe()?;
        let (stderr, stderr_in) = pipe()?;
        let mut theirs = vec![gate_in, report_in, stdout_in, stderr_in];
        let stdin = if stdin {
            let (from, into) = pipe()?;
            theirs.push(from);
            Some(ChildStdin::from_std(into.into())?)
        } else {
            None
        };
        Ok(Self {
            gate: Receiver::from_owned_fd(gate)?,
            report: Receiver::from_owned_fd(report)?,
            stdout: ChildStdout::from_std(stdout.into())?,
            stderr: ChildStderr::from_std(stderr.into())?,
            stdin,
            theirs,
        })
    }
}

/// The node's hold on a program that the spawner started. Dropping it kills everything of it that is left.
#[derive(Debug)]
pub(in super::super) struct Held {
    id: u64,
    report: Receiver,
    /// The beginning of a record that is still to come.
    read: Vec<u8>,
    pid: Option<i32>,
    ended: Option<i32>,
    over: Option<Exit>,
    orders: mpsc::Sender<Order>,
}

impl Held {
    fn new(id: u64, report: Receiver, orders: mpsc::Sender<Order>) -> Self {
        Self { id, report, read: Vec::new(), pid: None, ended: None, over: None, orders }
    }

    /// Waits until nothing of it is left. Can be called again, also after being dropped half way.
    ///
    /// # Errors
    /// The spawner has died.
    pub(in super::super) async fn wait(&mut self) -> io::Result<Exit> {
        loop {
            if let Some(exit) = self.over {
                return Ok(exit);
            }
            self.hear().await?;
        }
    }

    async fn pid(&mut self) -> io::Result<i32> {
        loop {
            if let Some(pid) = self.pid {
                return Ok(pid);
            }
            self.hear().await?;
        }
    }

    /// Takes the next records in. Nothing is lost if this is dropped while it waits.
    async fn hear(&mut self) -> io::Result<()> {
        self.report.readable().await?;
        let mut bytes = [0; 4 * RECORD_BYTES];
        match self.report.try_read(&mut bytes) {
            Ok(0) => return Err(io::Error::other("the process that starts programs has died")),
            Ok(n) => self.read.extend_from_slice(&bytes[..n]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
        while self.read.len() >= RECORD_BYTES {
            let mut record = [0; RECORD_BYTES];
            record.copy_from_slice(&self.read[..RECORD_BYTES]);
            self.read.drain(..RECORD_BYTES);
            match Record::decode(record) {
                Some(Record::Pid(pid)) => self.pid = Some(pid),
                Some(Record::Ended(status)) => self.ended = Some(status),
                Some(Record::Over { status, cpu_micros, memory_bytes }) => {
                    let status = ExitStatus::from_raw(self.ended.unwrap_or(status));
                    let usage = ResourceUsage { cpu_micros: Some(cpu_micros), memory_bytes_max: Some(memory_bytes) };
                    self.over = Some(Exit { status, usage });
                }
                None => return Err(io::Error::other("the process that starts programs makes no sense")),
            }
        }
        Ok(())
    }

    /// Sends a signal to everybody of it.
    pub(in super::super) fn signal(&self, signal: i32) {
        if self.over.is_none() {
            // A spawner that is gone took its programs along.
            let _ = self.orders.send(Order { message: Message::Signal { id: self.id, signal }, files: Vec::new() });
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.signal(libc::SIGKILL);
    }
}

/// Writes orders to the spawner, in a thread of its own because that may block, until nobody can give any more.
fn forward(mut socket: UnixStream, mut child: Child, queue: &mpsc::Receiver<Order>) {
    while let Ok(Order { message, files }) = queue.recv() {
        let beside: Vec<BorrowedFd<'_>> = files.iter().map(AsFd::as_fd).collect();
        if let Err(error) = send(&mut socket, &message, &beside) {
            // A message that is too long is not sent, not even its beginning; whoever waits for it sees its pipes close.
            if error.raw_os_error() != Some(libc::E2BIG) {
                tracing::warn!(%error, "the process that starts programs is gone");
                break;
            }
        }
    }
    drop(socket);
    end(&mut child);
}

/// It ends when its socket closes; if not, it is made to.
fn end(child: &mut Child) {
    for _ in 0..100 {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    let _ = child.wait();
}
