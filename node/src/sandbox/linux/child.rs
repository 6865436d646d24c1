//! From a new process to the program it becomes: what a process does to itself before it lets a stranger's code run.
//!
//! Runs in children of the spawner, which has one thread, so that locks are free and memory can be allocated. Does not return:
//! it becomes the program, or says over the gate what failed.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::super::WORK;
use super::super::limits::{Resource, set};
use super::super::sys::check;
use super::super::user::TaskUser;
use super::landlock::confine;
use super::privilege::{die_with_parent, no_new_privileges};
use super::seccomp::{Filter, install};
use super::wire::{Launch, Limits, Step, Text};
use super::{
    root,
    view::{self, Piece},
};

/// Programs start behind the node in line for the processor.
const NICE: i32 = 10;

/// What failed, and why.
pub(super) type Failure = (Step, io::Error);

/// Everything for one start, made before the process that uses it.
pub(super) struct Start {
    pub(super) launch: Launch,
    /// Closed by the execution; what is written to it before is why there is none.
    pub(super) gate: OwnedFd,
    pub(super) report: OwnedFd,
    pub(super) stdout: OwnedFd,
    pub(super) stderr: OwnedFd,
    pub(super) work: OwnedFd,
    pub(super) stdin: OwnedFd,
    pub(super) groups: Vec<OwnedFd>,
    pub(super) user: TaskUser,
    /// What it sees of the device, in a file system of its own.
    pub(super) shown: Rc<[(PathBuf, Piece)]>,
    /// Where to look for the program, in this order.
    pub(super) candidates: Vec<CString>,
    pub(super) argv: Vec<CString>,
    pub(super) env: Vec<CString>,
}

impl Start {
    /// Writes what failed and ends the process.
    pub(super) fn fail(&self, (step, error): &Failure) -> ! {
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&(*step as u32).to_le_bytes());
        bytes[4..].copy_from_slice(&error.raw_os_error().unwrap_or(libc::EIO).to_le_bytes());
        // Nobody hears it if the node is gone; then nobody has to.
        let _ = rustix::io::write(&self.gate, &bytes);
        // SAFETY: ends this process at once.
        unsafe { libc::_exit(126) }
    }

    /// Joins the control groups: from here on what it uses is counted.
    pub(super) fn join_groups(&self) -> Result<(), Failure> {
        let join = |group: &OwnedFd| rustix::io::write(group, b"0").map(drop);
        self.groups.iter().try_for_each(join).map_err(|error| (Step::ControlGroup, error.into()))
    }

    /// Becomes the program.
    pub(super) fn execute(&self) -> ! {
        match self.prepare() {
            Ok(()) => self.fail(&(Step::Execute, self.exec())),
            Err(failure) => self.fail(&failure),
        }
    }

    fn prepare(&self) -> Result<(), Failure> {
        let launch = &self.launch;
        die_with_parent().map_err(at(Step::Limits))?;
        // SAFETY: plain integers; this process leads no group yet.
        check(unsafe { libc::setpgid(0, 0) }).map_err(at(Step::Limits))?;
        self.enter_directory().map_err(at(Step::Directory))?;
        limit(&launch.limits).map_err(at(Step::Limits))?;
        for (from, to) in [(&self.stdin, 0), (&self.stdout, 1), (&self.stderr, 2)] {
            // SAFETY: both are numbers of open files; the copy stays open across the execution.
            check(unsafe { libc::dup2(from.as_raw_fd(), to) }).map_err(at(Step::Limits))?;
        }
        default_signals().map_err(at(Step::Limits))?;
        no_new_privileges().map_err(at(Step::Limits))?;
        let (read, write) = self.granted();
        let held = confine(read.iter().map(PathBuf::as_path), write.iter().map(PathBuf::as_path));
        let held = held.map_err(at(Step::Landlock))?;
        let sure = launch.namespaces || (held.files && held.scopes);
        if !sure {
            // Nothing else would hold it.
            return Err((Step::Landlock, io::Error::from_raw_os_error(libc::EOPNOTSUPP)));
        }
        let filter = Filter::Command {
            internet: launch.network,
            local: launch.namespaces && held.scopes,
            groups: launch.namespaces,
        };
        install(filter).map_err(at(Step::Filter))
    }

    fn enter_directory(&self) -> io::Result<()> {
        if self.launch.namespaces {
            rustix::process::chdir(WORK)?;
        } else {
            rustix::process::fchdir(&self.work)?;
        }
        if !self.launch.cwd.is_empty() {
            rustix::process::chdir(OsStr::from_bytes(&self.launch.cwd))?;
        }
        Ok(())
    }

    /// What it may read, and what it may also change.
    fn granted(&self) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let paths = |texts: &[Text]| texts.iter().map(|text| OsStr::from_bytes(text).into()).collect::<Vec<PathBuf>>();
        let (mut read, mut write) = (paths(&self.launch.read), paths(&self.launch.write));
        if self.launch.namespaces {
            // Nothing else is there.
            read.push("/".into());
            write.push("/dev".into());
            write.push(WORK.into());
        } else {
            write.extend(view::DEVICES.iter().map(PathBuf::from));
            read.extend(view::SYSTEM.iter().map(PathBuf::from));
            read.extend(view::etc(self.launch.network).map(|name| Path::new("/etc").join(name)));
            write.push(format!("/proc/self/fd/{}", self.work.as_raw_fd()).into());
        }
        (read, write)
    }

    /// Returns only with the error.
    fn exec(&self) -> io::Error {
        let pointers = |texts: &[CString]| {
            let mut all: Vec<_> = texts.iter().map(|text| text.as_ptr()).collect();
            all.push(std::ptr::null());
            all
        };
        let (argv, env) = (pointers(&self.argv), pointers(&self.env));
        let mut refused = None;
        for candidate in &self.candidates {
            // SAFETY: NUL-terminated texts and lists that end with a null pointer, all alive.
            unsafe { libc::execve(candidate.as_ptr(), argv.as_ptr(), env.as_ptr()) };
            let error = io::Error::last_os_error();
            match error.raw_os_error() {
                Some(libc::ENOENT | libc::ENOTDIR) => {}
                // A file of that name that is no program, unless the directory is what is closed: there may be one further on.
                Some(libc::EACCES) => {
                    if rustix::fs::stat(candidate.as_c_str()).is_ok() {
                        refused = Some(error);
                    }
                }
                _ => return error,
            }
        }
        refused.unwrap_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))
    }
}

/// What to add to an error: where it happened.
pub(super) fn at(step: Step) -> impl Fn(io::Error) -> Failure {
    move |error| (step, error)
}

fn limit(limits: &Limits) -> io::Result<()> {
    set(libc::RLIMIT_CORE as Resource, Some(0))?;
    set(libc::RLIMIT_FSIZE as Resource, limits.file_bytes)?;
    set(libc::RLIMIT_NOFILE as Resource, limits.open_files)?;
    set(libc::RLIMIT_DATA as Resource, limits.memory_bytes)?;
    set(libc::RLIMIT_STACK as Resource, limits.stack_bytes)?;
    set(libc::RLIMIT_NPROC as Resource, limits.processes)?;
    // SAFETY: plain integers. A device that does not let itself be nice to runs the program all the same.
    unsafe {
        libc::umask(0o077);
        libc::setpriority(libc::PRIO_PROCESS as _, 0, NICE);
    }
    Ok(())
}

/// A program finds signals as it expects them, whatever this process did with its own.
fn default_signals() -> io::Result<()> {
    // SAFETY: a signal set is plain data that `sigemptyset` fills in; SIG_DFL is a valid disposition for these.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        check(libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut()))?;
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        libc::signal(libc::SIGTERM, libc::SIG_DFL);
    }
    Ok(())
}

/// The first process of a namespace: builds the file system, starts the program, sees that nobody stays a zombie, and ends with the
/// program; the kernel then kills whoever is left in the namespace.
pub(super) fn warden(start: &Start) -> ! {
    let ready = die_with_parent()
        .map_err(at(Step::Identity))
        .and_then(|()| start.join_groups())
        .and_then(|()| root::map_user(start.user).map_err(at(Step::Identity)))
        .and_then(|()| root::build(start));
    if let Err(failure) = ready {
        start.fail(&failure);
    }
    forward_terminations();
    // SAFETY: this process has one thread.
    match unsafe { libc::fork() } {
        -1 => start.fail(&(Step::Fork, io::Error::last_os_error())),
        0 => start.execute(),
        program => watch(start, program),
    }
}

/// Waits for the program. Everything it inherited but the report is closed, so that pipes close when the program closes them.
fn watch(start: &Start, program: libc::pid_t) -> ! {
    let keep = start.report.as_fd().as_raw_fd();
    // SAFETY: closes numbers that nothing in this process uses again, which never returns to where they are owned; and gives
    // up what only the building needed.
    unsafe {
        for fd in [0, 1, 2].into_iter().chain(start.all_files()) {
            if fd != keep {
                libc::close(fd);
            }
        }
    }
    // What the program could do to this process it cannot do to one that shows nothing and has nothing.
    let _ = root::give_up_capabilities();
    let _ = super::privilege::hide_memory();
    loop {
        let mut status = 0;
        // SAFETY: an integer to fill in.
        let ended = unsafe { libc::waitpid(-1, &mut status, 0) };
        if ended == program {
            let record = super::wire::Record::Ended(status).encode();
            let _ = rustix::io::write(&start.report, &record);
            // SAFETY: ends this process at once, and with it the namespace.
            unsafe { libc::_exit(0) }
        }
        if ended == -1 && io::Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
            // SAFETY: as above.
            unsafe { libc::_exit(1) }
        }
    }
}

impl Start {
    fn all_files(&self) -> impl Iterator<Item = i32> {
        [&self.gate, &self.stdout, &self.stderr, &self.work, &self.stdin]
            .into_iter()
            .chain(&self.groups)
            .map(|file| file.as_raw_fd())
            .collect::<Vec<_>>()
            .into_iter()
    }
}

/// SIGTERM to the warden is meant for everybody in the namespace.
fn forward_terminations() {
    extern "C" fn forward(signal: libc::c_int) {
        // SAFETY: `kill` may be called in a handler. -1 is everybody in this namespace but the warden itself.
        unsafe { libc::kill(-1, signal) };
    }
    // SAFETY: the handler does nothing but a system call. Blocked signals are let through again.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = forward as extern "C" fn(libc::c_int) as usize;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(libc::SIGTERM, &action, std::ptr::null_mut());
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
    }
}
