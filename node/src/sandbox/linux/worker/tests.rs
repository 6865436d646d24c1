//! Each test makes a child that restricts itself and then tries what it must not be able to do.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::fd::FromRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;

use super::*;

/// What a child says of itself, one word per line. Only what is true.
fn in_child(act: impl FnOnce() -> Vec<(&'static str, bool)>) -> Vec<String> {
    let mut ends = [0; 2];
    // SAFETY: `ends` is room for two descriptors. The child is a copy with one thread, of a library that prepares its allocator
    // for that; it leaves by `_exit` and runs nothing of the parent's.
    let (pid, mut from) = unsafe {
        check_call(libc::pipe(ends.as_mut_ptr()));
        let pid = libc::fork();
        if pid == 0 {
            let words: Vec<_> = act().into_iter().filter(|(_, holds)| *holds).map(|(word, _)| word).collect();
            let _ = File::from_raw_fd(ends[1]).write_all(words.join("\n").as_bytes());
            libc::_exit(0);
        }
        libc::close(ends[1]);
        (pid, File::from_raw_fd(ends[0]))
    };
    assert!(pid > 0);
    let mut text = String::new();
    from.read_to_string(&mut text).unwrap();
    let mut status = 0;
    // SAFETY: a child of ours, and an integer to fill in.
    unsafe { check_call(libc::waitpid(pid, &mut status, 0)) };
    assert_eq!(status, 0, "the child did not end by itself");
    text.lines().map(str::to_owned).collect()
}

fn check_call(returned: i32) {
    assert_ne!(returned, -1, "{}", io::Error::last_os_error());
}

fn refused<T>(result: io::Result<T>) -> bool {
    result.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

#[test]
fn a_restricted_worker_computes_and_can_do_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("secret");
    std::fs::write(&secret, "secret").unwrap();
    let socket = dir.path().join("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    let parent = rustix::process::getpid().as_raw_nonzero().get();
    let said = in_child(|| {
        let Ok(restricted) = restrict_worker(&WorkerGrants::default()) else { return vec![("error", true)] };
        let attempts = vec![
            ("full", restricted.is_full()),
            ("not root", !rustix::process::getuid().is_root()),
            ("no read", refused(File::open(&secret))),
            ("no environ", refused(File::open("/proc/self/environ"))),
            ("no environ of the node", refused(File::open(format!("/proc/{parent}/environ")))),
            ("no write", refused(File::create(dir.path().join("new")))),
            ("no remove", refused(std::fs::remove_file(&secret))),
            ("no list", refused(std::fs::read_dir(dir.path()))),
            ("no tcp", refused(TcpStream::connect("127.0.0.1:9"))),
            ("no udp", refused(UdpSocket::bind("127.0.0.1:0"))),
            ("no unix", refused(UnixStream::connect(&socket))),
            ("no program", Command::new("/bin/true").spawn().is_err()),
            // SAFETY: plain integers; a child that does come to be ends at once.
            ("no fork", unsafe {
                let pid = libc::fork();
                if pid == 0 {
                    libc::_exit(0);
                }
                pid == -1
            }),
            // SAFETY: plain integers.
            ("no signal", unsafe { libc::kill(parent, libc::SIGCONT) } == -1),
            // SAFETY: these calls take plain integers and null pointers.
            ("no trace", unsafe { libc::ptrace(libc::PTRACE_ATTACH, parent, 0, 0) } == -1),
            // SAFETY: as above.
            ("no ring", unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, 0) } == -1),
            // SAFETY: as above.
            ("no namespace", unsafe { libc::unshare(libc::CLONE_NEWUSER) } == -1),
            ("a thread", std::thread::Builder::new().spawn(|| 6 * 7).is_ok_and(|t| t.join().is_ok_and(|n| n == 42))),
            ("memory", vec![1_u8; 8 << 20].iter().map(|byte| u64::from(*byte)).sum::<u64>() == 8 << 20),
        ];
        attempts
    });
    let all = [
        "full",
        "not root",
        "no read",
        "no environ",
        "no environ of the node",
        "no write",
        "no remove",
        "no list",
        "no tcp",
        "no udp",
        "no unix",
        "no program",
        "no fork",
        "no signal",
        "no trace",
        "no ring",
        "no namespace",
        "a thread",
        "memory",
    ];
    assert_eq!(said, all);
    assert!(secret.exists());
}

#[test]
fn a_grant_opens_one_directory_and_nothing_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let (granted, beside) = (dir.path().join("granted"), dir.path().join("beside"));
    for place in [&granted, &beside] {
        std::fs::create_dir(place).unwrap();
        std::fs::write(place.join("file"), "text").unwrap();
    }
    std::os::unix::fs::symlink(beside.join("file"), granted.join("link")).unwrap();
    // Root's worker is somebody else.
    std::os::unix::fs::chown(dir.path(), Some(task_user().uid), None).unwrap();
    let said = in_child(|| {
        let grants = WorkerGrants { read: vec![granted.clone()], write: Vec::new() };
        let Ok(restricted) = restrict_worker(&grants) else { return vec![("error", true)] };
        vec![
            ("full", restricted.is_full()),
            ("reads", std::fs::read_to_string(granted.join("file")).is_ok_and(|text| text == "text")),
            ("does not write", File::options().write(true).open(granted.join("file")).is_err()),
            ("not beside", refused(File::open(beside.join("file")))),
            ("not by a link", refused(File::open(granted.join("link")))),
            ("not by dots", refused(File::open(granted.join("../beside/file")))),
        ]
    });
    let without_landlock = ["error"];
    let all = ["full", "reads", "does not write", "not beside", "not by a link", "not by dots"];
    if said == without_landlock {
        eprintln!("SKIPPED: this kernel has no landlock, and granting files was refused");
        return;
    }
    assert_eq!(said, all);
}
