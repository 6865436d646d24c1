//! The worker's side: one evaluation for each request.

use std::io;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::time::Duration;

use super::engine::{Limits, Printed, evaluate};
use super::message::{Failure, Reply, Request};
use crate::handlers::workers::{self, Frame};
use crate::sandbox::own_usage;

/// Serves until stdin ends. The process belongs to the pool that started it.
pub fn serve() -> ExitCode {
    workers::serve(|request| reply(answer(&request.message()?)))
}

fn reply(reply: Reply) -> io::Result<Frame> {
    let spoilt = reply.spoils();
    let mut frame = Frame::new(&reply, Vec::new()).or_else(|_| {
        let text = "the result is too large to hand over".to_owned();
        Frame::new(&Reply { value: Err((Failure::TooLarge, text)), printed: String::new(), ..reply }, Vec::new())
    })?;
    frame.spoilt = spoilt;
    Ok(frame)
}

fn answer(request: &Request) -> Reply {
    let before = own_usage();
    let mut printed = Printed::new(request.print_bytes_max, workers::tell);
    let limits = Limits { time: Duration::from_millis(request.limit_ms), memory_bytes: request.memory_bytes };
    // Nothing of an evaluation is used by the next one, so what a panic leaves half done harms nobody.
    let evaluated = std::panic::catch_unwind(AssertUnwindSafe(|| evaluate(&request.expression, limits, &mut printed)));
    let broken = |_| Err((Failure::Broken, "the interpreter failed on this expression".to_owned()));
    let after = own_usage();
    let cpu_micros = after.cpu_micros.zip(before.cpu_micros).map(|(after, before)| after.saturating_sub(before));
    Reply {
        value: evaluated.unwrap_or_else(broken),
        printed: printed.text,
        printed_more: printed.more,
        cpu_micros,
        memory_bytes: after.memory_bytes_max,
    }
}
