//! `python_eval` with real worker processes, which need the binary. What the interpreter itself does is tested beside it.
#![cfg(all(unix, feature = "python"))]
#![expect(clippy::unwrap_used, reason = "in a test an unexpected value is a failure")]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rc_node::handlers::python::{PythonEval, WORKER_KIND};
use rc_node::handlers::workers::{PoolLimits, WorkerPool};
use rc_node::handlers::{ErrorClass, Stream, TaskContext, TaskError, TaskHandler, TaskInfo, TaskLimits, TaskSink};
use rc_node::sandbox::PlainLauncher;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

fn handler(limits: PoolLimits) -> PythonEval {
    let launcher = Arc::new(PlainLauncher::new().unwrap());
    let program = PathBuf::from(env!("CARGO_BIN_EXE_rc-node"));
    PythonEval::new(WorkerPool::new(WORKER_KIND, launcher, program, limits))
}

fn one_worker() -> PoolLimits {
    PoolLimits { workers_max: 1, ..PoolLimits::default() }
}

async fn eval(handler: &PythonEval, expression: &str) -> Result<Value, TaskError> {
    let limits = TaskLimits { timeout: Duration::from_secs(30), ..TaskLimits::default() };
    let ctx = TaskContext::new(TaskInfo::default(), limits, CancellationToken::new(), None);
    handler.execute(ctx, json!({ "expression": expression })).await
}

fn class(result: Result<Value, TaskError>) -> ErrorClass {
    result.unwrap_err().class
}

async fn gone(pid: i32) {
    let begin = Instant::now();
    while Path::new(&format!("/proc/{pid}")).exists() {
        assert!(begin.elapsed().as_secs() < 10, "process {pid} is still there");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_warm_worker_serves_many_and_keeps_nothing_between_them() {
    let handler = handler(one_worker());
    assert_eq!(handler.pool().idle_workers(), 0, "none before the first use");
    let ctx = TaskContext::detached("t");
    let payload = json!({"expression": "print('hi')\nsecret = 42\nsecret"});
    let done = handler.execute(ctx.clone(), payload.clone()).await.unwrap();
    assert_eq!(done, json!({"result": 42, "expression": payload["expression"]}));
    assert_eq!(ctx.captured().0.text(), "hi\n");
    assert!(ctx.usage().cpu_micros.is_some() && ctx.usage().memory_bytes_max.is_some());

    let workers = handler.pool().idle_worker_ids();
    let error = eval(&handler, "secret").await.unwrap_err();
    assert_eq!(error.class, ErrorClass::TaskError);
    assert!(error.message.contains("NameError"), "{}", error.message);
    let set = eval(&handler, "{1}").await.unwrap();
    assert_eq!(set, json!({"result": null, "repr": "{1}", "expression": "{1}"}));
    assert_eq!(handler.pool().idle_worker_ids(), workers);
    drop(handler);
    gone(workers[0]).await;
}

#[tokio::test]
async fn a_million_numbers_are_added() {
    let handler = handler(one_worker());
    assert_eq!(eval(&handler, "sum(range(1000000))").await.unwrap()["result"], 499_999_500_000_u64);
}

#[tokio::test]
async fn payloads_are_checked() {
    let handler = handler(one_worker());
    for payload in
        [json!({}), json!({"expression": 1}), json!({"expr": "1"}), json!({"expression": "1".repeat(300_000)})]
    {
        let result = handler.execute(TaskContext::detached("t"), payload).await;
        assert_eq!(class(result), ErrorClass::InvalidPayload);
    }
}

#[tokio::test]
async fn bombs_hurt_the_worker_only() {
    let handler = handler(one_worker());
    let bombs = [
        "x = 'a'\nwhile True:\n    x = x + x",
        "[0] * 10**10",
        "l = []\nwhile True:\n    l.append('x' * 1000 + str(len(l)))",
        "'a'.join(map(str, range(10**9)))",
        "9**9**9",
    ];
    for bomb in bombs {
        let error = eval(&handler, bomb).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::ResourceExhausted, "{bomb}: {}", error.message);
        assert_eq!(eval(&handler, "1 + 1").await.unwrap()["result"], 2, "after {bomb}");
    }
    let error = eval(&handler, "def f():\n    return f()\nf()").await.unwrap_err();
    assert!(error.message.contains("RecursionError"), "{}", error.message);
}

#[tokio::test]
async fn a_worker_that_died_while_idle_is_replaced_unnoticed() {
    let handler = handler(one_worker());
    eval(&handler, "1").await.unwrap();
    let pid = handler.pool().idle_worker_ids()[0];
    assert!(std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
    // Dead as soon as it is a zombie; its collection is the pool's business.
    let stat = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    while !stat().is_empty() && !stat().contains(") Z ") {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(eval(&handler, "2").await.unwrap()["result"], 2);
}

#[tokio::test]
async fn a_time_limit_and_a_cancel_stop_an_endless_loop() {
    let handler = handler(one_worker());
    let limits = TaskLimits { timeout: Duration::from_millis(200), ..TaskLimits::default() };
    let ctx = TaskContext::new(TaskInfo::default(), limits, CancellationToken::new(), None);
    let endless = json!({"expression": "while True: pass"});
    assert_eq!(class(handler.execute(ctx, endless.clone()).await), ErrorClass::TimeoutError);

    eval(&handler, "1").await.unwrap();
    let pid = handler.pool().idle_worker_ids()[0];
    let ctx = TaskContext::detached("t");
    let cancel = async {
        while handler.pool().idle_workers() > 0 {
            tokio::task::yield_now().await;
        }
        ctx.cancel_token().cancel();
    };
    let (stopped, ()) = tokio::join!(handler.execute(ctx.clone(), endless), cancel);
    assert_eq!(stopped, Err(TaskError::stopped()));
    gone(pid).await;
    assert_eq!(eval(&handler, "3").await.unwrap()["result"], 3);
}

#[tokio::test]
async fn workers_are_replaced_when_old_and_go_when_idle() {
    let limits = PoolLimits { requests_max: 2, idle_max: Duration::from_millis(30), ..one_worker() };
    let handler = handler(limits);
    eval(&handler, "1").await.unwrap();
    let first = handler.pool().idle_worker_ids()[0];
    gone(first).await;
    assert_eq!(handler.pool().idle_workers(), 0, "idle for too long");

    let keep = PoolLimits { requests_max: 2, ..one_worker() };
    let handler = self::handler(keep);
    eval(&handler, "1").await.unwrap();
    let first = handler.pool().idle_worker_ids();
    eval(&handler, "1").await.unwrap();
    assert_eq!(handler.pool().idle_workers(), 0, "two evaluations");
    gone(first[0]).await;
}

#[tokio::test]
async fn more_requests_than_workers_wait_for_their_turn() {
    let handler = Arc::new(handler(PoolLimits { workers_max: 2, ..PoolLimits::default() }));
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..20 {
        let handler = Arc::clone(&handler);
        tasks.spawn(async move { eval(&handler, &format!("{n} * 2")).await.unwrap()["result"].as_i64() });
    }
    let mut results: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    results.sort_unstable();
    assert_eq!(results, (0..20).map(|n| n * 2).collect::<Vec<_>>());
    assert!((1..=2).contains(&handler.pool().idle_workers()));
}

/// Somebody who reads along.
#[derive(Default)]
struct Reader(Mutex<String>);

impl Reader {
    fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

impl TaskSink for Reader {
    fn progress(&self, _: u8, _: &str) {}
    fn output(&self, stream: Stream, chunk: &[u8]) {
        assert_eq!(stream, Stream::Stdout);
        self.0.lock().unwrap().push_str(std::str::from_utf8(chunk).unwrap());
    }
}

fn read_along(cap: usize) -> (Arc<Reader>, TaskContext) {
    let reader = Arc::new(Reader::default());
    let sink: Arc<dyn TaskSink> = reader.clone();
    let limits = TaskLimits { timeout: Duration::from_secs(60), output_bytes_max: cap, ..TaskLimits::default() };
    (reader, TaskContext::new(TaskInfo::default(), limits, CancellationToken::new(), Some(sink)))
}

#[tokio::test]
async fn what_is_printed_is_told_while_it_runs() {
    let handler = handler(one_worker());
    let (reader, ctx) = read_along(1000);
    let endless = json!({"expression": "print('one')\nprint('two, half', end='')\nprint()\nwhile True: pass"});
    let cancel = async {
        let begin = Instant::now();
        while reader.text() != "one\ntwo, half\n" {
            assert!(begin.elapsed().as_secs() < 20, "heard only {:?}", reader.text());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        ctx.cancel_token().cancel();
    };
    let (stopped, ()) = tokio::join!(handler.execute(ctx.clone(), endless), cancel);
    assert_eq!(stopped, Err(TaskError::stopped()));
    assert_eq!(ctx.captured().0.text(), "one\ntwo, half\n", "kept, though the worker never answered");
}

#[tokio::test]
async fn everything_printed_is_told_once_however_much_it_is() {
    let handler = handler(one_worker());
    let (reader, ctx) = read_along(1 << 20);
    let many = json!({"expression": "for n in range(20000):\n    print(n, 'ü')\n7"});
    assert_eq!(handler.execute(ctx.clone(), many).await.unwrap()["result"], 7);
    let all: String = (0..20000).map(|n| format!("{n} ü\n")).collect();
    assert!(reader.text() == all && ctx.captured().0.text() == all);
    let (reader, ctx) = read_along(10);
    handler.execute(ctx.clone(), json!({"expression": "print('abcdef')\nprint('ghijkl')"})).await.unwrap();
    let kept = ctx.captured().0;
    assert_eq!((kept.text().as_str(), kept.truncated), ("abcdef\nghi", true));
    assert!(reader.text().starts_with("abcdef\nghi"));
}
