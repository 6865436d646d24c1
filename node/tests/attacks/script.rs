//! Types of the owner's own, whose programs have gone wrong, or are made to by what they are given.

use super::device::Device;
use rc_scheduler::{ErrorClass, Status};
use serde_json::json;
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_program_that_prints_what_is_no_result_fails_its_task_alone() {
    let scripts = [
        ("garbage", "head -c 3000 /dev/urandom"),
        ("two", "echo 1; echo 2"),
        ("half", "printf '{\"a\":'"),
        ("deep", "i=0; while [ $i -lt 20000 ]; do printf '['; i=$((i+1)); done"),
        ("text", "echo hello"),
        ("nul", "printf '\\000'"),
        ("long", "head -c 3000000 /dev/zero | tr '\\000' 1"),
        ("killed", "kill -9 $$"),
        ("code", "echo '{}'; exit 3"),
    ];
    let device = Device::with_scripts(&scripts).await;
    for (name, _) in scripts {
        let end = device.run(name, json!({})).await;
        assert_eq!(end.class, Some(ErrorClass::Task), "{name}: {end:?}");
        assert!(end.message.len() < 2_000, "{name}: {}", end.message.len());
    }
    device.end().await;
}

#[tokio::test]
async fn a_program_that_does_not_stop_printing_is_ended_and_fills_nothing() {
    let scripts = [
        ("stdout", "yes"),
        ("no_newline", "cat /dev/zero"),
        ("stderr", "yes >&2"),
        ("stderr_line", "tr '\\000' x </dev/zero >&2"),
        ("progress", "while :; do echo '{\"progress\": 50, \"text\": \"x\"}' >&2; done"),
        ("deaf", "trap '' TERM; while :; do :; done"),
    ];
    let device = Device::with_scripts(&scripts).await;
    for (name, _) in scripts {
        let begin = Instant::now();
        let end = device.run_for(1, name, b"{}").await;
        assert_eq!(end.status, Status::Timeout, "{name}: {end:?}");
        assert!(begin.elapsed() < Duration::from_secs(20), "{name}");
    }
    device.end().await;
}

#[tokio::test]
async fn progress_that_makes_no_sense_is_only_text() {
    let lines = r#"{"progress": -5}
{"progress": 1e308}
{"progress": 1e999}
{"progress": NaN}
{"progress": "50"}
{"progress": null}
{"progress": 50, "text": 7}
{"progress": 50, "evil": 1}
[]
"#;
    let line = format!("cat >&2 <<'EOF'\n{lines}EOF\nprintf '%070000d' 1 >&2; echo '\"fine\"'");
    let device = Device::with_scripts(&[("odd", &line)]).await;
    let end = device.run("odd", json!({})).await;
    assert_eq!((end.status, end.result), (Status::Completed, json!("fine")));
    device.end().await;
}

#[tokio::test]
async fn a_payload_is_input_and_never_part_of_the_command_line() {
    let device = Device::with_scripts(&[("show", "cat")]).await;
    for payload in
        [json!("; id"), json!("$(id)"), json!({"argv": ["id"], "shell": true}), json!(["--help"]), json!("\u{0}\n")]
    {
        let end = device.run("show", payload.clone()).await;
        assert_eq!((end.status, end.result), (Status::Completed, payload));
    }
    device.end().await;
}
