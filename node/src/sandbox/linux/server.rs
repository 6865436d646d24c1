//! The spawner: a small process with one thread that starts programs for the node, and ends with it.
//!
//! The node cannot start them itself: it has threads and much memory, and a copy of it (which every new process begins as) is slow
//! to make and unsafe to run code in. The spawner is the node's own program, begun anew; it holds no secrets, gives up root before
//! it does anything else, and every program is a child of it, so that it knows when one ends and what it used.

use std::collections::HashMap;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;

use rustix::fs::{Mode, OFlags};

use super::super::sys::check;
use super::super::usage::convert;
use super::super::user::{TaskUser, drop_root, task_user};
use super::child::{Start, warden};
use super::root::map_user;
use super::view::{Piece, look_around};
use super::wire::{Hello, Launch, Message, Record, Step, receive, send};

/// In line for the processor, all programs together stand behind the node (where the kernel groups by session).
const AUTOGROUP_NICE: &str = "5";
/// When memory runs out, programs go before the node.
const OOM_SCORE_ADJ: &str = "500";

/// A program that was started and is not over.
struct Child {
    id: u64,
    namespaces: bool,
    report: OwnedFd,
}

struct Spawner {
    socket: UnixStream,
    user: TaskUser,
    nothing: OwnedFd,
    shown: Rc<[(PathBuf, Piece)]>,
    children: HashMap<libc::pid_t, Child>,
}

/// Serves the node at the other end of standard input until it goes away.
pub(in super::super) fn serve() -> ExitCode {
    let served = begin().and_then(|mut spawner| {
        let served = spawner.serve();
        spawner.end_all();
        served
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rc-node spawner: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Takes the socket from standard input, becomes nobody, and says hello.
fn begin() -> io::Result<Spawner> {
    let nothing = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    // SAFETY: standard input is open and belongs to nobody else in this process; then it is covered by another file.
    let socket = unsafe {
        let socket = check(libc::fcntl(0, libc::F_DUPFD_CLOEXEC, 3))?;
        check(libc::dup2(nothing.as_raw_fd(), 0))?;
        check(libc::dup2(nothing.as_raw_fd(), 1))?;
        OwnedFd::from_raw_fd(socket)
    };
    let mut socket = UnixStream::from(socket);
    let Some((Message::Configure { network }, _)) = receive(&mut socket)? else {
        return Err(io::Error::other("no configuration came first"));
    };
    let user = task_user();
    let hello = settle(user, network);
    send(&mut socket, &hello, &[])?;
    let shown = look_around(network).into();
    Ok(Spawner { socket, user, nothing, shown, children: HashMap::new() })
}

/// The circumstances in which all programs are started.
fn settle(user: TaskUser, network: bool) -> Hello {
    let prepared = (|| {
        // Each of the first three makes it nicer, none is needed: some systems refuse.
        let _ = rustix::process::setsid();
        let _ = std::fs::write("/proc/self/autogroup", AUTOGROUP_NICE);
        let _ = std::fs::write("/proc/self/oom_score_adj", OOM_SCORE_ADJ);
        drop_root(user)?;
        // SAFETY: plain integers. Whoever changed its user owns its own files in /proc only after this; and what programs leave
        // behind comes here to be collected.
        unsafe {
            libc::umask(0o022);
            check(libc::prctl(libc::PR_SET_DUMPABLE, 1 as libc::c_ulong, 0, 0, 0))?;
            check(libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1 as libc::c_ulong, 0, 0, 0))?;
        }
        rustix::process::chdir("/")?;
        io::Result::Ok(())
    })();
    if let Err(error) = prepared {
        return Hello { own_network: false, trouble: Some(error.to_string()) };
    }
    if network {
        return Hello { own_network: false, trouble: None };
    }
    // One for all programs: making one for each would cost as much as all other namespaces together.
    Hello { own_network: leaves_well(user) && leave_network(user).is_ok(), trouble: None }
}

/// Into a network that has nothing in it.
fn leave_network(user: TaskUser) -> io::Result<()> {
    // SAFETY: this process has one thread.
    check(unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET) })?;
    map_user(user)
}

/// Whether [`leave_network`] works from beginning to end. Tried by another process: some systems let one in and then forbid what
/// makes it useful.
fn leaves_well(user: TaskUser) -> bool {
    // SAFETY: this process has one thread; the copy leaves at once, and is ours to collect.
    unsafe {
        let pid = libc::fork();
        if pid == 0 {
            libc::_exit(i32::from(leave_network(user).is_err()));
        }
        let mut status = -1;
        pid > 0 && libc::waitpid(pid, &mut status, 0) == pid && status == 0
    }
}

impl Spawner {
    fn serve(&mut self) -> io::Result<()> {
        let ended = child_signals()?;
        loop {
            let mut waits = [
                libc::pollfd { fd: self.socket.as_raw_fd(), events: libc::POLLIN, revents: 0 },
                libc::pollfd { fd: ended.as_raw_fd(), events: libc::POLLIN, revents: 0 },
            ];
            // SAFETY: two structures, alive for the call.
            match check(unsafe { libc::poll(waits.as_mut_ptr(), 2, -1) }) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                polled => polled?,
            };
            if waits[1].revents != 0 {
                let mut signals = [0_u8; 8 * size_of::<libc::signalfd_siginfo>()];
                // Whatever they say: everybody is looked at.
                let _ = rustix::io::read(&ended, &mut signals);
                self.collect();
            }
            if waits[0].revents != 0 {
                match receive(&mut self.socket)? {
                    None => return Ok(()),
                    Some((Message::Launch(launch), files)) => self.launch(*launch, files)?,
                    Some((Message::Signal { id, signal }, _)) => self.signal(id, signal),
                    Some((Message::Configure { .. }, _)) => return Err(io::Error::other("configured twice")),
                }
            }
        }
    }

    fn launch(&mut self, launch: Launch, files: Vec<OwnedFd>) -> io::Result<()> {
        let start = match self.prepare(launch, files) {
            Ok(start) => start,
            Err(error) => {
                // Its files are closed, which tells the node; the other programs have nothing to do with it.
                eprintln!("rc-node spawner: a launch that makes no sense: {error}");
                return Ok(());
            }
        };
        match self.clone_process(&start) {
            Ok(0) if start.launch.namespaces => warden(&start),
            Ok(0) => match start.join_groups() {
                Ok(()) => start.execute(),
                Err(failure) => start.fail(&failure),
            },
            Ok(pid) => {
                // If the node does not listen any more it will say so.
                let _ = rustix::io::write(&start.report, &Record::Pid(pid).encode());
                let (id, namespaces) = (start.launch.id, start.launch.namespaces);
                self.children.insert(pid, Child { id, namespaces, report: start.report });
            }
            Err(error) => {
                let mut bytes = [0; 8];
                bytes[..4].copy_from_slice(&(Step::Clone as u32).to_le_bytes());
                bytes[4..].copy_from_slice(&error.raw_os_error().unwrap_or(libc::EIO).to_le_bytes());
                let _ = rustix::io::write(&start.gate, &bytes);
            }
        }
        Ok(())
    }

    fn prepare(&self, launch: Launch, files: Vec<OwnedFd>) -> io::Result<Start> {
        let mut files = files.into_iter();
        let mut next = || files.next().ok_or_else(|| io::Error::other("a file is missing"));
        let (gate, report, stdout, stderr, work) = (next()?, next()?, next()?, next()?, next()?);
        let stdin = if launch.stdin { next()? } else { self.nothing.try_clone()? };
        let text = |text: &super::wire::Text| CString::new(text.to_vec()).map_err(io::Error::other);
        let argv: Vec<CString> = launch.argv.iter().map(text).collect::<Result<_, _>>()?;
        let env: Vec<CString> = launch.env.iter().map(text).collect::<Result<_, _>>()?;
        let program = launch.argv.first().ok_or_else(|| io::Error::other("no program"))?;
        let candidates = candidates(program, &launch.env)?;
        let groups = files.collect();
        let (user, shown) = (self.user, Rc::clone(&self.shown));
        Ok(Start { launch, gate, report, stdout, stderr, work, stdin, groups, user, shown, candidates, argv, env })
    }

    /// A copy of this process, in namespaces of its own if it shall have them. Returns 0 in the copy.
    fn clone_process(&self, start: &Start) -> io::Result<libc::pid_t> {
        let namespaces = if start.launch.namespaces {
            // The only directory that follows into a mount namespace without being reachable by its name.
            rustix::process::fchdir(&start.work)?;
            libc::CLONE_NEWUSER | libc::CLONE_NEWPID | libc::CLONE_NEWNS | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS
        } else {
            0
        };
        let flags = (namespaces | libc::SIGCHLD) as libc::c_ulong;
        // SAFETY: like fork: no shared memory, no new stack. This process has one thread, so the copy may do what it likes.
        let pid = check(unsafe { libc::syscall(libc::SYS_clone, flags, 0_usize, 0_usize, 0_usize, 0_usize) });
        let pid = pid.map(|pid| pid as libc::pid_t);
        if start.launch.namespaces && !matches!(pid, Ok(0)) {
            rustix::process::chdir("/")?;
        }
        pid
    }

    fn signal(&self, id: u64, signal: i32) {
        if let Some((pid, child)) = self.children.iter().find(|(_, child)| child.id == id) {
            send_signal(*pid, child.namespaces, signal);
        }
    }

    /// Takes note of everybody who ended.
    fn collect(&mut self) {
        loop {
            // SAFETY: plain data to fill in.
            let pid = unsafe {
                let mut info: libc::siginfo_t = std::mem::zeroed();
                let look = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
                if libc::waitid(libc::P_ALL, 0, &mut info, look) != 0 {
                    return;
                }
                info.si_pid()
            };
            if pid == 0 {
                return;
            }
            let child = self.children.remove(&pid);
            if child.as_ref().is_some_and(|child| !child.namespaces) {
                // Until the leader is collected nobody else can get the number of its group.
                send_signal(pid, false, libc::SIGKILL);
            }
            let mut status = 0;
            // SAFETY: a child of ours that has ended, and plain data to fill in.
            let usage = unsafe {
                let mut usage: libc::rusage = std::mem::zeroed();
                libc::wait4(pid, &mut status, libc::WNOHANG, &mut usage);
                convert(&usage)
            };
            if let Some(child) = child {
                let (cpu_micros, memory_bytes) = (usage.cpu_micros.unwrap_or(0), usage.memory_bytes_max.unwrap_or(0));
                let record = Record::Over { status, cpu_micros, memory_bytes };
                let _ = rustix::io::write(&child.report, &record.encode());
            }
        }
    }

    /// The node is gone, and with it everybody who wanted to know.
    fn end_all(&mut self) {
        for (pid, child) in &self.children {
            send_signal(*pid, child.namespaces, libc::SIGKILL);
        }
    }
}

/// To the warden of a namespace, or to everybody in a group. The process must not have been collected.
fn send_signal(pid: libc::pid_t, namespaces: bool, signal: i32) {
    // SAFETY: plain integers. It may have ended by itself, which is as good.
    unsafe {
        if !namespaces {
            libc::kill(-pid, signal);
        }
        // Also one that does not lead its group yet.
        libc::kill(pid, signal);
    }
}

/// A file that can be read when a child has ended. The signals themselves are blocked.
fn child_signals() -> io::Result<OwnedFd> {
    // SAFETY: a signal set is plain data that `sigemptyset` fills in; the descriptor is new and nobody else's.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGCHLD);
        check(libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut()))?;
        let fd = check(libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK))?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// Where a program may be: itself if it names a place, else in each directory of `PATH`.
fn candidates(program: &[u8], env: &[super::wire::Text]) -> io::Result<Vec<CString>> {
    let text = |bytes: Vec<u8>| CString::new(bytes).map_err(io::Error::other);
    if program.contains(&b'/') {
        return Ok(vec![text(program.to_vec())?]);
    }
    // Of two variables with one name programs take the first.
    let path = env.iter().find_map(|variable| variable.strip_prefix(b"PATH=")).unwrap_or(b"/usr/bin:/bin");
    path.split(|byte| *byte == b':')
        .map(|dir| {
            let dir = if dir.is_empty() { b"." } else { dir };
            text([dir, b"/", program].concat())
        })
        .collect()
}
