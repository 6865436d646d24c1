//! What a task writes is seen while it runs, on any device, and afterwards.

use crate::device::{Device, finish};
use crate::trio::{NAMES, PATIENCE, Trio, device};
use crate::wait::until;
use serde_json::Value;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

/// A verb that runs for a while, with its output in files.
pub(crate) struct Running {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Running {
    pub(crate) fn start(node: &Device, dir: &Path, name: &str, args: &[&str]) -> Self {
        let (out, err) = (dir.join(format!("{name}.out")), dir.join(format!("{name}.err")));
        let mut command = node.command(args);
        command.stdin(Stdio::null());
        command.stdout(File::create(&out).expect("a file")).stderr(File::create(&err).expect("a file"));
        Self { child: command.spawn().expect("it starts"), out, err }
    }

    pub(crate) fn out(&self) -> String {
        fs::read_to_string(&self.out).expect("a file")
    }

    /// Waits until it has printed this.
    fn prints(&self, text: &str) {
        until(&format!("it prints {text:?}"), PATIENCE, || {
            if self.out().contains(text) { Ok(()) } else { Err(format!("{:?} {:?}", self.out(), fs::read(&self.err))) }
        });
    }

    /// What it has said so far beside its output.
    pub(crate) fn err(&self) -> String {
        fs::read_to_string(&self.err).expect("a file")
    }

    /// Waits for its end; its exit code, output and errors.
    pub(crate) fn end(mut self) -> (i32, String, String) {
        let (code, _) = until("it ends", PATIENCE, || match self.child.try_wait().expect("a child") {
            Some(status) => Ok(status.code().unwrap_or(-1)),
            None => Err("it runs".to_owned()),
        });
        (code, self.out(), fs::read_to_string(&self.err).expect("a file"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn logs_are_live_on_every_device_and_stay_after_the_end() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let trio = Trio::start(&["--allow", "command"]);
    let script = "echo one; echo two >&2; printf half; exec sleep 600";
    let payload = format!("{{\"argv\":[\"sh\",\"-c\",\"{script}\"]}}");
    let id = trio.nodes[0].submit(&["command", "--payload", &payload, "--only-devices", NAMES[1]]);
    let follow: Vec<_> =
        (0..3).map(|at| Running::start(&trio.nodes[at], dir.path(), NAMES[at], &["logs", "-f", &id])).collect();
    // While it runs: it will not end by itself.
    follow.iter().for_each(|running| running.prints("one\nhalf"));
    let now = trio.nodes[2].say(&["logs", &id]);
    assert_eq!((now.code, now.out.as_str(), now.err.as_str()), (0, "one\nhalf", "two\n"), "{now:?}");
    // What it uses is told by the device that runs it.
    let (shown, _) = until("its use is known", PATIENCE, || {
        let shown = trio.nodes[2].show(&id)?;
        if shown["resource_usage"]["cpu_seconds"].is_number() { Ok(shown) } else { Err(format!("{shown:#}")) }
    });
    assert!(shown["resource_usage"]["max_memory_mb"].as_f64().is_some_and(|mb| mb > 0.0), "{shown:#}");
    assert_eq!(trio.nodes[2].say(&["cancel", &id]).code, 0);
    for running in follow {
        let (code, out, err) = running.end();
        assert_eq!((code, out.as_str()), (1, "one\nhalf"), "{err}");
        assert!(err.starts_with("two\n") && err.contains("cancelled"), "{err}");
    }
    let lines = trio.nodes[2].say(&["logs", &id, "-o", "jsonl"]);
    let lines: Vec<Value> = lines.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines[0]["event"], "attempt", "{lines:?}");
    assert_eq!(lines[0]["device"], NAMES[1]);
    assert_eq!(lines.last().expect("an end")["status"], "cancelled");
    let stderr = lines.iter().find(|line| line["stream"] == "stderr").expect("one");
    assert_eq!(stderr["text"], "two\n");
    assert_eq!(trio.nodes[0].say(&["logs", "01arz3ndektsv4rrffq69g5fav"]).code, 3);
}

#[test]
fn exec_prints_while_the_command_runs_and_loses_nothing() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut node = device(&dir, "attic", &["--allow", "command"]);
    node.start();
    // Much more than is kept anywhere, and none of it text.
    let said = node.command(&["exec", "--", "sh", "-c", "seq 1 300000; seq 1 20000 >&2"]).output().expect("it runs");
    let all = |n: u32| (1..=n).map(|n| format!("{n}\n")).collect::<String>();
    assert!(said.stdout == all(300_000).as_bytes(), "{} bytes", said.stdout.len());
    assert!(said.stderr == all(20_000).as_bytes(), "{} bytes", said.stderr.len());
    let said = node.command(&["exec", "--", "printf", r"\377\000\303"]).output().expect("it runs");
    assert_eq!(said.stdout, b"\xff\x00\xc3");
    let running = Running::start(&node, dir.path(), "exec", &["exec", "--", "sh", "-c", "echo first; exec sleep 600"]);
    running.prints("first\n");
    assert_eq!(node.say(&["cancel", "last"]).code, 0);
    let (code, out, err) = running.end();
    assert_eq!((code, out.as_str()), (125, "first\n"), "{err}");
    // Who reads no more ends the command, as a pipe would.
    let shell = node.command(&["exec", "--", "yes"]);
    let program = shell.get_program().to_owned();
    let args: Vec<_> = shell.get_args().map(ToOwned::to_owned).collect();
    let mut piped = std::process::Command::new("sh");
    piped.args(["-c", "\"$@\" | head -1", "sh"]).arg(program).args(args);
    piped.envs(shell.get_envs().filter_map(|(name, value)| Some((name, value?))));
    assert_eq!(finish(piped, b"").out, "y\n");
    until("it is cancelled", PATIENCE, || {
        let shown = node.show("last")?;
        if shown["status"] == "cancelled" { Ok(()) } else { Err(format!("{shown:#}")) }
    });
}

/// Of output that is longer than what is kept live, somebody who comes late sees the beginning and the end, and how much is between.
#[test]
fn a_long_output_that_is_read_late_has_its_beginning_and_its_end() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut node = device(&dir, "attic", &["--allow", "command"]);
    node.start();
    let script = "i=0; while [ $i -lt 40000 ]; do i=$((i+1)); echo line-$i-of-many; done; echo the-end >&2";
    let id = node.submit(&["command", "-p", &format!("command={script}"), "-p", "shell=true"]);
    let result = node.result(&id, PATIENCE);
    assert_eq!((&result["status"], &result["truncated"]), (&Value::from("completed"), &Value::from(true)));
    let said = node.say(&["logs", &id]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.starts_with("line-1-of-many\nline-2-of-many\n"), "{}", &said.out[..100]);
    assert!(said.out.ends_with("line-40000-of-many\n"));
    assert!(said.err.contains("bytes of the output are missing here") && said.err.contains("the-end"), "{}", said.err);
    let before = said.err.split_once(" bytes of the output").expect("a number").0;
    let missing: usize = before.rsplit(' ').next().and_then(|n| n.parse().ok()).expect("a number");
    let whole: usize = (1..=40_000).map(|n| format!("line-{n}-of-many\n").len()).sum();
    assert_eq!(said.out.len() + missing, whole, "nothing is told twice");
    assert!(said.out.len() > 300 << 10, "{} bytes: 64 KiB of the beginning, 256 KiB of the end", said.out.len());
}
