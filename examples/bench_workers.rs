//! What it costs to have something computed in a worker process: the time of one warm evaluation, from the handler's call to its
//! result, and what of it is the interpreter. Prints JSON lines.
//!
//! `cargo run --release --example bench_workers`

use rc_node::handlers::python::{self, PythonEval};
use rc_node::handlers::wasm::{self, Wasm};
use rc_node::handlers::workers::{PoolLimits, WorkerPool};
use rc_node::handlers::{TaskContext, TaskHandler};
use rc_node::sandbox::PlainLauncher;
use serde_json::{Value, json};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

const WARM_UP: usize = 500;
const ROUNDS: usize = 10_000;

const MODULE: &str = r#"(module
    (func (export "same") (param i32) (result i32) local.get 0)
    (func (export "rounds") (param i32) (result i32)
        (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        local.get 0)
    (func $fib (export "fib") (param i32) (result i32)
        (if (result i32) (i32.lt_s (local.get 0) (i32.const 2))
            (then (local.get 0))
            (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                           (call $fib (i32.sub (local.get 0) (i32.const 2))))))))"#;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    if args.next().is_some_and(|first| first == "__worker") {
        return rc_node::worker_main(&args.next().unwrap_or_default());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("the system gives threads");
    runtime.block_on(async {
        // On a thread of the runtime, where a node's handlers run.
        tokio::spawn(measure()).await.expect("it does not panic");
    });
    ExitCode::SUCCESS
}

async fn measure() {
    let pool = |kind, limits| {
        let launcher = Arc::new(PlainLauncher::new().expect("the system gives a thread"));
        let program = WorkerPool::own_executable().expect("this program has a file");
        // As many requests as there are, so that no worker is replaced on the way.
        let limits = PoolLimits { requests_max: u32::MAX, workers_max: 1, ..limits };
        WorkerPool::new(kind, launcher, program, limits)
    };
    let python = PythonEval::new(pool(python::WORKER_KIND, PoolLimits::default()));
    report("python_eval, first one", once(&python, &json!({"expression": "1 + 1"})).await, 1);
    each(&python, "python_eval 1 + 1", &json!({"expression": "1 + 1"})).await;
    let begin = Instant::now();
    once(&python, &json!({"expression": "sum(range(1000000))"})).await;
    report("python_eval sum(range(1000000))", begin.elapsed(), 1);

    let wasm = Wasm::new(pool(wasm::WORKER_KIND, Wasm::pool_limits()));
    let module = data_encoding::BASE64.encode(&wat::parse_str(MODULE).expect("it is valid"));
    let call = |name: &str, n: u32| json!({"module": module, "function": name, "args": [n]});
    report("wasm, first one", once(&wasm, &call("same", 1)).await, 1);
    each(&wasm, "wasm same(1)", &call("same", 1)).await;
    report("wasm fib(30)", once(&wasm, &call("fib", 30)).await, 1);
    report("wasm loop of 10,000,000 rounds", once(&wasm, &call("rounds", 10_000_000)).await, 1);
}

async fn once(handler: &dyn TaskHandler, payload: &Value) -> Duration {
    let begin = Instant::now();
    let done = handler.execute(TaskContext::detached("bench"), payload.clone()).await;
    let elapsed = begin.elapsed();
    assert!(done.is_ok(), "{done:?}");
    elapsed
}

async fn each(handler: &dyn TaskHandler, what: &str, payload: &Value) {
    for _ in 0..WARM_UP {
        once(handler, payload).await;
    }
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        times.push(once(handler, payload).await);
    }
    times.sort_unstable();
    report(&format!("{what}, p50"), times[ROUNDS / 2], ROUNDS);
    report(&format!("{what}, p99"), times[ROUNDS * 99 / 100], ROUNDS);
}

fn report(what: &str, time: Duration, rounds: usize) {
    println!("{}", json!({"what": what, "micros": time.as_nanos() as f64 / 1000.0, "rounds": rounds}));
}
