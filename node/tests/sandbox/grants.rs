//! What a task asks for it gets if the owner grants it, and nothing beside it; what cannot be enforced is refused.

use std::path::PathBuf;

use super::cell::{Cell, attack, open, quick};
use rc_node::handlers::command::CommandGrants;
use rc_node::handlers::{ErrorClass, SandboxAsk, TaskLimits};
use rc_node::sandbox::Tier;
use serde_json::Value;

async fn ask(cell: &Cell, sandbox: SandboxAsk, script: &str) -> Result<Value, rc_node::handlers::TaskError> {
    cell.run_with(TaskLimits { sandbox, ..quick() }, attack(script)).await.1
}

#[tokio::test]
async fn a_granted_path_opens_and_nothing_beside_it() {
    for tier in [Tier::Namespaces, Tier::Filters] {
        let dir = tempfile::tempdir().unwrap();
        let (granted, beside) = (dir.path().join("granted"), dir.path().join("beside"));
        for place in [dir.path(), &granted, &beside] {
            std::fs::create_dir_all(place).unwrap();
            open(place, 0o777);
        }
        for file in [granted.join("file"), beside.join("file")] {
            std::fs::write(&file, "text").unwrap();
            open(&file, 0o666);
        }
        std::os::unix::fs::symlink(&beside, granted.join("out")).unwrap();
        let grants =
            CommandGrants { read: true, write: true, paths: vec![granted.clone()], ..CommandGrants::default() };
        let Some(cell) = Cell::new(tier, grants.clone()).await else { continue };
        let (g, b) = (granted.display(), beside.display());
        let script = format!(
            r#"
attempt("read", lambda: open("{g}/file").read())
attempt("write", lambda: open("{g}/file", "a").write("!"))
attempt("create", lambda: open("{g}/new", "w"))
attempt("beside", lambda: open("{b}/file").read())
attempt("by link", lambda: open("{g}/out/file").read())
attempt("by dots", lambda: open("{g}/../beside/file").read())
"#
        );
        let lines = |done: Value| -> Vec<bool> {
            done["stdout"].as_str().unwrap().lines().map(|line| line.ends_with(": done")).collect()
        };
        let paths = vec![granted.clone()];
        let done = ask(&cell, SandboxAsk { allowed_paths: paths.clone(), ..SandboxAsk::default() }, &script).await;
        assert_eq!(lines(done.unwrap()), [true, false, false, false, false, false], "{}", tier.text());
        let done =
            ask(&cell, SandboxAsk { allowed_paths: paths.clone(), writes: true, ..SandboxAsk::default() }, &script)
                .await;
        assert_eq!(lines(done.unwrap()), [true, true, true, false, false, false], "{}", tier.text());
        let done = ask(&cell, SandboxAsk { allow_filesystem: Some(true), ..SandboxAsk::default() }, &script).await;
        assert_eq!(lines(done.unwrap()), [true, false, false, false, false, false], "{}", tier.text());
        let done = ask(&cell, SandboxAsk::default(), &script).await;
        assert_eq!(lines(done.unwrap()), [false; 6], "{}", tier.text());

        for path in
            [beside.clone(), granted.join("out"), granted.join("../beside"), PathBuf::from("/"), "/etc/shadow".into()]
        {
            let asks = SandboxAsk { allowed_paths: vec![path.clone()], ..SandboxAsk::default() };
            let error = ask(&cell, asks, &script).await.unwrap_err();
            assert_eq!(error.class, ErrorClass::PermissionDenied, "{}", path.display());
        }
        let reader = Cell::new(tier, CommandGrants { write: false, ..grants }).await.unwrap();
        let asks = SandboxAsk { allowed_paths: paths, writes: true, ..SandboxAsk::default() };
        assert_eq!(ask(&reader, asks, &script).await.unwrap_err().class, ErrorClass::PermissionDenied);
    }
}

#[tokio::test]
async fn what_this_device_cannot_enforce_is_refused_and_not_ignored() {
    let plain = Cell::new(Tier::Limits, CommandGrants::default()).await.unwrap();
    assert_eq!(plain.handler.enforces(), ["file_size", "memory"]);
    let offline = SandboxAsk { allow_network: Some(false), ..SandboxAsk::default() };
    let alone = SandboxAsk { allow_filesystem: Some(false), ..SandboxAsk::default() };
    for asks in [offline.clone(), alone] {
        let error = ask(&plain, asks, "").await.unwrap_err();
        assert_eq!(error.class, ErrorClass::UnsupportedOperation);
    }
    for tier in [Tier::Namespaces, Tier::Filters] {
        let Some(cell) = Cell::new(tier, CommandGrants::default()).await else { continue };
        assert!(ask(&cell, offline.clone(), "").await.is_ok());
        if !cell.handler.enforces().contains(&"cpu") {
            let half = SandboxAsk { cpu_percent: Some(50.0), ..SandboxAsk::default() };
            let error = ask(&cell, half, "").await.unwrap_err();
            assert_eq!(error.class, ErrorClass::UnsupportedOperation);
            assert!(error.message.contains("cpu"), "{error}");
        }
    }
}
