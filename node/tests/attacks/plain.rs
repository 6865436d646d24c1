//! `echo`, `sleep`, `system_info`: little to attack but their payloads.

use super::device::Device;
use rc_scheduler::{ErrorClass, Status};
use serde_json::{Value, json};
use std::time::Instant;

#[tokio::test]
async fn echo_of_what_no_parser_should_be_given() {
    let device = Device::new().await;
    let deep = |open: &str, close: &str, n: usize| [open.repeat(n), "1".to_owned(), close.repeat(n)].concat();
    for payload in [
        deep("[", "]", 100_000),
        deep("{\"a\":", "}", 30_000).into_bytes().into_iter().map(char::from).collect(),
        "[".repeat(60_000),
        "\u{0}".to_owned(),
        String::new(),
        "{\"a\":1".to_owned(),
        "NaN".to_owned(),
        "\"\\ud800\"".to_owned(),
        "1e999999999".to_owned(),
        "{} {}".to_owned(),
    ] {
        let end = device.run_for(20, "echo", payload.as_bytes()).await;
        end.failed(ErrorClass::InvalidPayload, "not JSON");
    }
    let end = device.run_for(20, "echo", b"\"\xff\xfe\"").await;
    end.failed(ErrorClass::InvalidPayload, "not JSON");
    device.end().await;
}

#[tokio::test]
async fn echo_gives_back_strange_texts_unharmed() {
    let device = Device::new().await;
    for payload in [
        json!("\u{1b}[2J\u{7}\u{202e}evil\r\n"),
        json!("'; DROP TABLE tasks; --"),
        json!("{{tasks.x.result}} ${jndi:ldap://127.0.0.1} %s%n $(id) `id`"),
        json!({"__proto__": {"a": 1}, "constructor": null, "": {"": []}}),
        json!([u64::MAX, i64::MIN, f64::MAX, f64::MIN_POSITIVE, -0.0]),
        json!(deep_value(100)),
    ] {
        let end = device.run("echo", payload.clone()).await;
        assert_eq!((end.status, end.result), (Status::Completed, payload));
    }
    device.end().await;
}

fn deep_value(levels: usize) -> Value {
    (0..levels).fold(json!(1), |inner, _| json!([inner]))
}

#[tokio::test]
async fn sleep_for_a_time_that_there_is_not() {
    let device = Device::new().await;
    let begin = Instant::now();
    for duration in [
        "-1",
        "-1e-300",
        "1e308",
        "1e20",
        "\"NaN\"",
        "\"inf\"",
        "null",
        "[1]",
        "{}",
        "true",
        "\"1; sleep 9\"",
        "31536001",
    ] {
        let end = device.run_for(20, "sleep", format!("{{\"duration\":{duration}}}").as_bytes()).await;
        end.failed(ErrorClass::InvalidPayload, "duration");
    }
    for payload in ["{}", "[]", "7", "{\"duration\":1,\"seconds\":2}"] {
        let end = device.run_for(20, "sleep", payload.as_bytes()).await;
        assert_eq!(end.class, Some(ErrorClass::InvalidPayload), "{payload} {end:?}");
    }
    for nothing in ["0", "-0.0", "1e-320"] {
        let end = device.run_for(20, "sleep", format!("{{\"duration\":{nothing}}}").as_bytes()).await;
        assert_eq!(end.status, Status::Completed, "{nothing} {end:?}");
    }
    // As long as it may be, and the task's limit is shorter.
    let end = device.run_for(1, "sleep", b"{\"duration\":31536000}").await;
    assert_eq!(end.status, Status::Timeout, "{end:?}");
    assert!(begin.elapsed().as_secs() < 30);
    device.end().await;
}

#[tokio::test]
async fn system_info_takes_nothing_and_tells_no_secret() {
    let device = Device::new().await;
    for payload in [json!({"path": "/etc/shadow"}), json!(["x"]), json!("x")] {
        let end = device.run("system_info", payload).await;
        assert_eq!(end.class, Some(ErrorClass::InvalidPayload), "{end:?}");
    }
    let told = device.run("system_info", json!({})).await.result.to_string();
    let secret = std::fs::read(device.dir.path().join("cluster")).unwrap();
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(!told.contains(&hex) && !told.contains(&*device.dir.path().to_string_lossy()), "{told}");
    device.end().await;
}

#[tokio::test]
async fn a_task_type_that_is_no_name_runs_nothing() {
    let device = Device::new().await;
    let handle = device.node.handle();
    for name in ["../echo", "echo\0", "ECHO", "echo ", "\u{202e}ohce", "command;id", "*", ""] {
        let spec = rc_scheduler::TaskSpec { task_type: name.to_owned(), ..rc_scheduler::TaskSpec::default() };
        let task = rc_scheduler::NewTask::new(spec, b"{}".as_slice().into());
        match handle.submit(vec![task], None).await {
            Err(_) => assert_eq!(name, ""),
            Ok(accepted) => {
                let report = handle.task(accepted.tasks[0]).await.unwrap();
                assert_eq!((report.status, report.attempts.len()), (Status::Pending, 0), "{name:?}");
            }
        }
    }
    device.end().await;
}
