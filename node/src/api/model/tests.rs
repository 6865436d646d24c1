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

/// A device as others see it: what is not said of it is unknown.
fn device(name: &str) -> rc_scheduler::DeviceRecord {
    use rc_scheduler::{Capacity, DeviceId, DeviceRecord, Role};
    let words = |text: &str| text.split(' ').map(str::to_owned).collect();
    let mut record = DeviceRecord { device: DeviceId([name.len() as u8; 16]), ..DeviceRecord::default() };
    record.capacity = match name {
        "pi" => Capacity {
            platform: "linux".to_owned(),
            arch: "aarch64".to_owned(),
            role: Some(Role::Worker),
            tags: words("home ssd"),
            cpu_cores_milli: Some(4_000),
            cpu_usage_ppm: Some(300_000),
            memory_total_bytes: Some(4 << 30),
            memory_available_bytes: Some(3 << 29),
            storage_available_bytes: Some(12 << 30),
            gpu: Some(false),
            internet: Some(true),
            bandwidth_kbps: Some(54_000),
            sensors: Some(std::collections::BTreeSet::new()),
            ..Capacity::default()
        },
        // Termux.
        "phone" => Capacity {
            platform: "android".to_owned(),
            arch: "aarch64".to_owned(),
            role: Some(Role::Mobile),
            cpu_cores_milli: Some(8_000),
            sensors: Some(words("camera gps")),
            internet: Some(false),
            ..Capacity::default()
        },
        _ => Capacity {
            platform: "darwin".to_owned(),
            arch: "x86_64".to_owned(),
            gpu: Some(true),
            ..Capacity::default()
        },
    };
    record.capacity.name = name.to_owned();
    record.capacity.task_types = ["echo".to_owned()].into();
    record
}

#[test]
fn every_requirement_as_it_is_written_reaches_the_verdict_of_a_device() {
    use rc_scheduler::{Candidate, DeviceId, unmet};
    let table = r#"
        "min_cpu_cores": 2.5                     | pi    |
        "min_cpu_cores": 4.001                   | pi    | min_cpu_cores 4.001 > 4
        "min_cpu_cores": 1                       | macbook | min_cpu_cores 1: unknown
        "min_memory_gb": 1.5                     | pi    |
        "min_memory_gb": 1.501                   | pi    | min_memory_gb 1.501 > 1.5 available
        "min_storage_gb": 12.25                  | pi    | min_storage_gb 12.25 > 12 available
        "min_cpu_available": 70                  | pi    |
        "min_cpu_available": 70.5                | pi    | min_cpu_available 70.5 % > 70 %
        "required_platform": "darwin"            | macbook |
        "required_platform": "macos"             | macbook |
        "required_platform": "MacOS"             | pi    | required_platform macos ≠ linux
        "required_platform": "android"           | phone |
        "required_platform": "linux"             | phone | required_platform linux ≠ android
        "required_arch": "arm64"                 | pi    |
        "required_arch": "amd64"                 | macbook |
        "required_arch": "armv7"                 | pi    | required_arch armv7 ≠ aarch64
        "required_role": "mobile"                | phone |
        "required_role": "storage"               | pi    | required_role storage ≠ worker
        "required_tags": ["ssd", "home"]         | pi    |
        "required_tags": ["ssd", "fast"]         | pi    | required_tags fast: no
        "max_cpu_usage": 30                      | pi    |
        "max_cpu_usage": 29.9                    | pi    | max_cpu_usage 29.9 % < 30 %
        "max_memory_usage": 62.5                 | pi    |
        "max_memory_usage": 62                   | pi    | max_memory_usage 62 % < 62.5 %
        "requires_gpu": true                     | macbook |
        "gpu_required": true                     | pi    | requires_gpu: no
        "gpu_required": true                     | phone | requires_gpu: unknown
        "requires_internet": true                | pi    |
        "internet_required": true                | phone | requires_internet: no
        "internet_required": true                | macbook | requires_internet: unknown
        "bandwidth_mbps": 54                     | pi    |
        "bandwidth_mbps": 54.5                   | pi    | bandwidth_mbps 54.5 > 54
        "requires_sensors": ["gps", "camera"]    | phone |
        "requires_sensors": ["gps"]              | pi    | requires_sensors gps: no
        "requires_sensors": ["gps"]              | macbook | requires_sensors gps: unknown
        "exclusive": true                        | pi    |
        "exclude_devices": ["pi"]                | pi    | exclude_devices names it
        "exclude_devices": ["pi"]                | phone |
        "only_devices": ["phone"]                | phone |
        "only_devices": ["phone"]                | pi    | only_devices does not name it
        "timeout_seconds": 0.5, "max_retries": 0 | pi    |
    "#;
    let mut lines = 0;
    for line in table.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let [needs, name, expected] = line.split('|').map(str::trim).collect::<Vec<_>>()[..] else { panic!("{line}") };
        let json = format!(r#"{{"task_type":"echo","requirements":{{{needs}}}}}"#);
        let TaskRequests::One(request) = parse_tasks(json.as_bytes()).expect(line) else { panic!("{line}") };
        let task = request.into_task(&|name| Ok(DeviceId([name.len() as u8; 16]))).expect(line);
        let said: Vec<_> = unmet(&task.spec, &Candidate::new(&device(name))).iter().map(ToString::to_string).collect();
        assert_eq!(said.join("; "), expected, "{line}");
        lines += 1;
    }
    assert_eq!(lines, 41);
}
