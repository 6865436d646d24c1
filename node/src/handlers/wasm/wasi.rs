//! WASI preview 1 for a program that gets its standard streams, arguments, variables, clocks and random bytes, and nothing else:
//! there are no files, directories or sockets to ask for. Everything is in memory; no call of a module reaches the system but a
//! short sleep.
//!
//! Pointers and lengths come from the module: each is checked against its memory, and lists are bounded.

mod guest;
mod poll;
mod told;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use wasmi::{Caller, Engine, Error, FuncType, Linker, Val, ValType};

use super::engine::State;
use guest::Guest;
use told::Teller;
pub(super) use told::told;

/// The name that modules import from.
pub(super) const MODULE: &str = "wasi_snapshot_preview1";

/// Buffers of one read or write; more are left for the next call.
const BUFFERS_MAX: u32 = 1024;

const SUCCESS: i32 = 0;
const BADF: i32 = 8;
const FAULT: i32 = 21;
const INVAL: i32 = 28;
const NOSYS: i32 = 52;
const SPIPE: i32 = 70;

/// What a call gives: an error number of WASI, or an end of the run.
type Errno = Result<i32, Error>;

/// The time of the run is up, found in a call.
#[derive(Debug)]
pub(super) struct TimeUp;

impl std::fmt::Display for TimeUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the time is up")
    }
}

impl wasmi::errors::HostError for TimeUp {}

/// What a program wrote, up to a cap.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) bytes: Vec<u8>,
    pub(super) more: bool,
}

/// What one program sees of the world.
pub(super) struct Wasi {
    /// The first is the program's own name.
    args: Vec<Vec<u8>>,
    /// `NAME=value`.
    env: Vec<Vec<u8>>,
    stdin: Vec<u8>,
    read: usize,
    pub(super) stdout: Written,
    pub(super) stderr: Written,
    output_bytes_max: usize,
    random: blake3::OutputReader,
    clock: Clock,
    deadline: Instant,
    teller: Option<Teller>,
}

/// Where time comes from.
enum Clock {
    /// The system, counted from the start of the run where only differences count.
    Real(Instant),
    /// Nanoseconds that passed because somebody asked, or slept.
    Counted(u64),
}

impl Wasi {
    pub(super) fn new(
        args: &[String],
        env: &[(String, String)],
        stdin: Vec<u8>,
        output_bytes_max: usize,
        seed: &[u8; 32],
        reproducible: bool,
    ) -> Self {
        let now = Instant::now();
        let name = b"module.wasm".to_vec();
        Self {
            args: std::iter::once(name).chain(args.iter().map(|arg| arg.clone().into_bytes())).collect(),
            env: env.iter().map(|(name, value)| format!("{name}={value}").into_bytes()).collect(),
            stdin,
            read: 0,
            stdout: Written::default(),
            stderr: Written::default(),
            output_bytes_max,
            random: blake3::Hasher::new_keyed(seed).finalize_xof(),
            clock: if reproducible { Clock::Counted(0) } else { Clock::Real(now) },
            deadline: now,
            teller: None,
        }
    }

    /// Until when the program may sleep.
    pub(super) fn set_deadline(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    /// Nanoseconds of a clock: 0 is the time of day, all others count from the start.
    fn now(&mut self, clock: u32) -> u64 {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        match &mut self.clock {
            Clock::Real(_) if clock == 0 => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, nanos),
            Clock::Real(start) => nanos(start.elapsed()),
            Clock::Counted(now) => {
                *now = now.saturating_add(1_000);
                *now
            }
        }
    }

    /// From now on what is written is told now and then; what is told last comes with the end.
    pub(super) fn tell_with(&mut self, tell: fn(Vec<u8>) -> std::io::Result<()>) {
        self.teller = Some(Teller::new(tell));
    }

    fn write(&mut self, fd: u32, bytes: &[u8]) {
        let written = if fd == 1 { &mut self.stdout } else { &mut self.stderr };
        let room = self.output_bytes_max.saturating_sub(written.bytes.len());
        let kept = bytes.len().min(room);
        written.bytes.extend_from_slice(&bytes[..kept]);
        written.more |= kept < bytes.len();
        if let Some(teller) = self.teller.as_mut().filter(|teller| teller.is_due()) {
            teller.tell([&self.stdout.bytes, &self.stderr.bytes]);
        }
    }

    /// The program is about to sleep.
    fn tell_now(&mut self) {
        if let Some(teller) = &mut self.teller {
            teller.tell([&self.stdout.bytes, &self.stderr.bytes]);
        }
    }
}

/// Functions that say that there is no such file, or that there is no such thing here, by their parameters: `i` is 32 bits, `I` 64.
const REFUSED: [(&str, &str, i32); 33] = [
    ("fd_advise", "iIIi", BADF),
    ("fd_allocate", "iII", BADF),
    ("fd_datasync", "i", BADF),
    ("fd_fdstat_set_rights", "iII", BADF),
    ("fd_filestat_set_size", "iI", BADF),
    ("fd_filestat_set_times", "iIIi", BADF),
    ("fd_pread", "iiiIi", BADF),
    ("fd_prestat_get", "ii", BADF),
    ("fd_prestat_dir_name", "iii", BADF),
    ("fd_pwrite", "iiiIi", BADF),
    ("fd_readdir", "iiiIi", BADF),
    ("fd_renumber", "ii", BADF),
    ("fd_seek", "iIii", SPIPE),
    ("fd_sync", "i", BADF),
    ("fd_tell", "ii", SPIPE),
    ("path_create_directory", "iii", BADF),
    ("path_filestat_get", "iiiii", BADF),
    ("path_filestat_set_times", "iiiiIIi", BADF),
    ("path_link", "iiiiiii", BADF),
    ("path_open", "iiiiiIIii", BADF),
    ("path_readlink", "iiiiii", BADF),
    ("path_remove_directory", "iii", BADF),
    ("path_rename", "iiiiii", BADF),
    ("path_symlink", "iiiii", BADF),
    ("path_unlink_file", "iii", BADF),
    ("proc_raise", "i", NOSYS),
    ("sock_accept", "iii", BADF),
    ("sock_recv", "iiiiii", BADF),
    ("sock_send", "iiiii", BADF),
    ("sock_shutdown", "ii", BADF),
    ("fd_fdstat_set_flags", "ii", SUCCESS),
    ("sched_yield", "", SUCCESS),
    ("fd_close", "i", SUCCESS),
];

/// Functions that do something.
const OFFERED: [&str; 12] = [
    "args_get",
    "args_sizes_get",
    "clock_res_get",
    "clock_time_get",
    "environ_get",
    "environ_sizes_get",
    "fd_fdstat_get",
    "fd_filestat_get",
    "fd_read",
    "fd_write",
    "random_get",
    "poll_oneoff",
];

/// Whether a module may import it.
pub(super) fn offers(name: &str) -> bool {
    name == "proc_exit" || OFFERED.contains(&name) || REFUSED.iter().any(|(refused, ..)| *refused == name)
}

/// All that a module can import.
pub(super) fn linker(engine: &Engine) -> Linker<State> {
    let mut linker = Linker::new(engine);
    let made = define(&mut linker);
    // Fails only if a name is there twice, which every test of a module would see.
    debug_assert!(made.is_ok(), "{made:?}");
    linker
}

fn define(linker: &mut Linker<State>) -> Result<(), wasmi::errors::LinkerError> {
    for (name, params, errno) in REFUSED {
        let params: Vec<_> = params.chars().map(|c| if c == 'I' { ValType::I64 } else { ValType::I32 }).collect();
        let refuse = move |_: Caller<'_, State>, _: &[Val], out: &mut [Val]| {
            out.iter_mut().for_each(|out| *out = Val::I32(errno));
            Ok(())
        };
        linker.func_new(MODULE, name, FuncType::new(params, [ValType::I32]), refuse)?;
    }
    linker.func_wrap(MODULE, "proc_exit", |code: i32| -> Result<(), Error> { Err(Error::i32_exit(code)) })?;
    linker.func_wrap(MODULE, "args_sizes_get", |mut c: Caller<'_, State>, count: u32, bytes: u32| -> Errno {
        with(&mut c, |guest, wasi| sizes(guest, &wasi.args, count, bytes))
    })?;
    linker.func_wrap(MODULE, "args_get", |mut c: Caller<'_, State>, list: u32, text: u32| -> Errno {
        with(&mut c, |guest, wasi| texts(guest, &wasi.args, list, text))
    })?;
    linker.func_wrap(MODULE, "environ_sizes_get", |mut c: Caller<'_, State>, count: u32, bytes: u32| -> Errno {
        with(&mut c, |guest, wasi| sizes(guest, &wasi.env, count, bytes))
    })?;
    linker.func_wrap(MODULE, "environ_get", |mut c: Caller<'_, State>, list: u32, text: u32| -> Errno {
        with(&mut c, |guest, wasi| texts(guest, &wasi.env, list, text))
    })?;
    linker.func_wrap(MODULE, "clock_res_get", |mut c: Caller<'_, State>, clock: u32, out: u32| -> Errno {
        with(&mut c, |guest, _| if clock > 3 { Err(INVAL) } else { guest.put_u64(out, 1_000) })
    })?;
    linker.func_wrap(MODULE, "clock_time_get", |mut c: Caller<'_, State>, clock: u32, _: u64, out: u32| -> Errno {
        with(&mut c, |guest, wasi| if clock > 3 { Err(INVAL) } else { guest.put_u64(out, wasi.now(clock)) })
    })?;
    linker.func_wrap(MODULE, "random_get", |mut c: Caller<'_, State>, at: u32, bytes: u32| -> Errno {
        with(&mut c, |guest, wasi| {
            wasi.random.fill(guest.slice_mut(at, bytes)?);
            Ok(())
        })
    })?;
    linker.func_wrap(MODULE, "fd_read", |mut c: Caller<'_, State>, fd: u32, list: u32, n: u32, out: u32| -> Errno {
        with(&mut c, |guest, wasi| read(guest, wasi, fd, list, n, out))
    })?;
    linker.func_wrap(
        MODULE,
        "fd_write",
        |mut c: Caller<'_, State>, fd: u32, list: u32, n: u32, out: u32| -> Errno {
            with(&mut c, |guest, wasi| write(guest, wasi, fd, list, n, out))
        },
    )?;
    linker.func_wrap(MODULE, "fd_fdstat_get", |mut c: Caller<'_, State>, fd: u32, out: u32| -> Errno {
        // A character device, as a terminal is: programs then write what they have at the end of each line.
        with(&mut c, |guest, _| guest.put_stream(fd, out, 24, 0))
    })?;
    linker.func_wrap(MODULE, "fd_filestat_get", |mut c: Caller<'_, State>, fd: u32, out: u32| -> Errno {
        with(&mut c, |guest, _| guest.put_stream(fd, out, 64, 16))
    })?;
    linker.func_wrap(
        MODULE,
        "poll_oneoff",
        |mut c: Caller<'_, State>, list: u32, events: u32, n: u32, out: u32| -> Errno {
            let polled = inside(&mut c, |guest, wasi| poll::poll(guest, wasi, list, events, n, out));
            match polled {
                Ok(poll::Slept) => Ok(SUCCESS),
                Err(poll::Stop::Errno(errno)) => Ok(errno),
                Err(poll::Stop::TimeUp) => Err(Error::host(TimeUp)),
            }
        },
    )?;
    Ok(())
}

/// Does something with the module's memory; without one, every pointer is bad.
fn inside<T>(caller: &mut Caller<'_, State>, act: impl FnOnce(&mut Guest<'_>, &mut Wasi) -> T) -> T {
    let memory = caller.get_export("memory").and_then(|export| export.into_memory());
    match memory {
        Some(memory) => {
            let (bytes, state) = memory.data_and_store_mut(caller);
            act(&mut Guest::new(bytes), &mut state.wasi)
        }
        None => act(&mut Guest::new(&mut []), &mut caller.data_mut().wasi),
    }
}

fn with(caller: &mut Caller<'_, State>, act: impl FnOnce(&mut Guest<'_>, &mut Wasi) -> Result<(), i32>) -> Errno {
    Ok(inside(caller, act).err().unwrap_or(SUCCESS))
}

fn length(bytes: usize) -> Result<u32, i32> {
    u32::try_from(bytes).map_err(|_| INVAL)
}

/// How many texts there are, and how long they are with a zero after each.
fn sizes(guest: &mut Guest<'_>, texts: &[Vec<u8>], count: u32, bytes: u32) -> Result<(), i32> {
    guest.put_u32(count, length(texts.len())?)?;
    guest.put_u32(bytes, length(texts.iter().map(|text| text.len() + 1).sum())?)
}

/// The texts, and a list of where each begins.
fn texts(guest: &mut Guest<'_>, texts: &[Vec<u8>], list: u32, mut at: u32) -> Result<(), i32> {
    let mut entry = list;
    for text in texts {
        guest.put_u32(entry, at)?;
        let bytes = length(text.len())?;
        guest.slice_mut(at, bytes)?.copy_from_slice(text);
        let end = at.checked_add(bytes).ok_or(FAULT)?;
        guest.slice_mut(end, 1)?[0] = 0;
        at = end.checked_add(1).ok_or(FAULT)?;
        entry = entry.checked_add(4).ok_or(FAULT)?;
    }
    Ok(())
}

fn read(guest: &mut Guest<'_>, wasi: &mut Wasi, fd: u32, list: u32, n: u32, out: u32) -> Result<(), i32> {
    if fd != 0 {
        return Err(BADF);
    }
    let mut total = 0;
    for index in 0..n.min(BUFFERS_MAX) {
        let (at, bytes) = guest.buffer(list, index)?;
        let to = guest.slice_mut(at, bytes)?;
        let rest = &wasi.stdin[wasi.read..];
        let moved = rest.len().min(to.len());
        to[..moved].copy_from_slice(&rest[..moved]);
        wasi.read += moved;
        total += moved;
        if moved < to.len() {
            break;
        }
    }
    guest.put_u32(out, length(total)?)
}

fn write(guest: &mut Guest<'_>, wasi: &mut Wasi, fd: u32, list: u32, n: u32, out: u32) -> Result<(), i32> {
    if !(1..=2).contains(&fd) {
        return Err(BADF);
    }
    let mut total = 0_u32;
    for index in 0..n.min(BUFFERS_MAX) {
        let (at, bytes) = guest.buffer(list, index)?;
        let Some(sum) = total.checked_add(bytes) else { break };
        wasi.write(fd, guest.slice(at, bytes)?);
        total = sum;
    }
    guest.put_u32(out, total)
}
