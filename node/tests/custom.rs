//! Task types of one's own, the three ways there are, each with the example that shows it.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "in a test an unexpected value is a failure")]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rc_node::config::{Settings, read_file};
use rc_node::handlers::command::{Command, CommandGrants};
use rc_node::handlers::script::Script;
use rc_node::handlers::{ErrorClass, Stream, TaskContext, TaskError, TaskHandler, TaskInfo, TaskLimits, TaskSink};
use rc_node::sandbox::{PlainLauncher, Shelter, ShelterConfig, Tier};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("examples/handlers")
}

/// What was told while a task ran.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl TaskSink for Heard {
    fn progress(&self, percent: u8, text: &str) {
        self.0.lock().unwrap().push(format!("{percent} {text}"));
    }
    fn output(&self, stream: Stream, chunk: &[u8]) {
        self.0.lock().unwrap().push(format!("{stream:?} {}", String::from_utf8_lossy(chunk)));
    }
}

struct Rig {
    work: tempfile::TempDir,
    heard: Arc<Heard>,
}

impl Rig {
    fn new() -> Self {
        Self { work: tempfile::tempdir().unwrap(), heard: Arc::default() }
    }

    async fn run(&self, argv: &[&str], payload: Value) -> Result<Value, TaskError> {
        let program = PathBuf::from(env!("CARGO_BIN_EXE_rc-node"));
        let config = ShelterConfig { program, work_root: self.work.path().join("work"), tier_max: Tier::Limits };
        let shelter = Arc::new(Shelter::new(config).await.unwrap());
        let command = Command::new(shelter, self.work.path().join("work"), CommandGrants::default());
        let argv: Vec<_> = argv.iter().map(|word| (*word).to_owned()).collect();
        let script = Script::new("fibonacci", &argv, Vec::new(), Arc::new(command));
        let limits = TaskLimits { timeout: Duration::from_secs(30), ..TaskLimits::default() };
        let sink: Arc<dyn TaskSink> = self.heard.clone();
        let ctx = TaskContext::new(TaskInfo::default(), limits, CancellationToken::new(), Some(sink));
        script.execute(ctx, payload).await
    }

    async fn shell(&self, script: &str) -> Result<Value, TaskError> {
        self.run(&["/bin/sh", "-c", script], json!({"n": 1})).await
    }
}

#[tokio::test]
async fn a_python_script_of_the_configuration_is_a_task_type() {
    let layer = read_file(&examples().join("config.toml"), true).unwrap();
    let settings = Settings::resolve(layer, "/d".into(), None).unwrap();
    let argv: Vec<_> = settings.scripts["fibonacci"].iter().map(String::as_str).collect();
    assert!(Path::new(argv[1]).is_absolute(), "a file beside the configuration");
    if std::process::Command::new("python3").arg("--version").output().is_err() {
        println!("skipped: no python3 here");
        return;
    }
    let rig = Rig::new();
    let done = rig.run(&argv, json!({"n": 300})).await.unwrap();
    assert_eq!(done, json!({"n": 300, "fibonacci": "222232244629420445529739893461909967206666939096499764990979600"}));
    let heard = rig.heard.0.lock().unwrap().clone();
    assert_eq!(heard, ["0 0 of 300", "33 100 of 300", "66 200 of 300"], "progress, and nothing else");
    let error = rig.run(&argv, json!({})).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::TaskError);
    assert!(error.message.contains("KeyError"), "{}", error.message);
}

#[tokio::test]
async fn what_a_script_prints_is_its_result_or_an_error() {
    let rig = Rig::new();
    assert_eq!(rig.shell("cat").await, Ok(json!({"n": 1})), "the payload on its standard input");
    assert_eq!(rig.shell("true").await, Ok(Value::Null));
    for (script, words) in [
        ("echo hello", "did not print one JSON value"),
        ("echo 1; echo 2", "did not print one JSON value"),
        ("head -c 3000000 /dev/zero", "printed more than 1048576 bytes"),
        ("echo '{\"progress\": 5}' >&2; echo it broke >&2; echo >&2; exit 3", "it broke"),
        ("kill -9 $$", ""),
    ] {
        let error = rig.shell(script).await.unwrap_err();
        assert!(error.class == ErrorClass::TaskError && error.message.contains(words), "{script}: {}", error.message);
    }
    rig.heard.0.lock().unwrap().clear();
    let noise = "printf '{\"progress\": 150, \"text\": \"x\"}\\nplain\\n{\"progress\": \"y\"}\\nhalf' >&2";
    rig.shell(noise).await.unwrap();
    let heard = rig.heard.0.lock().unwrap().concat();
    assert_eq!(heard, "100 xStderr plain\nStderr {\"progress\": \"y\"}\nStderr half");
}

#[cfg(feature = "wasm")]
#[tokio::test]
async fn a_module_is_a_task_type_without_installation() {
    use data_encoding::BASE64;
    use rc_node::handlers::wasm::{WORKER_KIND, Wasm};
    use rc_node::handlers::workers::WorkerPool;
    let text = std::fs::read_to_string(examples().join("fib.wat")).unwrap();
    let module = BASE64.encode(&wat::parse_str(&text).unwrap());
    let launcher = Arc::new(PlainLauncher::new().unwrap());
    let pool = WorkerPool::new(WORKER_KIND, launcher, env!("CARGO_BIN_EXE_rc-node").into(), Wasm::pool_limits());
    let payload = json!({"module": module, "function": "fibonacci", "args": [90]});
    let done = Wasm::new(pool).execute(TaskContext::detached("t"), payload).await;
    assert_eq!(done, Ok(json!({"return_value": 2_880_067_194_370_816_120_i64})));
}
