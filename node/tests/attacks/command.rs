//! `command`: what its payload can smuggle in. What a program can do once it runs is attacked in `sandbox`.

use super::device::Device;
use rc_scheduler::{ErrorClass, Status};
use serde_json::json;

#[tokio::test]
async fn commands_that_no_system_can_start_are_refused_before_they_are_tried() {
    let device = Device::new().await;
    for payload in [
        json!({"argv": ["echo", "a\u{0}b"]}),
        json!({"argv": ["ec\u{0}ho"]}),
        json!({"argv": []}),
        json!({"argv": [""]}),
        json!({"argv": "rm -rf /"}),
        json!({"argv": ["echo", 1]}),
        json!({"argv": [["echo"]]}),
        json!({"command": "echo"}),
        json!({"command": "echo", "argv": ["echo"], "shell": true}),
        json!({"command": "a\u{0}b", "shell": true}),
        json!({"argv": ["env"], "env": {"A=B": "c"}}),
        json!({"argv": ["env"], "env": {"": "c"}}),
        json!({"argv": ["env"], "env": {"A\u{0}B": "c"}}),
        json!({"argv": ["env"], "env": {"A": "c\u{0}d"}}),
        json!({"argv": ["env"], "env": {"RC_TASK_EPOCH": "999"}}),
        json!({"argv": ["env"], "env": {"RC_TASK_ID": "x"}}),
        json!({"argv": ["pwd"], "cwd": "../../.."}),
        json!({"argv": ["pwd"], "cwd": "a\u{0}b"}),
        json!({"argv": ["true"], "timeout": 1e308}),
        json!({"argv": ["true"], "timeout": -1}),
        json!({"argv": ["true"], "user": "root"}),
        json!({"argv": ["true"], "uid": 0}),
        json!({"argv": vec!["x"; 2_000]}),
        json!("rm -rf /"),
        json!(null),
    ] {
        let end = device.run("command", payload.clone()).await;
        assert_eq!(end.class, Some(ErrorClass::InvalidPayload), "{payload}: {end:?}");
    }
    device.end().await;
}

#[tokio::test]
async fn words_of_a_command_are_words_and_no_shell_reads_them() {
    let device = Device::new().await;
    for word in [
        "$(touch x)",
        "`id`",
        "; id",
        "| id",
        "&& id",
        "> x",
        "*",
        "$HOME",
        "~root",
        "\n id",
        "-e \\x41",
        "%n%s",
        "\u{1b}]0;x\u{7}",
    ] {
        let end = device.run("command", json!({"argv": ["printf", "%s", word]})).await;
        assert_eq!((end.status, &end.result["stdout"]), (Status::Completed, &json!(word)), "{end:?}");
    }
    let end = device.run("command", json!({"argv": ["sh", "-c", "ls -A"]})).await;
    assert_eq!(end.result["stdout"], "", "nothing was left behind: {end:?}");
    device.end().await;
}

#[tokio::test]
async fn variables_of_a_command_reach_nobody_else() {
    let device = Device::new().await;
    // Libraries to load, a directory to find programs in, options of interpreters: for its own processes only, and as nobody.
    let env = json!({
        "LD_PRELOAD": "/nowhere/evil.so", "LD_LIBRARY_PATH": "/nowhere", "PATH": "/usr/bin:/bin", "IFS": "x", "ENV": "/etc/passwd",
        "BASH_ENV": "/etc/passwd", "PYTHONSTARTUP": "/etc/passwd", "BASH_FUNC_id%%": "() { echo evil; }",
    });
    let end = device.run("command", json!({"argv": ["sh", "-c", "id -u; echo done"], "env": env})).await;
    let told = end.result["stdout"].as_str().unwrap_or_default();
    assert!(told.ends_with("done\n") && !told.contains("evil") && !told.starts_with("0\n"), "{end:?}");
    let next = device.run("command", json!({"argv": ["env"]})).await;
    let told = next.result["stdout"].as_str().unwrap_or_default();
    assert!(told.contains("RC_TASK_ID=") && !told.contains("PRELOAD") && !told.contains("BASH_ENV"), "{next:?}");
    device.end().await;
}

#[tokio::test]
async fn places_that_a_command_may_not_work_in_are_not_entered() {
    let device = Device::new().await;
    for cwd in ["/root", "/proc/self/root/root", "/etc/shadow", "/nowhere"] {
        let end = device.run("command", json!({"argv": ["pwd"], "cwd": cwd})).await;
        assert!(end.class.is_some(), "{cwd}: {end:?}");
    }
    let data = device.dir.path().to_owned();
    let end = device.run("command", json!({"argv": ["ls", data], "cwd": "/"})).await;
    assert!(end.class.is_some() && !end.result.to_string().contains("identity"), "{end:?}");
    device.end().await;
}

#[tokio::test]
async fn a_flood_into_a_command_and_out_of_it_is_bounded() {
    let device = Device::new().await;
    let words = "x".repeat(500_000);
    let end = device.run("command", json!({"argv": ["true"], "stdin": words})).await;
    assert_eq!(end.status, Status::Completed, "{end:?}");
    let end = device
        .run("command", json!({"argv": ["sh", "-c", "head -c 9000000 /dev/zero; head -c 9000000 /dev/zero >&2"]}))
        .await;
    assert_eq!(end.status, Status::Completed, "{:?}", end.class);
    assert!(end.result.to_string().len() < 2_000_000, "{}", end.result.to_string().len());
    device.end().await;
}
