//! Files go with a command to whatever device runs it, and what it makes comes back.

use crate::trio::{NAMES, PATIENCE, Trio, device};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

fn run(mut command: Command) -> (i32, String, String) {
    let said = command.output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (said.status.code().unwrap_or(-1), text(&said.stdout), text(&said.stderr))
}

#[test]
fn files_travel_with_a_command_and_come_back_and_none_escapes() {
    let here = tempfile::tempdir().expect("a temporary directory");
    let trio = Trio::start(&["--allow", "command"]);
    let path = |name: &str| here.path().join(name);
    let long: Vec<u8> = (0..300_000_u32).map(|n| (n * 7 % 251) as u8).collect();
    fs::write(path("small.txt"), "some text").expect("a file");
    fs::write(path("long.bin"), &long).expect("a file");
    fs::write(path("run.sh"), "#!/bin/sh\necho ran \"$@\"\n").expect("a file");
    fs::set_permissions(path("run.sh"), fs::Permissions::from_mode(0o755)).expect("it is ours");
    let script =
        "./bin/run.sh once; tr a-z A-Z <small.txt >up.txt; cat >got.bin; mkdir -p d/e; cp small.txt d/e/deep.txt;
                  ln -s /etc/passwd link.txt; ln -s / root; mkfifo pipe.txt; echo left >not.asked; ls";
    let args = ["exec", "--only-devices", NAMES[1], "--in", "small.txt", "--in", "run.sh:bin/run.sh"];
    let more = ["--stdin", "long.bin", "--out", "*.txt", "--out", "got.*", "--out", "d/**", "--out", "root/etc/*"];
    let mut command = trio.nodes[0].command(&[&args[..], &more, &["--", "sh", "-c", script]].concat());
    command.current_dir(here.path());
    fs::remove_file(path("up.txt")).ok();
    let (code, out, err) = run(command);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.starts_with("ran once\nbin\n"), "{out}");
    assert_eq!(fs::read_to_string(path("up.txt")).expect("it came back"), "SOME TEXT");
    assert!(fs::read(path("got.bin")).expect("it came back") == long);
    assert_eq!(fs::read_to_string(path("d/e/deep.txt")).expect("it came back"), "some text");
    for absent in ["link.txt", "pipe.txt", "not.asked", "root"] {
        assert!(!path(absent).exists(), "{absent}");
    }

    // Handed in on one device, and the files fetched on another.
    let mut submit =
        trio.nodes[0].command(&["submit", "command", "--payload", r#"{"argv":["cp","small.txt","copy"]}"#]);
    submit.args(["--in", "small.txt", "--out", "c*", "--env", "A=b", "--only-devices", NAMES[1]]);
    let (code, id, err) = run({
        submit.current_dir(here.path());
        submit
    });
    assert_eq!(code, 0, "{err}");
    let result = trio.nodes[2].result(id.trim(), PATIENCE);
    assert_eq!(result["result"]["files"][0]["path"], "copy", "{result:#}");
    assert_eq!(result["blobs"].as_array().map(Vec::len), Some(1), "{result:#}");
    let to = path("fetched");
    let said = trio.nodes[2].say(&["result", id.trim(), "--out", to.to_str().expect("UTF-8")]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(fs::read_to_string(to.join("copy")).expect("it came"), "some text");
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_runs() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut node = device(&dir, "attic", &["--allow", "command"]);
    node.start();
    let file = dir.path().join("f");
    fs::write(&file, "x").expect("a file");
    let file = file.to_str().expect("UTF-8");
    let (up, twice) = (format!("{file}:../up"), format!("{file}:f"));
    for (args, why) in [
        (&["--in", "/no/such/file"][..], "/no/such/file"),
        (&["--in", &up], "no name below"),
        (&["--in", file, "--in", &twice], "is there twice"),
        (&["--in", "/dev"], "no plain file"),
        (&["--stdin", "/no/such/file"], "/no/such/file"),
        (&["--env", "A"], "A"),
    ] {
        let said = node.say(&[&["exec"], args, &["--", "true"]].concat());
        assert!(said.code != 0 && said.err.contains(why), "{args:?}: {said:?}");
    }
    let said = node.say(&["submit", "echo", "--in", file]);
    assert!(said.code == 2 && said.err.contains("command"), "{said:?}");
    // A pattern that nothing matches is no failure of the command.
    let said = node.say(&["exec", "--out", "*.png", "--", "true"]);
    assert!(said.code == 0 && said.err.contains("*.png"), "{said:?}");
}
