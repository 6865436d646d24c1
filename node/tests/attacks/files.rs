//! `file_operation`: paths that lead out, and what is no file.

use super::device::Device;
use rc_scheduler::{ErrorClass, Status};
use serde_json::json;
use std::os::unix::fs::symlink;

#[tokio::test]
async fn paths_that_lead_out_are_refused_in_every_spelling() {
    let device = Device::new().await;
    let files = device.dir.path().join("files");
    symlink("../cluster", files.join("link")).unwrap();
    symlink("/proc/self/root", files.join("magic")).unwrap();
    symlink("..", files.join("up")).unwrap();
    std::fs::hard_link(device.dir.path().join("cluster"), files.join("hard")).unwrap();
    let long = "a/".repeat(5_000);
    for path in [
        "../cluster",
        "./../cluster",
        "x/../../cluster",
        "..\u{0}/cluster",
        "/etc/passwd",
        "//etc/passwd",
        "/proc/self/mem",
        "/proc/self/environ",
        "/proc/self/fd/0",
        "/dev/stdin",
        "/dev/mem",
        "link",
        "magic/etc/passwd",
        "up/cluster",
        "hard",
        "~/.ssh/id_rsa",
        "file:///etc/passwd",
        "..\\cluster",
        "%2e%2e/cluster",
        "%2e%2e%2fcluster",
        "..%c0%afcluster",
        "\u{ff0e}\u{ff0e}/cluster",
        "\u{202e}retsulc/..",
        &long,
        &"n".repeat(300),
        "",
        ".",
    ] {
        for operation in ["read", "hash", "copy", "move"] {
            // A link itself is the directory's own, and may get another name in it.
            if operation == "move" && ["link", "hard"].contains(&path) {
                continue;
            }
            let mut payload = json!({"operation": operation, "path": path});
            if ["copy", "move"].contains(&operation) {
                payload["destination"] = json!("stolen");
            }
            let end = device.run("file_operation", payload).await;
            assert!(end.class.is_some(), "{operation} {path}: {end:?}");
        }
        assert!(!files.join("stolen").exists(), "{path}");
    }
    for path in ["../evil", "/tmp/evil-of-rc-node", "up/evil", "magic/tmp/evil-of-rc-node", "/proc/self/comm"] {
        for operation in ["write", "append", "mkdir"] {
            let mut payload = json!({"operation": operation, "path": path});
            if operation != "mkdir" {
                payload["content"] = json!("evil");
            }
            let end = device.run("file_operation", payload).await;
            assert!(end.class.is_some(), "{operation} {path}: {end:?}");
        }
    }
    assert!(!device.dir.path().join("evil").exists());
    assert_eq!(std::fs::read(device.dir.path().join("cluster")).unwrap().len(), 32, "the secret is as it was");
    device.end().await;
}

#[tokio::test]
async fn what_is_no_file_is_not_waited_for() {
    let device = Device::new().await;
    let files = device.dir.path().join("files");
    let made = std::process::Command::new("mkfifo").arg(files.join("pipe")).status().unwrap();
    assert!(made.success());
    let _socket = std::os::unix::net::UnixListener::bind(files.join("socket")).unwrap();
    for path in ["pipe", "socket", "."] {
        for operation in ["read", "append", "hash"] {
            let mut payload = json!({"operation": operation, "path": path});
            if operation == "append" {
                payload["content"] = json!("x");
            }
            let end = device.run_for(5, "file_operation", payload.to_string().as_bytes()).await;
            assert!(end.class.is_some_and(|class| class != ErrorClass::Timeout), "{operation} {path}: {end:?}");
        }
    }
    device.end().await;
}

#[tokio::test]
async fn file_operations_that_make_no_sense_do_nothing() {
    let device = Device::new().await;
    for payload in [
        json!({"operation": "exec", "path": "a"}),
        json!({"operation": "chmod", "path": "a", "mode": 511}),
        json!({"operation": "symlink", "path": "a", "destination": "/etc"}),
        json!({"operation": "READ", "path": "a"}),
        json!({"operation": ["read", "write"], "path": "a"}),
        json!({"operation": "write", "path": "a"}),
        json!({"operation": "write", "path": "a", "content": 1}),
        json!({"operation": "write", "path": "a", "content": "x", "encoding": "rot13"}),
        json!({"operation": "write", "path": "a", "content": "!!", "encoding": "base64"}),
        json!({"operation": "write", "path": "a", "content": "x", "blob": "y"}),
        json!({"operation": "read", "path": ["a"]}),
        json!({"operation": "read"}),
        json!({"path": "a"}),
        json!([]),
    ] {
        let end = device.run("file_operation", payload.clone()).await;
        assert_eq!(end.class, Some(ErrorClass::InvalidPayload), "{payload}: {end:?}");
    }
    assert_eq!(std::fs::read_dir(device.dir.path().join("files")).unwrap().count(), 0);
    device.end().await;
}

#[tokio::test]
async fn deleting_everything_deletes_what_is_inside_and_no_more() {
    let device = Device::new().await;
    let files = device.dir.path().join("files");
    std::fs::create_dir(device.dir.path().join("beside")).unwrap();
    std::fs::write(device.dir.path().join("beside/kept"), "kept").unwrap();
    std::fs::create_dir(files.join("tree")).unwrap();
    symlink("../../beside", files.join("tree/link")).unwrap();
    let end = device.run("file_operation", json!({"operation": "delete", "path": "tree", "recursive": true})).await;
    assert_eq!(end.status, Status::Completed, "{end:?}");
    assert!(device.dir.path().join("beside/kept").exists() && !files.join("tree").exists());
    for path in [".", "", "/", "..", "tree/.."] {
        let end = device.run("file_operation", json!({"operation": "delete", "path": path, "recursive": true})).await;
        assert!(end.class.is_some() || device.dir.path().join("cluster").exists(), "{path}: {end:?}");
    }
    assert!(device.dir.path().join("beside/kept").exists() && files.exists());
    device.end().await;
}
