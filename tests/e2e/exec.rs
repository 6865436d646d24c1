//! `exec` is as good as the command itself: its output, its exit code.

use crate::device::finish;
use crate::trio::device;

#[test]
fn exec_exits_as_the_command_did() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut node = device(&dir, "attic", &["--allow", "command"]);
    node.start();
    for (args, code, out, err) in [
        (&["--", "sh", "-c", "echo out; echo err >&2; exit 7"][..], 7, "out\n", "err"),
        (&["--", "true"], 0, "", ""),
        (&["--", "sh", "-c", "kill -TERM $$"], 128 + 15, "", ""),
        (&["--", "sh", "-c", "kill -9 $$"], 128 + 9, "", ""),
        (&["--timeout", "300ms", "--", "sleep", "60"], 124, "", ""),
        (&["--env", "A=b c", "--", "sh", "-c", "echo $A"], 0, "b c\n", ""),
        (&["--", "printf", "%s|", "a b", "*"], 0, "a b|*|", ""),
    ] {
        let said = node.say(&[&["exec"], args].concat());
        assert_eq!((said.code, said.out.as_str()), (code, out), "{args:?}: {said:?}");
        assert!(said.err.contains(err), "{args:?}: {said:?}");
    }
    let said = finish(node.command(&["exec", "-i", "--", "tr", "a-z", "A-Z"]), b"loud");
    assert_eq!((said.code, said.out.as_str()), (0, "LOUD"), "{said:?}");
    let said = node.say(&["exec", "--", "/no/such/program"]);
    assert!(said.code == 127 && said.err.contains("/no/such/program"), "{said:?}");
}

#[test]
fn exec_needs_neither_a_node_nor_a_setting() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let device = device(&dir, "alone", &[]);
    // The node that it starts for itself must not look around: this is a test.
    let mut command = device.command(&["exec", "--", "sh", "-c", "echo hi; exit 3"]);
    command.envs([("RC_NODE_NO_MDNS", "true"), ("RC_NODE_LISTEN", "127.0.0.1:0")]);
    let said = finish(command, b"");
    assert_eq!((said.code, said.out.as_str()), (3, "hi\n"), "{said:?}");
    // Nothing is left behind that would answer.
    assert_eq!(device.say(&["status"]).code, 5);
}
