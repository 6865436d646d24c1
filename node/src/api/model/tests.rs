//! Requests good and bad: what comes out, and which words a person gets.

use super::*;
use rc_scheduler::{NewTask, Priority, Span};

fn one(json: &str) -> Result<NewTask, Invalid> {
    match parse_tasks(json.as_bytes())? {
        TaskRequests::One(task) => task.into_task(&|name| Err(format!("no device {name:?}"))),
        TaskRequests::Many(tasks) => panic!("{} tasks", tasks.len()),
    }
}

#[test]
fn a_bad_request_is_told_which_field_and_what_would_do() {
    let deep = format!(r#"{{"task_type":"echo","payload":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    let wide = format!(r#"{{"task_type":"echo","requirements":{{"required_tags":[{}"t"]}}}}"#, r#""t","#.repeat(64));
    let table: &[(&str, &str, &str)] = &[
        ("", "body", "is empty"),
        ("hello", "body", "is not JSON"),
        (r#"{"task_type":"echo""#, "body", "is not JSON"),
        (r#"{"task_type":"echo"} x"#, "body", "is not JSON"),
        ("7", "body", "invalid type"),
        ("[]", "body", "without tasks"),
        (r#"{"payload":1}"#, "body", "missing field `task_type`"),
        (r#"{"task_type":5}"#, "task_type", "expected a string"),
        (r#"{"task_type":""}"#, "task_type", "must not be empty"),
        (r#"{"task_type":"a b"}"#, "task_type", "characters other than"),
        (r#"{"task_type":"echo","tsk":1}"#, "tsk", "unknown field `tsk`"),
        (r#"{"task_type":"echo","priority":1}"#, "priority", "expected a string"),
        (r#"{"task_type":"echo","priority":"asap"}"#, "priority", "allowed are background, low"),
        (r#"{"task_type":"echo","requirements":{"min_memry_gb":1}}"#, "requirements.min_memry_gb", "unknown field"),
        (r#"{"task_type":"echo","requirements":{"min_memory_gb":"1"}}"#, "requirements.min_memory_gb", "expected f64"),
        (
            r#"{"task_type":"echo","requirements":{"min_memory_gb":-1}}"#,
            "requirements.min_memory_gb",
            "-1 is out of range",
        ),
        (
            r#"{"task_type":"echo","requirements":{"min_memory_gb":1e300}}"#,
            "requirements.min_memory_gb",
            "out of range",
        ),
        (r#"{"task_type":"echo","requirements":{"min_cpu_cores":-0.5}}"#, "requirements.min_cpu_cores", "0 to 4096"),
        (r#"{"task_type":"echo","requirements":{"max_cpu_usage":101}}"#, "requirements.max_cpu_usage", "0 to 100"),
        (
            r#"{"task_type":"echo","requirements":{"timeout_seconds":0}}"#,
            "requirements.timeout_seconds",
            "more than zero",
        ),
        (
            r#"{"task_type":"echo","requirements":{"timeout_seconds":1e12}}"#,
            "requirements.timeout_seconds",
            "out of range",
        ),
        (r#"{"task_type":"echo","requirements":{"max_retries":-1}}"#, "requirements.max_retries", "-1"),
        (r#"{"task_type":"echo","requirements":{"max_retries":1000}}"#, "max_retries", "0 to 100"),
        (
            r#"{"task_type":"echo","requirements":{"required_platform":"beos"}}"#,
            "requirements.required_platform",
            "linux, android, windows, macos",
        ),
        (
            r#"{"task_type":"echo","requirements":{"required_role":"boss"}}"#,
            "requirements.required_role",
            "worker, compute",
        ),
        (
            r#"{"task_type":"echo","requirements":{"only_devices":["attic"]}}"#,
            "requirements.only_devices",
            "no device \"attic\"",
        ),
        (r#"{"task_type":"echo","retry":{"retry_on":["bad_luck"]}}"#, "retry.retry_on", "network_error"),
        (
            r#"{"task_type":"echo","retry":{"max_retries":1},"requirements":{"max_retries":2}}"#,
            "retry.max_retries",
            "say it once",
        ),
        (r#"{"task_type":"echo","retry":{"base_delay":-2}}"#, "retry.base_delay", "out of range"),
        (r#"{"task_type":"echo","sandbox":{"allow_all":true}}"#, "sandbox.allow_all", "unknown field"),
        (r#"{"task_type":"echo","sandbox":{"memory_limit":"much"}}"#, "sandbox.memory_limit", "no size"),
        (r#"{"task_type":"echo","required_permissions":["root"]}"#, "required_permissions", "read_files"),
        (r#"{"task_type":"echo","after":["x"]}"#, "after[0]", "no task's id"),
        (r#"{"task_type":"echo","labels":{"a":1}}"#, "labels.a", "expected a string"),
        (r#"{"task_type":"echo","metadata":[]}"#, "metadata", "invalid type"),
        (&deep, "body", "deeper than 100"),
        (&wide, "requirements.required_tags", "65 entries"),
    ];
    for (json, field, words) in table {
        let error = one(json).expect_err(json);
        assert_eq!(error.field, *field, "{json}: {error}");
        assert!(error.message.contains(words), "{json}: {error}");
    }
}

#[test]
fn fractions_and_aliases_become_exact_integers() {
    let task = one(
        r#"{"task_type":"command","priority":"urgent","payload":{"n":12345678901234567890123},
            "requirements":{"min_memory_gb":0.5,"min_cpu_cores":0.1,"min_cpu_available":33.3,"required_platform":"darwin",
              "gpu_required":true,"internet_required":true,"bandwidth_mbps":2.5,"timeout_seconds":0.25,"required_arch":"arm64"},
            "retry":{"max_retries":0,"base_delay":0.5}}"#,
    )
    .expect("valid");
    let wants = &task.spec.requirements;
    assert_eq!(wants.min_memory_bytes, Some(536_870_912));
    assert_eq!(wants.min_cpu_cores_milli, Some(100));
    assert_eq!(wants.min_cpu_available_ppm, Some(333_000));
    assert_eq!(wants.required_platform.as_deref(), Some("macos"));
    assert_eq!(wants.required_arch.as_deref(), Some("aarch64"));
    assert_eq!(wants.bandwidth_kbps, Some(2_500));
    assert!(wants.requires_gpu && wants.requires_internet);
    assert_eq!(task.spec.timeout, Span(250_000));
    assert_eq!(task.spec.priority, Priority::Urgent);
    assert_eq!(task.spec.retry.max_retries, 0);
    assert!(task.spec.side_effects);
    assert_eq!(&*task.payload, br#"{"n":12345678901234567890123}"#);
}

#[test]
fn what_is_left_out_gets_the_documented_default() {
    let task = one(r#"{"task_type":"echo"}"#).expect("valid");
    assert_eq!(&*task.payload, b"{}");
    assert_eq!(task.spec.timeout, Span::from_secs(300));
    assert_eq!(task.spec.retry.max_retries, 3);
    assert!(task.spec.extra.is_empty() && !task.spec.side_effects);
    let task =
        one(r#"{"task_type":"echo","payload":null,"name":"n","sandbox":{"memory_limit":"2GB"}}"#).expect("valid");
    assert_eq!(&*task.payload, b"null");
    assert_eq!(&*task.spec.extra, br#"{"name":"n","sandbox":{"memory_limit":2000000000}}"#);
}

#[test]
fn a_list_names_the_task_that_is_wrong() {
    let error = parse_tasks(br#"[{"task_type":"echo"},{"task_type":"echo","priorty":"low"}]"#).expect_err("typo");
    assert_eq!(error.field, "[1].priorty");
}

#[test]
fn success_is_an_older_name_of_completed() {
    assert_eq!(status_filter("success"), status_filter("completed"));
    assert_eq!(status_filter("done"), None);
}

#[test]
fn a_task_keeps_the_blobs_that_the_payload_of_its_command_names() {
    let (a, b, c) = ("aa".repeat(32), "bb".repeat(32), "cc".repeat(32));
    let json = |task_type: &str| {
        format!(
            r#"{{"task_type":"{task_type}","blobs":["{a}"],"payload":{{"argv":["x"],"stdin_blob":"{c}",
                "in":[{{"path":"1","blob":"{a}"}},{{"path":"2","blob":"{b}"}},{{"path":"3","blob":"{b}"}}]}}}}"#
        )
    };
    let named = |task: NewTask| -> Vec<String> { task.spec.blobs.iter().map(|blob| blob.hash.to_string()).collect() };
    assert_eq!(named(one(&json("command")).unwrap()), [a.clone(), b.clone(), c.clone()]);
    assert_eq!(named(one(&json("echo")).unwrap()), std::slice::from_ref(&a), "it is for the command to say");
    // What is no such payload is the device's to refuse.
    assert!(named(one(r#"{"task_type":"command","payload":{"in":7}}"#).unwrap()).is_empty());
}
