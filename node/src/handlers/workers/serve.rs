//! The worker's side: reads requests from stdin, answers on stdout, ends when stdin does.

use std::io::{self, Write};
use std::process::ExitCode;

use super::frame::Frame;

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
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
