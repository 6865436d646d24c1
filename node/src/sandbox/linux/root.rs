//! A file system of its own for one program, put together from pieces of the device's in a mount namespace: what is not mounted
//! there cannot be named.

use std::ffi::{CStr, CString, OsStr};
use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::super::WORK;
use super::super::sys::check;
use super::super::user::TaskUser;
use super::child::{Failure, Start, at};
use super::view::{self, Piece};
use super::wire::{Step, Text};

/// Where it is put together; covered by it meanwhile, and gone afterwards.
const SITE: &str = "/tmp";
/// The name that a program sees.
const HOST_NAME: &str = "rc-node";

/// Maps the user to itself in the namespace that the process has just been born into: no other user exists there.
pub(super) fn map_user(user: TaskUser) -> io::Result<()> {
    // The kernel wants this first from those without privilege.
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{0} {0} 1", user.uid))?;
    fs::write("/proc/self/gid_map", format!("{0} {0} 1", user.gid))
}

/// Builds the file system and moves into it. The working directory is the work directory when this is called.
pub(super) fn build(start: &Start) -> Result<(), Failure> {
    assemble(start).map_err(at(Step::Root))?;
    let (proc, flags) = (site("/proc"), libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC);
    make_dir(&proc).map_err(at(Step::Proc))?;
    mount(c"proc", &proc, Some(c"proc"), flags, None).map_err(at(Step::Proc))?;
    enter(start).map_err(at(Step::Root))
}

fn assemble(start: &Start) -> io::Result<()> {
    let launch = &start.launch;
    mount(c"none", Path::new("/"), None, libc::MS_REC | libc::MS_PRIVATE, None)?;
    // Opened by now, because the site may cover them.
    let open = |text: &Text| {
        let path = PathBuf::from(OsStr::from_bytes(text));
        rustix::fs::open(&path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).map(|file| (path, file))
    };
    // The system's own places are shown as they are, and to change them is granted to nobody.
    let system = |path: &Path| view::SYSTEM.iter().any(|shown| path.starts_with(shown));
    let all = launch.read.iter().chain(&launch.write).filter(|text| !system(Path::new(OsStr::from_bytes(text))));
    let granted: Vec<_> = all.map(open).collect::<Result<_, _>>()?;
    mount(c"tmpfs", Path::new(SITE), Some(c"tmpfs"), libc::MS_NOSUID | libc::MS_NODEV, Some(c"mode=0755,size=4m"))?;

    let work = site(WORK);
    make_dir(&work)?;
    bind(OsStr::new("."), &work, 0)?;
    // Unless something is granted there, which must not end up in the work directory.
    if granted.iter().any(|(path, _)| path.starts_with("/tmp")) {
        make_dir(&site("/tmp"))?;
    } else {
        std::os::unix::fs::symlink(WORK, site("/tmp"))?;
    }
    make_dir(&site("/etc"))?;
    for (path, piece) in start.shown.iter() {
        show(path, piece)?;
    }
    let (uid, gid) = (start.user.uid, start.user.gid);
    let work_name = WORK;
    fs::write(site("/etc/passwd"), format!("task:x:{uid}:{gid}:task:{work_name}:/bin/sh\n"))?;
    fs::write(site("/etc/group"), format!("task:x:{gid}:\n"))?;

    make_dir(&site("/dev"))?;
    for path in view::DEVICES {
        let target = site(path);
        fs::File::create(&target)?;
        bind(OsStr::new(path), &target, 0)?;
    }
    for (target, name) in [
        ("/proc/self/fd", "/dev/fd"),
        ("/proc/self/fd/0", "/dev/stdin"),
        ("/proc/self/fd/1", "/dev/stdout"),
        ("/proc/self/fd/2", "/dev/stderr"),
        (WORK, "/dev/shm"),
    ] {
        std::os::unix::fs::symlink(target, site(name))?;
    }
    for (path, file) in granted {
        let target = site_of(&path);
        let source = format!("/proc/self/fd/{}", file.as_raw_fd());
        place(&target, fs::metadata(&source)?.is_dir())?;
        bind(OsStr::new(&source), &target, libc::MS_REC)?;
    }
    Ok(())
}

/// Makes the new file system the only one, and all of it read-only but for what is granted.
fn enter(start: &Start) -> io::Result<()> {
    rustix::process::chdir(SITE)?;
    // SAFETY: texts that end with NUL. The old root is put on top of the new one and taken off at once.
    unsafe {
        check(libc::syscall(libc::SYS_pivot_root, c".".as_ptr(), c".".as_ptr()))?;
        check(libc::umount2(c".".as_ptr(), libc::MNT_DETACH))?;
    }
    rustix::process::chdir("/")?;
    set_attributes(Path::new("/"), ATTR_RDONLY | ATTR_NOSUID, 0, true)?;
    set_attributes(Path::new(WORK), ATTR_NODEV, ATTR_RDONLY, false)?;
    for path in start.launch.write.iter().map(|text| Path::new(OsStr::from_bytes(text))) {
        if !view::SYSTEM.iter().any(|shown| path.starts_with(shown)) {
            set_attributes(path, 0, ATTR_RDONLY, true)?;
        }
    }
    // SAFETY: a text and its length.
    check(unsafe { libc::sethostname(HOST_NAME.as_ptr().cast(), HOST_NAME.len()) })?;
    Ok(())
}

/// Drops every capability that the birth of the namespace gave.
pub(super) fn give_up_capabilities() -> io::Result<()> {
    /// From `linux/capability.h`: the header and two sets of three words.
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    const VERSION_3: u32 = 0x2008_0522;
    let (header, none) = (Header { version: VERSION_3, pid: 0 }, [0_u32; 6]);
    // SAFETY: the structures of version 3, alive for the call.
    check(unsafe { libc::syscall(libc::SYS_capset, &raw const header, none.as_ptr()) }).map(drop)
}

/// Shows a part of the device in its place.
fn show(path: &Path, piece: &Piece) -> io::Result<()> {
    let target = site_of(path);
    match piece {
        Piece::Link(to) => {
            if let Some(parent) = target.parent().filter(|parent| *parent != Path::new(SITE)) {
                make_dir(parent)?;
            }
            std::os::unix::fs::symlink(to, target)
        }
        Piece::Real { path, is_dir } => {
            place(&target, *is_dir)?;
            bind(path.as_os_str(), &target, libc::MS_REC)
        }
    }
}

fn site(path: &str) -> PathBuf {
    site_of(Path::new(path))
}

/// Where a path of the program's view is, as long as it is being built.
fn site_of(path: &Path) -> PathBuf {
    Path::new(SITE).join(path.strip_prefix("/").unwrap_or(path))
}

/// A place to mount on.
fn place(target: &Path, dir: bool) -> io::Result<()> {
    if dir {
        return make_dir(target);
    }
    if let Some(parent) = target.parent() {
        make_dir(parent)?;
    }
    fs::File::create(target).map(drop)
}

fn make_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o755).create(path)
}

fn bind(source: &OsStr, target: &Path, flags: libc::c_ulong) -> io::Result<()> {
    let source = CString::new(source.as_bytes())?;
    mount(&source, target, None, libc::MS_BIND | flags, None)
}

fn mount(
    source: &CStr,
    target: &Path,
    kind: Option<&CStr>,
    flags: libc::c_ulong,
    options: Option<&CStr>,
) -> io::Result<()> {
    let target = CString::new(target.as_os_str().as_bytes())?;
    let pointer = |text: Option<&CStr>| text.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: texts that end with NUL, or null where the call takes that.
    let done = unsafe { libc::mount(source.as_ptr(), target.as_ptr(), pointer(kind), flags, pointer(options).cast()) };
    check(done).map(drop)
}

/// From `linux/mount.h`.
const ATTR_RDONLY: u64 = 1;
const ATTR_NOSUID: u64 = 2;
const ATTR_NODEV: u64 = 4;

fn set_attributes(path: &Path, on: u64, off: u64, below_too: bool) -> io::Result<()> {
    /// `struct mount_attr`.
    #[repr(C)]
    struct Attributes {
        on: u64,
        off: u64,
        propagation: u64,
        user_namespace: u64,
    }
    let path = CString::new(path.as_os_str().as_bytes())?;
    let attributes = Attributes { on, off, propagation: 0, user_namespace: 0 };
    let flags = if below_too { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: a text that ends with NUL, and a structure of the size that is given.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            flags,
            &raw const attributes,
            size_of::<Attributes>(),
        )
    })
    .map(drop)
}
