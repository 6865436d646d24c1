//! `wasm` with real worker processes, which need the binary. What the interpreter itself does is tested beside it.
#![cfg(all(unix, feature = "wasm"))]
#![expect(clippy::unwrap_used, reason = "in a test an unexpected value is a failure")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use rc_node::handlers::wasm::{WORKER_KIND, Wasm};
use rc_node::handlers::workers::{PoolLimits, WorkerPool};
use rc_node::handlers::{ErrorClass, TaskContext, TaskError, TaskHandler, TaskInfo, TaskLimits};
use rc_node::sandbox::PlainLauncher;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const MODULE: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add)
    (func (export "spin") (loop br 0))
    (func (export "dice") (result i32) (drop (call $random (i32.const 0) (i32.const 4))) (i32.load (i32.const 0)))
    (func (export "eat") (result i32)
        (loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
        (memory.fill (i32.const 0) (i32.const 1) (i32.mul (memory.size) (i32.const 65536)))
        (memory.size))
    (func (export "_start")
        (i32.store (i32.const 0) (i32.const 1024))
        (i32.store (i32.const 4) (i32.const 4096))
        (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
        (i32.store (i32.const 4) (i32.load (i32.const 8)))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
        (call $exit (i32.load (i32.const 8)))))"#;

fn module() -> String {
    BASE64.encode(&wat::parse_str(MODULE).unwrap())
}

fn handler() -> Wasm {
    let launcher = Arc::new(PlainLauncher::new().unwrap());
    let program = PathBuf::from(env!("CARGO_BIN_EXE_rc-node"));
    let limits = PoolLimits { workers_max: 1, ..Wasm::pool_limits() };
    Wasm::new(WorkerPool::new(WORKER_KIND, launcher, program, limits))
}

fn context(limits: TaskLimits) -> TaskContext {
    TaskContext::new(TaskInfo::default(), limits, CancellationToken::new(), None)
}

async fn call(handler: &Wasm, more: Value) -> Result<Value, TaskError> {
    let mut payload = json!({"module": module()});
    payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let limits = TaskLimits { timeout: Duration::from_secs(30), ..TaskLimits::default() };
    handler.execute(context(limits), payload).await
}

#[tokio::test]
async fn functions_and_programs_run_in_a_worker() {
    let handler = handler();
    assert_eq!(handler.pool().idle_workers(), 0, "none before the first use");
    let sum = call(&handler, json!({"function": "add", "args": [2, 3]})).await;
    assert_eq!(sum, Ok(json!({"return_value": 5})));
    let worker = handler.pool().idle_worker_ids();
    let silent = call(&handler, json!({})).await;
    assert_eq!(silent, Ok(json!({"stdout": "", "stderr": "", "exit_code": 0})));
    let error = call(&handler, json!({"stdin": "four"})).await.unwrap_err();
    assert_eq!((error.class, error.message.as_str()), (ErrorClass::TaskError, "the module ended with code 4"));
    assert_eq!(error.result, Some(Box::new(json!({"stdout": "four", "stderr": "", "exit_code": 4}))));
    assert_eq!(handler.pool().idle_worker_ids(), worker, "the same one");
    let error = call(&handler, json!({"function": "sub"})).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::InvalidPayload);
    let error = handler.execute(context(TaskLimits::default()), json!({"module": "/etc/passwd"})).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::PermissionDenied);
}

#[tokio::test]
async fn a_pure_run_is_done_once() {
    let handler = handler();
    let dice = json!({"function": "dice"});
    let pure = json!({"function": "dice", "pure": true});
    assert_ne!(call(&handler, dice.clone()).await, call(&handler, dice).await);
    let first = call(&handler, pure.clone()).await.unwrap();
    assert_eq!((call(&handler, pure.clone()).await.unwrap(), handler.recalled()), (first.clone(), 1));
    let elsewhere = self::handler();
    assert_eq!((call(&elsewhere, pure).await.unwrap(), elsewhere.recalled()), (first, 0), "another device");
    let other = json!({"function": "add", "args": [1, 2], "pure": true});
    assert_eq!(call(&handler, other).await.unwrap()["return_value"], 3);
    let limits = TaskLimits::default();
    let ctx = context(limits);
    let program = json!({"module": module(), "stdin": "", "pure": true});
    handler.execute(ctx, program.clone()).await.unwrap();
    assert_eq!(handler.recalled(), 1);
    handler.execute(context(TaskLimits::default()), program).await.unwrap();
    assert_eq!(handler.recalled(), 2);
}

#[tokio::test]
async fn bombs_hurt_the_worker_only() {
    let handler = handler();
    let limits = TaskLimits { timeout: Duration::from_millis(200), ..TaskLimits::default() };
    let spin = json!({"module": module(), "function": "spin"});
    let error = handler.execute(context(limits), spin.clone()).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::TimeoutError);
    let error = call(&handler, json!({"function": "spin", "fuel": 1000})).await.unwrap_err();
    assert_eq!((error.class, error.message.as_str()), (ErrorClass::TaskError, "the module used up its fuel"));
    let pages = call(&handler, json!({"function": "eat"})).await.unwrap();
    assert_eq!(pages["return_value"], 4096 - 15, "256 MiB, in steps of 16 pages");
    let small = TaskLimits { memory_bytes_max: Some(1 << 20), ..TaskLimits::default() };
    let eat = json!({"module": module(), "function": "eat"});
    assert_eq!(handler.execute(context(small), eat).await.unwrap()["return_value"], 1);

    let ctx = context(TaskLimits::default());
    let cancel = async {
        while handler.pool().idle_workers() > 0 {
            tokio::task::yield_now().await;
        }
        ctx.cancel_token().cancel();
    };
    let (stopped, ()) = tokio::join!(handler.execute(ctx.clone(), spin), cancel);
    assert_eq!(stopped, Err(TaskError::stopped()));
    assert_eq!(call(&handler, json!({"function": "add", "args": [1, 1]})).await.unwrap()["return_value"], 2);
}

/// Keeps what it hears.
#[derive(Default)]
struct Ears(std::sync::Mutex<Vec<u8>>, tokio::sync::Notify);

impl rc_node::handlers::TaskSink for Ears {
    fn progress(&self, _: u8, _: &str) {}
    fn output(&self, _: rc_node::handlers::Stream, chunk: &[u8]) {
        self.0.lock().unwrap().extend_from_slice(chunk);
        self.1.notify_one();
    }
}

#[tokio::test]
async fn what_a_program_writes_is_heard_while_it_runs_and_once() {
    // Writes `!` and sleeps for 30 ms, again and again; a parameter says how often.
    let ticking = r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 512) "!")
        (func (export "tick") (param $n i32)
            (i32.store (i32.const 0) (i32.const 512)) (i32.store (i32.const 4) (i32.const 1))
            (i64.store (i32.const 88) (i64.const 30000000))
            (i32.store (i32.const 80) (i32.const 1))
            (loop
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
                (drop (call $poll (i32.const 64) (i32.const 256) (i32.const 1) (i32.const 8)))
                (local.set $n (i32.sub (local.get $n) (i32.const 1)))
                (br_if 0 (i32.gt_s (local.get $n) (i32.const 0))))))"#;
    let module = BASE64.encode(&wat::parse_str(ticking).unwrap());
    let handler = handler();
    let run = |ears: &Arc<Ears>, times: i32| {
        let limits = TaskLimits { timeout: Duration::from_secs(60), ..TaskLimits::default() };
        let ctx = TaskContext::new(TaskInfo::default(), limits, CancellationToken::new(), Some(ears.clone()));
        let payload = json!({"module": module, "function": "tick", "args": [times]});
        (ctx.clone(), handler.execute(ctx, payload))
    };
    let ears = Arc::new(Ears::default());
    let (ctx, endless) = run(&ears, 1_000_000);
    let stop = async {
        while ears.0.lock().unwrap().len() < 3 {
            ears.1.notified().await;
        }
        ctx.cancel_token().cancel();
    };
    let (done, ()) = tokio::join!(endless, stop);
    assert_eq!(done.unwrap_err().class, ErrorClass::Preempted);
    let ears = Arc::new(Ears::default());
    let (ctx, some) = run(&ears, 5);
    some.await.unwrap();
    assert_eq!((ears.0.lock().unwrap().as_slice(), ctx.captured().0.text().as_str()), (&b"!!!!!"[..], "!!!!!"));
}
