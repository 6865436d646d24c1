//! The same attacks against a node of an ordinary user, when these tests are run by root: who may do everything proves little.

use std::path::Path;
use std::process::Command;

use super::cell::{current_uid, open, program};

const NOBODY: u32 = 65_534;

#[test]
fn all_of_it_holds_for_an_ordinary_user_too() {
    use std::os::unix::process::CommandExt;
    if current_uid() != 0 {
        eprintln!("SKIPPED: these tests run as an ordinary user already");
        return;
    }
    // Copies, because nobody can go where these are.
    let dir = tempfile::tempdir().unwrap();
    open(dir.path(), 0o755);
    let copy = |from: &Path, name: &str| {
        let to = dir.path().join(name);
        std::fs::copy(from, &to).unwrap();
        open(&to, 0o755);
        to
    };
    let (tests, node) = (copy(&std::env::current_exe().unwrap(), "tests"), copy(&program(), "rc-node"));
    let own = dir.path().join("tmp");
    std::fs::create_dir(&own).unwrap();
    open(&own, 0o777);
    let mut run = Command::new(tests);
    run.args(["--skip", "users::", "--test-threads", "1"])
        .env("RC_NODE_TEST_PROGRAM", node)
        .env("TMPDIR", &own)
        .current_dir(dir.path());
    let output = run.uid(NOBODY).gid(NOBODY).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    // The program itself must have run the tests, not found none.
    let passed = text.lines().filter(|line| line.ends_with("... ok")).count();
    assert!(passed >= 15, "only {passed} ran:\n{text}");
}
