//! System calls that a task cannot make, as a seccomp filter: the kernel refuses them whatever the task's user may do.
//!
//! A list of what is refused, and everything newer than this list: programs of every kind shall run, but nothing shall reach
//! the network, the kernel's workshop (mounts, modules, keys, tracing) or out of the task's group. Written by hand because the
//! libraries for it do not know 32-bit ARM. Does not know why a task is refused something.

use std::io;

use libc::{c_long, sock_filter};

/// What a filter lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filter {
    /// For programs that somebody else wrote.
    Command {
        /// Sockets of the internet protocols.
        internet: bool,
        /// Sockets between processes of this machine; only where names outside of the task cannot be reached.
        local: bool,
        /// Leaving the process group, and System V memory and queues; only where namespaces hold both.
        groups: bool,
    },
    /// For our own interpreters, which compute and talk over their pipes.
    Worker {
        /// Opening files; only where something else says which.
        files: bool,
    },
}

/// The highest system call that was looked at; newer ones do not exist for a task. Private calls of 32-bit ARM lie far above.
#[cfg(not(target_arch = "arm"))]
const NEWEST: u32 = 469;

#[cfg(target_arch = "x86_64")]
const ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCH: u32 = 0xc000_00b7;
#[cfg(target_arch = "riscv64")]
const ARCH: u32 = 0xc000_00f3;
#[cfg(target_arch = "arm")]
const ARCH: u32 = 0x4000_0028;

/// Where `seccomp_data` has the number, the architecture and the arguments (their low halves: all of these are little-endian).
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const fn argument(index: u32) -> u32 {
    16 + 8 * index
}

/// Nothing that a program for people needs.
const NEVER: &[c_long] = &[
    // Would do what is refused here, unseen by this filter.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_perf_event_open,
    // Namespaces and mounts.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_quotactl,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    // The kernel itself.
    libc::SYS_bpf,
    libc::SYS_userfaultfd,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
];

#[cfg(target_arch = "x86_64")]
const NEVER_HERE: &[c_long] =
    &[libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt, libc::SYS_kexec_file_load, libc::SYS_lookup_dcookie];
#[cfg(not(target_arch = "x86_64"))]
const NEVER_HERE: &[c_long] = &[];

/// What reaches out of a task that shares process and IPC namespaces with the rest of the machine.
const OUTSIDE: &[c_long] = &[
    libc::SYS_setsid,
    libc::SYS_setpgid,
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_msgget,
    libc::SYS_semget,
    libc::SYS_mq_open,
];

/// What changes the process that its first argument names, 0 being the caller: limits, scheduling, processors. Nothing else keeps
/// one process of a user from doing that to another.
const OF_A_PROCESS: &[c_long] = &[
    libc::SYS_prlimit64,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_setattr,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setscheduler,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
];

/// The same, with what kind of number it is before it: a process, a group, or (never) a user.
const OF_A_KIND: &[(c_long, u32)] = &[(libc::SYS_setpriority, PRIO_USER), (libc::SYS_ioprio_set, IOPRIO_WHO_USER)];

/// From `sys/resource.h`.
const PRIO_USER: u32 = 2;
/// From `linux/ioprio.h`.
const IOPRIO_WHO_USER: u32 = 3;

/// What a program that only computes has no use for.
const COMPUTING: &[c_long] = &[
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_send_signal,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_memfd_create,
    libc::SYS_setpriority,
];

/// What names files.
const FILES: &[c_long] = &[
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_unlinkat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_mkdirat,
    libc::SYS_mknodat,
    libc::SYS_readlinkat,
    libc::SYS_fchmodat,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_chdir,
];

#[cfg(any(target_arch = "x86_64", target_arch = "arm"))]
const FILES_HERE: &[c_long] = &[
    libc::SYS_open,
    libc::SYS_creat,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_rmdir,
    libc::SYS_link,
    libc::SYS_symlink,
    libc::SYS_mkdir,
    libc::SYS_mknod,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_readlink,
];
#[cfg(not(any(target_arch = "x86_64", target_arch = "arm")))]
const FILES_HERE: &[c_long] = &[];

/// Makes the calling thread, and all that it starts, unable to do what the filter refuses. For ever.
///
/// # Errors
/// The kernel has no filters, or `no_new_privs` is not set.
pub(super) fn install(filter: Filter) -> io::Result<()> {
    let mut program = build(filter);
    let length = u16::try_from(program.len()).map_err(|_| io::Error::other("a filter too long"))?;
    let handed = libc::sock_fprog { len: length, filter: program.as_mut_ptr() };
    // SAFETY: `handed` points to `length` instructions that outlive the call, which copies them.
    let done = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const handed) };
    if done != 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn build(filter: Filter) -> Vec<sock_filter> {
    let mut out = Program::default();
    out.load(ARCHITECTURE);
    out.unless_equal(ARCH, |out| out.answer(libc::SECCOMP_RET_KILL_PROCESS));
    out.load(NUMBER);
    // Also all of x32, whose numbers begin at 2^30.
    #[cfg(not(target_arch = "arm"))]
    out.if_above(NEWEST, |out| out.refuse(libc::ENOSYS));
    out.refuse_all(NEVER, libc::EPERM);
    out.refuse_all(NEVER_HERE, libc::EPERM);
    // Its flags lie in memory, out of a filter's sight; without it programs use `clone`.
    out.refuse_all(&[libc::SYS_clone3], libc::ENOSYS);
    match filter {
        Filter::Command { internet, local, groups } => {
            if !groups {
                out.refuse_all(OUTSIDE, libc::EPERM);
                out.only_itself();
            }
            out.sockets(internet, local);
            out.no_new_namespaces(0);
            out.no_typing();
        }
        Filter::Worker { files } => {
            out.refuse_all(COMPUTING, libc::EACCES);
            out.only_itself();
            if !files {
                out.refuse_all(FILES, libc::EACCES);
                out.refuse_all(FILES_HERE, libc::EACCES);
            }
            // Threads are fine, processes are not.
            out.no_new_namespaces(libc::CLONE_THREAD as u32);
            #[cfg(any(target_arch = "x86_64", target_arch = "arm"))]
            out.refuse_all(&[libc::SYS_fork, libc::SYS_vfork], libc::EACCES);
        }
    }
    out.answer(libc::SECCOMP_RET_ALLOW);
    out.0
}

/// Instructions. Between two of the methods the accumulator holds the number of the system call.
#[derive(Default)]
struct Program(Vec<sock_filter>);

impl Program {
    fn push(&mut self, code: u32, k: u32, jt: u8, jf: u8) {
        // The codes are made of small parts; all of them fit.
        self.0.push(sock_filter { code: code as u16, jt, jf, k });
    }

    fn load(&mut self, offset: u32) {
        self.push(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, 0, 0);
    }

    fn answer(&mut self, action: u32) {
        self.push(libc::BPF_RET | libc::BPF_K, action, 0, 0);
    }

    fn refuse(&mut self, errno: i32) {
        self.answer(libc::SECCOMP_RET_ERRNO | (errno as u32 & libc::SECCOMP_RET_DATA));
    }

    /// A jump over `body`. `taken` says which outcome of the comparison enters it.
    fn when(&mut self, comparison: u32, value: u32, taken: bool, body: impl FnOnce(&mut Self)) {
        let at = self.0.len();
        self.push(libc::BPF_JMP | comparison | libc::BPF_K, value, 0, 0);
        body(self);
        // Bodies are a handful of instructions.
        let over = (self.0.len() - at - 1) as u8;
        let jump = &mut self.0[at];
        if taken { jump.jf = over } else { jump.jt = over }
    }

    fn if_equal(&mut self, value: u32, body: impl FnOnce(&mut Self)) {
        self.when(libc::BPF_JEQ, value, true, body);
    }

    fn unless_equal(&mut self, value: u32, body: impl FnOnce(&mut Self)) {
        self.when(libc::BPF_JEQ, value, false, body);
    }

    #[cfg(not(target_arch = "arm"))]
    fn if_above(&mut self, value: u32, body: impl FnOnce(&mut Self)) {
        self.when(libc::BPF_JGT, value, true, body);
    }

    fn if_any_bit(&mut self, mask: u32, body: impl FnOnce(&mut Self)) {
        self.when(libc::BPF_JSET, mask, true, body);
    }

    fn unless_any_bit(&mut self, mask: u32, body: impl FnOnce(&mut Self)) {
        self.when(libc::BPF_JSET, mask, false, body);
    }

    fn refuse_all(&mut self, calls: &[c_long], errno: i32) {
        for call in calls {
            self.if_equal(*call as u32, |out| out.refuse(errno));
        }
    }

    /// Limits and priorities of the caller alone.
    fn only_itself(&mut self) {
        for call in OF_A_PROCESS {
            self.if_equal(*call as u32, |out| {
                out.load(argument(0));
                out.unless_equal(0, |out| out.refuse(libc::EPERM));
                out.answer(libc::SECCOMP_RET_ALLOW);
            });
        }
        for (call, user) in OF_A_KIND {
            self.if_equal(*call as u32, |out| {
                out.load(argument(0));
                out.if_equal(*user, |out| out.refuse(libc::EPERM));
                out.load(argument(1));
                out.unless_equal(0, |out| out.refuse(libc::EPERM));
                out.answer(libc::SECCOMP_RET_ALLOW);
            });
        }
    }

    /// Only sockets of the families that are allowed. `socketpair` reaches nobody and stays.
    fn sockets(&mut self, internet: bool, local: bool) {
        let mut families = Vec::new();
        if internet {
            families.extend([libc::AF_INET, libc::AF_INET6]);
        }
        if local {
            families.push(libc::AF_UNIX);
        }
        self.if_equal(libc::SYS_socket as u32, |out| {
            out.load(argument(0));
            for family in &families {
                out.if_equal(*family as u32, |out| out.answer(libc::SECCOMP_RET_ALLOW));
            }
            out.refuse(libc::EACCES);
        });
    }

    /// No namespaces by `clone`; and none of its uses that do not have all of the flags `needed`.
    fn no_new_namespaces(&mut self, needed: u32) {
        let new = libc::CLONE_NEWUSER
            | libc::CLONE_NEWPID
            | libc::CLONE_NEWNS
            | libc::CLONE_NEWNET
            | libc::CLONE_NEWIPC
            | libc::CLONE_NEWUTS
            | libc::CLONE_NEWCGROUP;
        self.if_equal(libc::SYS_clone as u32, |out| {
            out.load(argument(0));
            out.if_any_bit(new as u32, |out| out.refuse(libc::EPERM));
            if needed != 0 {
                out.unless_any_bit(needed, |out| out.refuse(libc::EACCES));
            }
            out.answer(libc::SECCOMP_RET_ALLOW);
        });
    }

    /// Nobody types into a terminal that was left open.
    fn no_typing(&mut self) {
        self.if_equal(libc::SYS_ioctl as u32, |out| {
            out.load(argument(1));
            out.if_equal(libc::TIOCSTI as u32, |out| out.refuse(libc::EPERM));
            out.if_equal(TIOCLINUX, |out| out.refuse(libc::EPERM));
            out.answer(libc::SECCOMP_RET_ALLOW);
        });
    }
}

/// From `asm-generic/ioctls.h`.
const TIOCLINUX: u32 = 0x541c;
