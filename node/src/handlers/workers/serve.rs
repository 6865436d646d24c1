//! The worker's side: gives up all that a computation does not need, then reads requests from stdin, answers on stdout, and ends
//! when stdin does.

use std::io::{self, Write};
use std::process::ExitCode;

use super::frame::Frame;
use crate::sandbox::{WorkerGrants, restrict_worker};

/// Says something to whoever asked, while the answer is still being worked on.
///
/// # Errors
/// Nobody is there any more.
pub(in crate::handlers) fn tell(part: Vec<u8>) -> io::Result<()> {
    // The thread that serves has this lock; it may have it twice.
    let mut output = io::stdout().lock();
    output.write_all(&Frame::part(part)?.to_bytes()?)?;
    output.flush()
}

/// Serves until stdin ends. The process belongs to the pool that started it, and there is nothing that it needs besides its
/// pipes. An answer that cannot be given is a failure: whoever asked sees the worker end.
pub(in crate::handlers) fn serve(mut answer: impl FnMut(Frame) -> io::Result<Frame>) -> ExitCode {
    let mut serve = || -> io::Result<()> {
        let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
        while let Some(request) = Frame::read(&mut input)? {
            output.write_all(&answer(request)?.to_bytes()?)?;
            output.flush()?;
        }
        Ok(())
    };
    // What cannot be held on this system is not: its device says so in its record.
    if restrict_worker(&WorkerGrants::default()).is_err() {
        return ExitCode::FAILURE;
    }
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
