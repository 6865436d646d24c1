use std::sync::mpsc as std_mpsc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::*;
use crate::handlers::echo::Echo;
use crate::handlers::sleep::Sleep;
use crate::handlers::{ResourceUsage, Stream, TaskContext, TaskHandler};

/// A handler made of a function that gets the context and gives a future.
struct Custom<F>(&'static str, bool, F);

#[async_trait]
impl<F, R> TaskHandler for Custom<F>
where
    F: Fn(TaskContext) -> R + Send + Sync,
    R: Future<Output = Result<Value, TaskError>> + Send,
{
    fn task_type(&self) -> &str {
        self.0
    }
    fn runs_inline(&self) -> bool {
        self.1
    }
    async fn execute(&self, ctx: TaskContext, _: Value) -> Result<Value, TaskError> {
        (self.2)(ctx).await
    }
}

fn executor(limits: ExecutorLimits, more: Vec<Arc<dyn TaskHandler>>) -> (Executor, mpsc::Receiver<ExecutorEvent>) {
    let mut registry = Registry::new();
    registry.register(Arc::new(Echo)).unwrap();
    registry.register(Arc::new(Sleep)).unwrap();
    more.into_iter().for_each(|handler| registry.register(handler).unwrap());
    let (events, receiver) = mpsc::channel(1024);
    (Executor::new(registry, limits, events), receiver)
}

fn assignment(task: &str, task_type: &str, payload: Value) -> Assignment {
    Assignment {
        task: task.to_owned(),
        epoch: 3,
        attempt: 1,
        task_type: task_type.to_owned(),
        payload: payload.to_string().into_bytes(),
        timeout: Duration::from_secs(300),
        traceparent: Some("00-trace".to_owned()),
        sandbox: Default::default(),
        env: vec![("RC_EXTRA".to_owned(), "1".to_owned())],
        listener: Listener::default(),
    }
}

async fn outcome(events: &mut mpsc::Receiver<ExecutorEvent>) -> Outcome {
    loop {
        if let ExecutorEvent::Finished { outcome, .. } = events.recv().await.unwrap() {
            return outcome;
        }
    }
}

fn class(outcome: &Outcome) -> Option<ErrorClass> {
    outcome.error.as_ref().map(|error| error.class)
}

#[tokio::test]
async fn an_echo_starts_and_finishes() {
    let (executor, mut events) = executor(ExecutorLimits::default(), vec![]);
    assert!(executor.start(assignment("t", "echo", json!({"a": 1}))));
    let started = ExecutorEvent::Started { task: "t".to_owned(), epoch: 3 };
    assert_eq!(events.recv().await, Some(started));
    let Some(ExecutorEvent::Finished { task, epoch, outcome }) = events.recv().await else { panic!() };
    assert_eq!((task.as_str(), epoch), ("t", 3));
    let duration = outcome.duration;
    assert_eq!(outcome, Outcome { result: Some(json!({"a": 1})), duration, ..Outcome::default() });
    assert_eq!(executor.running(), 0);
}

#[tokio::test]
async fn what_cannot_run_finishes_with_the_reason() {
    let limits = ExecutorLimits { payload_bytes_max: 8, ..ExecutorLimits::default() };
    let (executor, mut events) = executor(limits, vec![]);
    executor.start(assignment("t", "frobnicate", json!(1)));
    assert_eq!(class(&outcome(&mut events).await), Some(ErrorClass::UnsupportedOperation));
    executor.start(assignment("t", "echo", json!("123456789")));
    assert_eq!(class(&outcome(&mut events).await), Some(ErrorClass::InvalidPayload));
    executor.start(Assignment { payload: b"{".to_vec(), ..assignment("t", "echo", json!(1)) });
    assert_eq!(class(&outcome(&mut events).await), Some(ErrorClass::InvalidPayload));
    let deep = Assignment { payload: b"[".repeat(8), ..assignment("t", "echo", json!(1)) };
    executor.start(deep);
    assert_eq!(class(&outcome(&mut events).await), Some(ErrorClass::InvalidPayload));
}

#[tokio::test]
async fn no_more_run_than_may_and_none_twice() {
    let limits = ExecutorLimits { running_max: 1, ..ExecutorLimits::default() };
    let (executor, mut events) = executor(limits, vec![]);
    let first = assignment("first", "sleep", json!({"duration": 1000}));
    assert!(executor.start(first.clone()));
    assert!(!executor.start(first), "the same attempt twice");
    assert!(executor.start(assignment("second", "echo", json!(1))));
    let refused = outcome(&mut events).await;
    assert_eq!(class(&refused), Some(ErrorClass::ResourceExhausted));
    assert_eq!(executor.running(), 1);
    executor.stop("first", 3, StopReason::Cancelled, Duration::ZERO);
    assert_eq!(outcome(&mut events).await.stopped, Some(StopReason::Cancelled));
}

#[tokio::test]
async fn a_panic_is_the_tasks_failure_and_nobody_elses() {
    for inline in [true, false] {
        let panics = Custom("panics", inline, |ctx: TaskContext| async move {
            ctx.output(Stream::Stderr, b"before");
            panic!("ouch {}", ctx.epoch())
        });
        let (executor, mut events) = executor(ExecutorLimits::default(), vec![Arc::new(panics)]);
        executor.start(assignment("t", "panics", json!(null)));
        let ended = outcome(&mut events).await;
        let error = ended.error.as_ref().unwrap();
        assert_eq!((error.class, error.message.as_str()), (ErrorClass::TaskError, "the handler panicked: ouch 3"));
        assert_eq!(ended.stderr, "before");
        executor.start(assignment("u", "echo", json!(1)));
        assert_eq!(outcome(&mut events).await.result, Some(json!(1)));
    }
}

#[tokio::test(start_paused = true)]
async fn time_limits_hold_for_handlers_that_listen_and_for_those_that_do_not() {
    let deaf = Custom("deaf", true, |ctx: TaskContext| async move {
        ctx.output(Stream::Stdout, b"so far");
        std::future::pending().await
    });
    let (executor, mut events) = executor(ExecutorLimits::default(), vec![Arc::new(deaf)]);
    let limited =
        |task_type, payload| Assignment { timeout: Duration::from_secs(10), ..assignment("t", task_type, payload) };
    executor.start(limited("sleep", json!({"duration": 60})));
    let ended = outcome(&mut events).await;
    assert!(ended.timed_out && !ended.abandoned && ended.stopped.is_none());
    assert_eq!(class(&ended), Some(ErrorClass::TimeoutError));
    assert_eq!(ended.duration.as_secs(), 10);

    executor.start(limited("deaf", json!(null)));
    let ended = outcome(&mut events).await;
    assert!(ended.timed_out && ended.abandoned);
    assert_eq!((ended.stdout.as_str(), ended.duration.as_secs()), ("so far", 13), "limit + grace + 1.5 s");
    assert_eq!(executor.running(), 0);
}

#[tokio::test]
async fn a_handler_that_blocks_its_thread_is_left_behind() {
    let (unblock, blocked) = std_mpsc::channel::<()>();
    let blocked = std::sync::Mutex::new(blocked);
    let blocks = Custom("blocks", false, move |ctx: TaskContext| {
        let _ = blocked.lock().unwrap().recv();
        ctx.progress(100, "must not be heard after the end");
        async { Ok(json!("too late")) }
    });
    let limits = ExecutorLimits { let_go: Duration::from_millis(10), ..ExecutorLimits::default() };
    let (executor, mut events) = executor(limits, vec![Arc::new(blocks)]);
    executor.start(assignment("t", "blocks", json!(null)));
    assert!(executor.stop("t", 3, StopReason::Cancelled, Duration::from_millis(10)));
    let ended = outcome(&mut events).await;
    assert!(ended.abandoned);
    assert_eq!(ended.stopped, Some(StopReason::Cancelled));
    assert_eq!(executor.running(), 0);
    unblock.send(()).unwrap();
    executor.start(assignment("u", "echo", json!(2)));
    assert_eq!(outcome(&mut events).await.result, Some(json!(2)), "no second end of the first");
}

#[tokio::test]
async fn the_first_reason_to_stop_counts_and_being_cancelled_is_no_error() {
    let (executor, mut events) = executor(ExecutorLimits::default(), vec![]);
    assert!(!executor.stop("t", 3, StopReason::Cancelled, Duration::ZERO));
    for (why, expected) in [(StopReason::Cancelled, None), (StopReason::LeaseLost, Some(ErrorClass::Preempted))] {
        executor.start(assignment("t", "sleep", json!({"duration": 1000})));
        assert!(!executor.stop("t", 4, why, Duration::ZERO), "another epoch");
        assert!(executor.stop("t", 3, why, Duration::ZERO));
        executor.stop("t", 3, StopReason::Shutdown, Duration::ZERO);
        let ended = outcome(&mut events).await;
        assert_eq!((ended.stopped, class(&ended)), (Some(why), expected));
        assert_eq!(ended.result, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_start_ends_exactly_once_whatever_races() {
    const TASKS: u64 = 2000;
    let racy = Custom("racy", true, |ctx: TaskContext| async move {
        match ctx.epoch() % 4 {
            _ if ctx.epoch() % 256 == 255 => panic!("one of many"),
            0 | 1 => Ok(json!(0)),
            2 => std::future::pending().await,
            _ => {
                ctx.cancelled().await;
                Err(TaskError::stopped())
            }
        }
    });
    let limits = ExecutorLimits { running_max: usize::MAX, let_go: Duration::ZERO, ..ExecutorLimits::default() };
    let (executor, mut events) = executor(limits, vec![Arc::new(racy)]);
    let executor = Arc::new(executor);
    let starter = Arc::clone(&executor);
    let all = tokio::spawn(async move {
        for epoch in 0..TASKS {
            let timeout = Duration::from_micros(epoch * 7 % 1000);
            starter.start(Assignment { epoch, timeout, ..assignment("t", "racy", json!(null)) });
            starter.stop("t", epoch.saturating_sub(epoch % 13), StopReason::Cancelled, Duration::ZERO);
        }
        starter.stop_all(StopReason::Shutdown, Duration::ZERO);
    });
    let mut ended = vec![0; TASKS as usize];
    while ended.contains(&0) {
        match tokio::time::timeout(Duration::from_secs(20), events.recv()).await.unwrap().unwrap() {
            ExecutorEvent::Finished { epoch, .. } => ended[epoch as usize] += 1,
            ExecutorEvent::Started { epoch, .. } => assert_eq!(ended[epoch as usize], 0),
            _ => {}
        }
    }
    all.await.unwrap();
    assert_eq!(executor.running(), 0);
    drop(executor);
    assert_eq!(events.recv().await, None, "after the end");
    assert!(ended.iter().all(|n| *n == 1));
}

/// Writes down all that it hears.
#[derive(Default)]
struct Ears(std::sync::Mutex<Vec<String>>);

impl TaskSink for Ears {
    fn progress(&self, percent: u8, _: &str) {
        self.0.lock().unwrap().push(percent.to_string());
    }
    fn output(&self, stream: Stream, chunk: &[u8]) {
        self.0.lock().unwrap().push(format!("{stream:?} {}", String::from_utf8_lossy(chunk)));
    }
    fn usage(&self, usage: ResourceUsage) {
        self.0.lock().unwrap().push(format!("{:?}", usage.cpu_micros));
    }
}

#[tokio::test]
async fn progress_and_output_are_told_and_a_full_channel_holds_nobody_up() {
    let chatty = Custom("chatty", true, |ctx: TaskContext| async move {
        for percent in 0..200u8 {
            ctx.progress(percent, "ü".repeat(1000).as_str());
            ctx.output(Stream::Stdout, b"line\n");
        }
        let usage = ResourceUsage { cpu_micros: Some(5), memory_bytes_max: None };
        ctx.seen_usage(usage);
        ctx.add_usage(usage);
        Ok(json!(ctx.env()))
    });
    let mut registry = Registry::new();
    registry.register(Arc::new(chatty)).unwrap();
    let (sender, mut events) = mpsc::channel(4);
    let executor = Executor::new(registry, ExecutorLimits::default(), sender);
    let ears = Arc::new(Ears::default());
    let listener = Listener(Some(ears.clone()));
    executor.start(Assignment { listener, ..assignment("t", "chatty", json!(null)) });
    let mut heard = Vec::new();
    let ended = loop {
        match events.recv().await.unwrap() {
            ExecutorEvent::Finished { outcome, .. } => break outcome,
            event => heard.push(event),
        }
    };
    assert_eq!(heard.len(), 4, "{heard:?}");
    // Whoever listens directly hears all of it.
    let all = ears.0.lock().unwrap().clone();
    assert_eq!((all.len(), all[1].as_str(), all[399].as_str()), (401, "Stdout line\n", "Stdout line\n"));
    assert_eq!(all[400], "Some(5)");
    assert!(matches!(&heard[1], ExecutorEvent::Progress { percent: 0, text, .. } if text.len() == 256));
    assert_eq!((ended.stdout.len(), ended.usage.cpu_micros), (1000, Some(5)));
    let expected = json!([
        ["RC_TASK_ID", "t"],
        ["RC_TASK_EPOCH", "3"],
        ["RC_TASK_ATTEMPT", "1"],
        ["RC_TRACEPARENT", "00-trace"],
        ["RC_EXTRA", "1"]
    ]);
    assert_eq!(ended.result, Some(expected));
}

#[cfg(unix)]
#[tokio::test]
async fn a_command_that_runs_out_of_time_keeps_what_it_had_to_show() {
    let root = std::env::temp_dir().join(format!("rc-node-executor-{}", std::process::id()));
    let config = crate::sandbox::ShelterConfig {
        program: "".into(),
        work_root: root.clone(),
        tier_max: crate::sandbox::Tier::Limits,
    };
    let shelter = Arc::new(crate::sandbox::Shelter::new(config).await.unwrap());
    let command = crate::handlers::command::Command::new(shelter, root.clone(), Default::default());
    let (executor, mut events) = executor(ExecutorLimits::default(), vec![Arc::new(command)]);
    let payload = json!({"command": "echo $RC_TASK_ID $RC_TASK_EPOCH $RC_TRACEPARENT; exec sleep 1000", "shell": true});
    let timeout = Duration::from_millis(300);
    // By its name what a task left behind is found and killed: no test that runs beside this one has the same.
    let task = &format!("t{}", std::process::id());
    executor.start(Assignment { timeout, ..assignment(task, "command", payload) });
    let ended = outcome(&mut events).await;
    assert!(ended.timed_out && !ended.abandoned && ended.stopped.is_none(), "{ended:?}");
    let told = format!("{task} 3 00-trace\n");
    assert_eq!(ended.result, Some(json!({"return_code": 143, "stdout": told, "stderr": ""})));
    assert_eq!(ended.stdout, told);
    assert!(ended.usage.cpu_micros.is_some());
    let _ = std::fs::remove_dir_all(root);
}
