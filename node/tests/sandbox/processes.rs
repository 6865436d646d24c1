//! No way to other processes, nor out of the sandbox by way of namespaces and privileges.

use super::cell::{Victim, all_refused, cells};

#[tokio::test]
async fn no_process_outside_is_signalled_or_traced() {
    for cell in cells().await {
        let mut victim = Victim::new();
        let (node, other) = (std::process::id(), victim.0.id());
        let seen = cell
            .attack(&format!(
                r#"
class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
room = ctypes.create_string_buffer(8)
vector = Vector(ctypes.addressof(room), 8)
attempt("see", lambda: os.kill({other}, 0))
attempt("stop", lambda: os.kill({other}, signal.SIGSTOP))
attempt("kill", lambda: os.kill({other}, signal.SIGKILL))
attempt("kill the node", lambda: os.kill({node}, signal.SIGKILL))
attempt("kill the node's group", lambda: os.killpg(os.getpgid({node}), signal.SIGKILL))
attempt("by descriptor", lambda: signal.pidfd_send_signal(os.pidfd_open({other}), signal.SIGKILL))
attempt("queue", lambda: call(libc.sigqueue, {other}, 9, None))
attempt("trace", lambda: call(libc.ptrace, 16, {other}, None, None))
attempt("seize", lambda: call(libc.ptrace, 0x4206, {other}, None, None))
attempt("trace its parent", lambda: call(libc.ptrace, 16, os.getppid(), None, None))
attempt("trace itself", lambda: call(libc.ptrace, 0, 0, None, None))
attempt("read", lambda: call(libc.process_vm_readv, {other}, ctypes.byref(vector), 1, ctypes.byref(vector), 1, 0))
attempt("write", lambda: call(libc.process_vm_writev, {other}, ctypes.byref(vector), 1, ctypes.byref(vector), 1, 0))
attempt("take a file", lambda: call(libc.syscall, 438, os.pidfd_open(os.getpid()), 0, 0))
attempt("limits of another", lambda: call(libc.prlimit, {other}, 7, ctypes.create_string_buffer(b"\0" * 16, 16), None))
attempt("priority of another", lambda: os.setpriority(os.PRIO_PROCESS, {other}, 19))
attempt("processors of another", lambda: os.sched_setaffinity({other}, [0]))
attempt("scheduling of another", lambda: os.sched_setscheduler({other}, os.SCHED_IDLE, os.sched_param(0)))
attempt("disk priority of another", lambda: call(libc.syscall, 251 if os.uname().machine == "x86_64" else 30, 1, {other}, 3 << 13))
"#
            ))
            .await;
        all_refused(cell.tier, &seen, 19);
        assert!(victim.is_alive());
        // By user instead of by number: it succeeds in a namespace, and finds nobody but itself there.
        cell.attack(r#"attempt("everybody", lambda: os.setpriority(os.PRIO_USER, 0, 19))"#).await;
        let stat = std::fs::read_to_string(format!("/proc/{other}/stat")).unwrap();
        let nice = stat.rsplit_once(") ").unwrap().1.split(' ').nth(16).unwrap().to_owned();
        assert_ne!(nice, "19", "{}", cell.tier.text());
    }
}

#[tokio::test]
async fn no_namespace_mount_or_privilege_is_to_be_had() {
    for cell in cells().await {
        let seen = cell
            .attack(
                r#"
NEWNS, NEWUSER, NEWPID, NEWNET = 0x20000, 0x10000000, 0x20000000, 0x40000000
attempt("unshare user", lambda: call(libc.unshare, NEWUSER))
attempt("unshare mounts", lambda: call(libc.unshare, NEWNS))
attempt("unshare network", lambda: call(libc.unshare, NEWUSER | NEWNET))
def clone(flags):
    pid = call(libc.syscall, ctypes.c_long(56 if os.uname().machine == "x86_64" else 220), ctypes.c_long(flags | 17), 0, 0, 0, 0)
    if pid == 0: os._exit(0)
attempt("clone user", lambda: clone(NEWUSER))
attempt("clone pid", lambda: clone(NEWPID))
class Args(ctypes.Structure):
    _fields_ = [(n, ctypes.c_uint64) for n in "flags pidfd ctid ptid exit stack size tls set n cgroup".split()]
def clone3():
    args = Args(flags=NEWUSER, exit=17)
    pid = call(libc.syscall, 435, ctypes.byref(args), ctypes.sizeof(args))
    if pid == 0: os._exit(0)
attempt("clone3 user", clone3)
attempt("setns", lambda: call(libc.setns, os.pidfd_open(os.getpid()), NEWUSER))
attempt("mount", lambda: call(libc.mount, b"none", b".", b"tmpfs", 0, None))
attempt("bind", lambda: call(libc.mount, b"/usr", b".", None, 4096, None))
attempt("remount", lambda: call(libc.mount, None, b"/", None, 32, None))
attempt("unmount", lambda: call(libc.umount2, b"/", 2))
attempt("open_tree", lambda: call(libc.syscall, 428, -100, b"/usr", 1))
attempt("fsopen", lambda: call(libc.syscall, 430, b"tmpfs", 0))
attempt("mount_setattr", lambda: call(libc.syscall, 442, -100, b"/", 0, ctypes.create_string_buffer(32), 32))
attempt("chroot", lambda: os.chroot("."))
attempt("pivot", lambda: call(libc.syscall, 155 if os.uname().machine == "x86_64" else 41, b".", b"."))
attempt("be root", lambda: os.setuid(0))
attempt("be in root's group", lambda: os.setgid(0))
attempt("groups", lambda: os.setgroups([0]))
attempt("give away", lambda: (open("f", "w"), os.chown("f", 0, 0)))
attempt("be niced", lambda: os.nice(-20))
attempt("clock", lambda: time.clock_settime(time.CLOCK_REALTIME, 0))
attempt("host name", lambda: socket.sethostname("x"))
attempt("bpf", lambda: call(libc.syscall, 321 if os.uname().machine == "x86_64" else 280, 0, None, 0))
attempt("perf", lambda: call(libc.syscall, 298 if os.uname().machine == "x86_64" else 241, None, 0, -1, -1, 0))
attempt("keys", lambda: call(libc.syscall, 250 if os.uname().machine == "x86_64" else 219, 0, -3, 1))
attempt("userfaultfd", lambda: call(libc.syscall, 323 if os.uname().machine == "x86_64" else 282, 1))
attempt("module", lambda: call(libc.syscall, 313 if os.uname().machine == "x86_64" else 273, 0, b"", 0))
attempt("tomorrow's calls", lambda: call(libc.syscall, 471, 0, 0, 0))
attempt("x32", lambda: call(libc.syscall, 0x40000000 + 39))
"#,
            )
            .await;
        all_refused(cell.tier, &seen, 30);
        assert_eq!(seen["clone3 user"], "ENOSYS");
        assert_eq!(seen["unshare user"], "EPERM");
        assert_eq!(seen["tomorrow's calls"], "ENOSYS");
    }
}

#[tokio::test]
async fn a_program_of_another_architecture_is_killed_not_obeyed() {
    if cfg!(not(target_arch = "x86_64")) {
        eprintln!("SKIPPED: the attack is for x86_64");
        return;
    }
    for cell in cells().await {
        // int 0x80 reaches the 32-bit table, whose numbers mean other calls.
        let script = r#"
code = b"\xb8\x14\x00\x00\x00\xcd\x80\xc3"
page = mmap.mmap(-1, 4096, prot=7)
page.write(code)
function = ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
print("called", function(), flush=True)
"#;
        let error = cell.run(super::cell::attack(script)).await.unwrap_err();
        let result = error.result.unwrap();
        assert_eq!((&result["return_code"], &result["stdout"]), (&(128 + 31).into(), &"".into()), "{result}");
    }
}
