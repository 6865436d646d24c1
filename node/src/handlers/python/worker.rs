//! The worker's side: reads requests from stdin, evaluates, answers on stdout, ends when stdin does.

use std::io::{self, Read, Write};
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::time::Duration;

use super::engine::{Limits, Printed, evaluate};
use super::frame::{Failure, Reply, Request, body_bytes, encode};
use crate::sandbox::own_usage;

/// Serves until stdin ends. The process belongs to the pool that started it.
pub fn serve() -> ExitCode {
    match answer_all(&mut io::stdin().lock(), &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn answer_all(input: &mut impl Read, output: &mut impl Write) -> io::Result<()> {
    loop {
        let mut header = [0; 4];
        match input.read_exact(&mut header) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        }
        let mut body = vec![0; body_bytes(header)?];
        input.read_exact(&mut body)?;
        let reply = answer(&serde_json::from_slice(&body)?);
        let frame = encode(&reply).or_else(|_| {
            let text = "the result is too large to hand over".to_owned();
            encode(&Reply { value: Err((Failure::TooLarge, text)), printed: String::new(), ..reply })
        })?;
        output.write_all(&frame)?;
        output.flush()?;
    }
}

fn answer(request: &Request) -> Reply {
    let before = own_usage();
    let mut printed = Printed { text: String::new(), more: false, bytes_max: request.print_bytes_max };
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
