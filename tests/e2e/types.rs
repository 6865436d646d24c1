//! Every task type as the README tells of it: the table's commands are taken literally, and what comes back is what its result column
//! says. And each of the types whose engines and files are on another device, submitted at one and run at the other.

use crate::device::{Device, finish};
use crate::trio::{address, device};
use crate::wait::until;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a crate lies in the repository").to_owned()
}

/// A server on loopback that says hello to everybody; its port.
fn server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        }
    });
    port
}

/// The rows of the table: type, result, command.
fn table() -> Vec<[String; 3]> {
    let text = std::fs::read_to_string(repository().join("README.md")).expect("the README");
    let (_, text) = text.split_once("## Task types").expect("a chapter on task types");
    let rows = text.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    rows.skip(2)
        .map(cells)
        .map(|cells| [cells[0].trim_matches('`').to_owned(), cells[2].clone(), cells[3].trim_matches('`').to_owned()])
        .collect()
}

/// The names in the first braces of a result column: `{"a": …, "b"}`.
fn names(column: &str) -> Vec<String> {
    let braces = column.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map_or("", |(inside, _)| inside);
    let mut names: Vec<_> = braces.split('"').skip(1).step_by(2).map(str::to_owned).collect();
    names.sort();
    names
}

/// Types a line into a shell, as a reader would.
fn typed(device: &Device, line: &str) -> crate::device::Said {
    let mut shell = Command::new("sh");
    let binary = Path::new(env!("CARGO_BIN_EXE_rc-node")).parent().expect("it lies in a directory");
    let path = std::env::join_paths([binary.to_owned(), "/usr/bin".into(), "/bin".into()]).expect("a path");
    shell.args(["-c", line]).env("PATH", path);
    shell.env("RC_NODE_CONFIG", "/dev/null").env("RC_NODE_DATA_DIR", &device.dir);
    finish(shell, b"")
}

#[test]
fn each_row_of_the_readmes_table_does_what_it_says() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let port = server();
    let url = format!("http://127.0.0.1:{port}/");
    let mut node =
        device(&dir, "attic", &["--allow", "command,http_request,file_operation", "--http-allow", "127.0.0.1"]);
    node.start();
    let rows = table();
    let types: Vec<_> = rows.iter().map(|[name, ..]| name.as_str()).collect();
    let all = ["echo", "sleep", "system_info", "python_eval", "wasm", "http_request", "file_operation", "command"];
    assert_eq!(types, all);
    for [name, result, line] in &rows {
        let line = line.replace("https://example.org/", &url);
        assert!(line.starts_with("rc-node "), "{line}");
        let said = typed(&node, &line);
        assert_eq!(said.code, 0, "{line}: {said:?}");
        if name == "command" {
            assert!(said.out.starts_with("Linux rc-node "), "{said:?}");
            let whole =
                node.result(&node.submit(&["command", "--payload", r#"{"argv":["true"]}"#]), crate::trio::PATIENCE);
            let mut keys: Vec<_> = whole["result"].as_object().expect("an object").keys().cloned().collect();
            keys.sort();
            assert_eq!(keys, names(result), "{whole}");
            continue;
        }
        let value = said.json();
        match name.as_str() {
            "echo" => assert_eq!(value, json!({"message": "hi"})),
            "system_info" => {
                assert_eq!((&value["name"], value["cpu_cores"].is_u64()), (&json!("attic"), true), "{value}")
            }
            _ => {
                let mut keys: Vec<_> = value.as_object().expect("an object").keys().cloned().collect();
                keys.sort();
                assert_eq!(keys, names(result), "{line}: {value}");
            }
        }
        let expected = match name.as_str() {
            "sleep" => Some(("slept_for", json!(1))),
            "python_eval" => Some(("result", json!(499_999_500_000_u64))),
            "wasm" => Some(("return_value", json!(5))),
            "http_request" => Some(("content", json!("hello"))),
            "file_operation" => Some(("path", json!("hello.txt"))),
            _ => None,
        };
        if let Some((key, expected)) = expected {
            assert_eq!(value[key], expected, "{line}");
        }
    }
}

#[test]
fn a_module_that_was_given_a_name_is_a_task_type_of_every_device() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("fib.wasm");
    let source = std::fs::read_to_string(repository().join("examples/handlers/fib.wat")).expect("the example");
    std::fs::write(&file, wat::parse_str(source).expect("a module")).expect("a file");
    let file = file.to_str().expect("UTF-8");
    let mut trio = crate::trio::Trio::start(&[]);
    let register = ["task", "register", "fib", file, "--function", "fibonacci", "--params", "n"];
    let said = trio.nodes[0].say(&register);
    assert_eq!(said.code, 0, "{said:?}");
    let types = trio.nodes[1].json(&["task", "types"]);
    let row = types.as_array().expect("a list").iter().find(|row| row["task_type"] == "fib").expect("a row");
    assert_eq!(row["devices"].as_array().map(Vec::len), Some(3), "{row}");
    let twice = trio.nodes[0].say(&["task", "register", "echo", file]);
    assert!(twice.code == 2 && twice.err.contains("already"), "{twice:?}");
    let no_module = trio.nodes[0].say(&["task", "register", "x", "/etc/passwd"]);
    assert!(no_module.code == 2 && no_module.err.contains("no WebAssembly module"), "{no_module:?}");

    // Whoever gave the name is gone.
    trio.nodes[0].kill();
    for node in &trio.nodes[1..] {
        let said = node.say(&["submit", "fib", "-p", "n=50", "--wait"]);
        assert_eq!((said.code, said.json()), (0, json!({"return_value": 12_586_269_025_u64})), "{said:?}");
    }
    // Whichever way they come in, and whether they come with others.
    let lines = "{\"task_type\": \"fib\", \"payload\": {\"n\": 10}}\n{\"task_type\": \"echo\", \"payload\": {}}\n";
    let batch = dir.path().join("batch.jsonl");
    std::fs::write(&batch, lines).expect("a file");
    let said = trio.nodes[2].say(&["batch", "submit", batch.to_str().expect("UTF-8"), "--wait"]);
    assert_eq!(said.code, 0, "{said:?}");
    let flow = dir.path().join("flow.toml");
    let text = "[tasks.first]\ntask_type = \"fib\"\npayload = { n = 6 }\n\n[tasks.second]\ntask_type = \"fib\"\n\
                payload = { n = \"{{tasks.first.result.return_value}}\" }\n";
    std::fs::write(&flow, text).expect("a file");
    let said = trio.nodes[1].say(&["flow", "run", flow.to_str().expect("UTF-8"), "--wait"]);
    assert_eq!(said.code, 0, "{said:?}");
    // What keeps the name is nobody's work.
    let tasks = trio.nodes[1].json(&["ps"]);
    let types: Vec<_> = tasks.as_array().expect("a list").iter().map(|task| task["task_type"].clone()).collect();
    assert!(types.contains(&json!("wasm")) && !types.contains(&json!("wasm_type")), "{types:?}");
    let waiting = trio.nodes[1].json(&["ps", "--status", "pending"]);
    assert_eq!(waiting, json!([]));

    let wrong = trio.nodes[1].say(&["submit", "fib", "-p", "m=50"]);
    assert!(wrong.code == 2 && wrong.err.contains("-p n=VALUE"), "{wrong:?}");
    let list = trio.nodes[2].say(&["submit", "fib", "--payload", "{\"n\": 3, \"o\": 4}"]);
    assert!(list.code == 2 && list.err.contains("no parameter"), "{list:?}");

    // Given again it is another module; forgotten it is none.
    let said = trio.nodes[1].say(&["task", "register", "fib", file, "--function", "fibonacci"]);
    assert_eq!(said.code, 0, "{said:?}");
    let said = trio.nodes[2].say(&["submit", "fib", "-p", "args=[10]", "--wait"]);
    assert_eq!((said.code, said.json()), (0, json!({"return_value": 55})), "{said:?}");
    let said = trio.nodes[2].say(&["task", "unregister", "fib"]);
    assert_eq!(said.code, 0, "{said:?}");
    until("the name is forgotten", crate::trio::PATIENCE, || {
        let types = trio.nodes[1].json(&["task", "types"]);
        if types.to_string().contains("\"fib\"") { Err(types.to_string()) } else { Ok(()) }
    });
    assert_eq!(trio.nodes[1].say(&["submit", "fib", "-p", "n=1"]).code, 7, "a type that nobody has");
    assert_eq!(trio.nodes[1].say(&["task", "unregister", "fib"]).code, 3);
}

#[test]
fn every_type_is_submitted_at_one_device_and_run_at_the_other() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let port = server();
    let script = dir.path().join("config.toml");
    std::fs::write(&script, "[handlers.shout]\ncommand = [\"tr\", \"a-z\", \"A-Z\"]\n").expect("a file");
    // One that only passes tasks on, and one that has everything.
    let mut attic = device(&dir, "attic", &[]);
    let config = script.to_str().expect("UTF-8");
    let allow = ["--allow", "command,http_request,file_operation", "--http-allow", "127.0.0.1", "--config", config];
    let mut barn = device(&dir, "barn", &allow);
    attic.start();
    barn.join(&attic.ticket());
    barn.flags.extend(["--peer".to_owned(), address(&attic)]);
    barn.start();
    for node in [&attic, &barn] {
        until("both see both", crate::trio::PATIENCE, || {
            if node.sees().len() == 2 { Ok(()) } else { Err("not yet".to_owned()) }
        });
    }
    until("what barn offers is known", crate::trio::PATIENCE, || {
        let types = attic.json(&["peers"]);
        if types.to_string().contains("\"shout\"") { Ok(()) } else { Err(types.to_string()) }
    });
    let module = "AGFzbQEAAAABBwFgAn9/AX8DAgEABwcBA2FkZAAACgkBBwAgACABags=";
    let url = format!("http://127.0.0.1:{port}/");
    for (task_type, payload, key, expected) in [
        ("python_eval", json!({"expression": "[n * n for n in range(4)]"}), "result", json!([0, 1, 4, 9])),
        ("wasm", json!({"module": module, "function": "add", "args": [40, 2]}), "return_value", json!(42)),
        ("http_request", json!({ "url": url }), "content", json!("hello")),
        ("file_operation", json!({"operation": "write", "path": "a", "content": "there"}), "bytes_written", json!(5)),
        ("file_operation", json!({"operation": "read", "path": "a"}), "content", json!("there")),
        ("command", json!({"argv": ["echo", "over there"]}), "stdout", json!("over there\n")),
        ("shout", json!({"a": "b"}), "A", json!("B")),
    ] {
        let payload: &str = &payload.to_string();
        let id = attic.submit(&[task_type, "--payload", payload, "--only-devices", "barn"]);
        let done = attic.result(&id, crate::trio::PATIENCE);
        assert_eq!((&done["status"], &done["device"]), (&json!("completed"), &json!("barn")), "{done:#}");
        assert_eq!(done["result"][key], expected, "{done:#}");
        let there: Value = barn.result(&id, crate::trio::PATIENCE);
        assert_eq!(there["result"], done["result"], "both tell the same");
    }
    assert!(!attic.dir.join("files").exists() && barn.dir.join("files/a").exists());
}
