//! What the node and its spawner say to each other: length-prefixed CBOR, with open files beside it.
//!
//! The spawner believes the node, which started it; the node reads nothing from it but fixed-size records.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};

/// Longest message. The system takes far less as arguments and environment together.
const BODY_BYTES_MAX: usize = 32 << 20;
/// Open files that go with one message, at most.
pub(super) const FILES_MAX: usize = 12;

/// A text as the system has them: any bytes but NUL.
pub(super) type Text = serde_bytes::ByteBuf;

/// From the node to the spawner.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Message {
    /// The first one, once.
    Configure {
        /// Whether programs started by this spawner may reach the network, if they are let.
        network: bool,
    },
    Launch(Box<Launch>),
    /// To everybody in a program's group. A program that has ended gets nothing.
    Signal {
        id: u64,
        signal: i32,
    },
}

/// A program to start. Its open files: gate, report, stdout, stderr, work directory, then stdin if there is one, then the control
/// groups to join.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Launch {
    /// Chosen by the node, never used twice.
    pub(super) id: u64,
    /// In namespaces of its own, or behind filters alone.
    pub(super) namespaces: bool,
    pub(super) argv: Vec<Text>,
    /// `NAME=value`.
    pub(super) env: Vec<Text>,
    /// Below the work directory, or absolute.
    pub(super) cwd: Text,
    pub(super) stdin: bool,
    pub(super) network: bool,
    pub(super) read: Vec<Text>,
    pub(super) write: Vec<Text>,
    pub(super) limits: Limits,
}

/// Bounds on each process of a program.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Limits {
    pub(super) memory_bytes: Option<u64>,
    pub(super) file_bytes: Option<u64>,
    pub(super) open_files: Option<u64>,
    pub(super) stack_bytes: Option<u64>,
    pub(super) processes: Option<u64>,
}

/// From the spawner, once, when it is ready.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Hello {
    /// It lives in a network of its own, which has nothing in it.
    pub(super) own_network: bool,
    /// Why not, or why it serves nobody.
    pub(super) trouble: Option<String>,
}

/// Sends a message and the files that go with it. Blocks.
pub(super) fn send(socket: &mut UnixStream, message: &impl Serialize, files: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut body = Vec::new();
    ciborium::into_writer(message, &mut body).map_err(io::Error::other)?;
    if body.len() > BODY_BYTES_MAX || files.len() > FILES_MAX {
        return Err(io::Error::from_raw_os_error(libc::E2BIG));
    }
    let header = (body.len() as u64).to_le_bytes();
    let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES_MAX))];
    let mut beside = SendAncillaryBuffer::new(&mut room);
    if !files.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(files)) {
        return Err(io::Error::other("no room for files"));
    }
    let sent = sendmsg(&*socket, &[IoSlice::new(&header)], &mut beside, SendFlags::NOSIGNAL)?;
    socket.write_all(&header[sent..])?;
    socket.write_all(&body)
}

/// The next message and its files. `None` when the other side has closed.
pub(super) fn receive<T: for<'de> Deserialize<'de>>(socket: &mut UnixStream) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let mut header = [0; 8];
    let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES_MAX))];
    let mut beside = RecvAncillaryBuffer::new(&mut room);
    let into = &mut [IoSliceMut::new(&mut header)];
    let read = rustix::io::retry_on_intr(|| recvmsg(&*socket, into, &mut beside, RecvFlags::CMSG_CLOEXEC))?.bytes;
    if read == 0 {
        return Ok(None);
    }
    let mut files = Vec::new();
    for message in beside.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            files.extend(rights);
        }
    }
    socket.read_exact(&mut header[read..])?;
    let length = usize::try_from(u64::from_le_bytes(header)).unwrap_or(usize::MAX);
    if length > BODY_BYTES_MAX {
        return Err(io::Error::other("a message too long"));
    }
    let mut body = vec![0; length];
    socket.read_exact(&mut body)?;
    let message = ciborium::from_reader(body.as_slice()).map_err(io::Error::other)?;
    Ok(Some((message, files)))
}

/// What the node is told of a program as it goes, over a pipe that takes each record whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Record {
    /// It runs under this id, as the node sees processes.
    Pid(i32),
    /// The program itself ended so; what it left behind dies now.
    Ended(i32),
    /// Nothing of it is left. The status is that of the process that the spawner knows.
    Over { status: i32, cpu_micros: u64, memory_bytes: u64 },
}

pub(super) const RECORD_BYTES: usize = 24;

impl Record {
    pub(super) fn encode(self) -> [u8; RECORD_BYTES] {
        let (kind, value, cpu, memory) = match self {
            Self::Pid(pid) => (1_u32, pid, 0, 0),
            Self::Ended(status) => (2, status, 0, 0),
            Self::Over { status, cpu_micros, memory_bytes } => (3, status, cpu_micros, memory_bytes),
        };
        let mut bytes = [0; RECORD_BYTES];
        bytes[..4].copy_from_slice(&kind.to_le_bytes());
        bytes[4..8].copy_from_slice(&value.to_le_bytes());
        bytes[8..16].copy_from_slice(&cpu.to_le_bytes());
        bytes[16..].copy_from_slice(&memory.to_le_bytes());
        bytes
    }

    /// `None` if it is none.
    pub(super) fn decode(bytes: [u8; RECORD_BYTES]) -> Option<Self> {
        let word = |at: usize| [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
        let long =
            |at: usize| u64::from(u32::from_le_bytes(word(at))) | u64::from(u32::from_le_bytes(word(at + 4))) << 32;
        let value = i32::from_le_bytes(word(4));
        match u32::from_le_bytes(word(0)) {
            1 => Some(Self::Pid(value)),
            2 => Some(Self::Ended(value)),
            3 => Some(Self::Over { status: value, cpu_micros: long(8), memory_bytes: long(16) }),
            _ => None,
        }
    }
}

/// How far a program came on its way to life, for the one that does not get there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Step {
    Clone = 1,
    Identity,
    ControlGroup,
    Root,
    Proc,
    Fork,
    Directory,
    Limits,
    Landlock,
    Filter,
    Execute,
}

impl Step {
    const ALL: [Self; 11] = [
        Self::Clone,
        Self::Identity,
        Self::ControlGroup,
        Self::Root,
        Self::Proc,
        Self::Fork,
        Self::Directory,
        Self::Limits,
        Self::Landlock,
        Self::Filter,
        Self::Execute,
    ];

    pub(super) fn of(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|step| *step as u32 == number)
    }

    /// What could not be done.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Clone => "make a process",
            Self::Identity => "map the user into a namespace",
            Self::ControlGroup => "join a control group",
            Self::Root => "build a file system of its own",
            Self::Proc => "mount /proc in a namespace",
            Self::Fork => "start the program beside its warden",
            Self::Directory => "enter the working directory",
            Self::Limits => "set limits",
            Self::Landlock => "confine it to its files (landlock)",
            Self::Filter => "filter its system calls (seccomp)",
            Self::Execute => "execute it",
        }
    }
}
