//! The worker's side: one run for each request. Modules that were run lately are kept ready.

use std::io;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;

use wasmi::Module;

use super::engine::Interpreter;
use super::message::{Call, End, Failure, Reply, Request};
use super::wasi::{Wasi, Written};
use crate::handlers::workers::{self, Frame};
use crate::sandbox::own_usage;

/// Modules kept ready.
const READY_MAX: usize = 4;

/// Modules longer than this are not: what is made of them takes several times as much memory.
const READY_BYTES_MAX: usize = 4 << 20;

struct Worker {
    interpreter: Interpreter,
    /// By hash; the one used last is at the end.
    ready: Vec<([u8; 32], Module)>,
}

/// Serves until stdin ends. The process belongs to the pool that started it.
pub fn serve() -> ExitCode {
    let mut worker = Worker { interpreter: Interpreter::new(), ready: Vec::new() };
    workers::serve(|frame| worker.answer(frame))
}

impl Worker {
    fn answer(&mut self, mut frame: Frame) -> io::Result<Frame> {
        let request: Request = frame.message()?;
        let module = std::mem::take(&mut frame.tail);
        let before = own_usage();
        // Nothing of a run is used by the next one but the translated modules, which a run does not change.
        let run = std::panic::catch_unwind(AssertUnwindSafe(|| self.run(&request, module)));
        let (end, [stdout, stderr]) = run.unwrap_or_else(|_| {
            let text = "the interpreter failed on this module".to_owned();
            (End::Failed(Failure::Broken, text), Default::default())
        });
        let spoilt = matches!(end, End::Failed(Failure::Broken, _));
        let after = own_usage();
        let reply = Reply {
            end,
            stdout_bytes: stdout.bytes.len(),
            stdout_more: stdout.more,
            stderr_more: stderr.more,
            cpu_micros: after.cpu_micros.zip(before.cpu_micros).map(|(after, before)| after.saturating_sub(before)),
            memory_bytes: after.memory_bytes_max,
        };
        let mut tail = stdout.bytes;
        tail.extend_from_slice(&stderr.bytes);
        let mut frame = Frame::new(&reply, tail)?;
        frame.spoilt = spoilt;
        Ok(frame)
    }

    fn run(&mut self, request: &Request, mut bytes: Vec<u8>) -> (End, [Written; 2]) {
        let stdin = bytes.split_off(request.module_bytes.min(bytes.len()));
        let module = match self.module(request.module, &bytes) {
            Ok(module) => module,
            Err(end) => return (end, Default::default()),
        };
        drop(bytes);
        let args = match &request.call {
            Call::Program(args) => args.as_slice(),
            Call::Function(..) => &[],
        };
        let cap = request.bounds.output_bytes_max;
        let mut wasi = Wasi::new(args, &request.env, stdin, cap, &request.seed, request.reproducible);
        wasi.tell_with(workers::tell);
        let (end, wasi) = self.interpreter.run(&module, &request.call, request.bounds, wasi);
        (end, [wasi.stdout, wasi.stderr])
    }

    fn module(&mut self, hash: [u8; 32], bytes: &[u8]) -> Result<Module, End> {
        if let Some(index) = self.ready.iter().position(|(ready, _)| *ready == hash) {
            let entry = self.ready.remove(index);
            let module = entry.1.clone();
            self.ready.push(entry);
            return Ok(module);
        }
        let module = self.interpreter.load(bytes)?;
        if bytes.len() <= READY_BYTES_MAX {
            if self.ready.len() >= READY_MAX {
                self.ready.remove(0);
            }
            self.ready.push((hash, module.clone()));
        }
        Ok(module)
    }
}
