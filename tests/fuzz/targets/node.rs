//! What a node is told by peers, workers, tasks, clients and files.

use super::Target;
use rc_node::handlers::script::Script;
use rc_node::handlers::{Stream, TaskContext, TaskError, TaskHandler};
use serde_json::{Value, json};
use std::sync::{Arc, OnceLock};

pub fn all() -> Vec<Target> {
    let mut all = vec![
        Target { name: "script_output", run: script_output, seeds: outputs, weight: 1 },
        Target { name: "wasi_pointers", run: wasi_pointers, seeds: pointers, weight: 10 },
    ];
    let others = rc_node::parsers::ALL.iter().chain(rc_p2p::parsers::ALL);
    all.extend(others.map(|(name, run)| {
        let weight = if ["wasm_module", "http_answer"].contains(name) { 4 } else { 1 };
        Target { name, run: *run, seeds: seeds_of(name), weight }
    }));
    all
}

/// A program that prints the bytes: those before the first line of three dashes to stdout, the others to stderr.
struct Prints(Vec<u8>);

#[async_trait::async_trait]
impl TaskHandler for Prints {
    fn task_type(&self) -> &str {
        "command"
    }

    async fn execute(&self, ctx: TaskContext, _: Value) -> Result<Value, TaskError> {
        let cut = self.0.windows(3).position(|window| window == b"---").unwrap_or(self.0.len());
        let (stdout, stderr) = self.0.split_at(cut);
        // In pieces, as a pipe gives them.
        stdout.chunks(7).for_each(|piece| ctx.output(Stream::Stdout, piece));
        stderr.chunks(5).for_each(|piece| ctx.output(Stream::Stderr, piece));
        if stderr.len() % 2 == 0 { Ok(json!({})) } else { Err(TaskError::task("it failed")) }
    }
}

fn script_output(bytes: &[u8]) {
    use futures_util::FutureExt;
    let script = Script::new("t", &["x".to_owned()], Vec::new(), Arc::new(Prints(bytes.to_vec())));
    let ctx = TaskContext::detached("t");
    let done = script.execute(ctx.clone(), Value::Null).now_or_never().expect("nothing waits");
    if let Err(error) = done {
        assert!(error.message.len() < 10_000, "{}", error.message.len());
    }
    let (_, stderr) = ctx.captured();
    assert!(stderr.bytes.len() <= ctx.limits().output_bytes_max);
}

fn outputs() -> Vec<Vec<u8>> {
    let texts = [
        "{\"a\": 1}---\n{\"progress\": 40, \"text\": \"x\"}\nwords\n",
        "[1, 2]\n",
        "---error: no\n",
        "\"ü\"---{\"progress\":1e3}",
    ];
    texts.map(|text| text.as_bytes().to_vec()).into()
}

/// Every function of WASI that there is, with the types of its parameters.
const WASI: [(&str, &str); 15] = [
    ("args_get", "ii"),
    ("args_sizes_get", "ii"),
    ("clock_res_get", "ii"),
    ("clock_time_get", "iIi"),
    ("environ_get", "ii"),
    ("environ_sizes_get", "ii"),
    ("fd_fdstat_get", "ii"),
    ("fd_filestat_get", "ii"),
    ("fd_read", "iiii"),
    ("fd_write", "iiii"),
    ("random_get", "ii"),
    ("poll_oneoff", "iiii"),
    ("path_open", "iiiiiIIii"),
    ("fd_prestat_get", "ii"),
    ("sock_send", "iiiii"),
];
/// What is written to the memory at 0, 8, … before the call.
const WORDS: usize = 8;

/// A module that writes eight numbers to its memory and calls one of them.
fn wasi_module() -> &'static [u8] {
    static MODULE: OnceLock<Vec<u8>> = OnceLock::new();
    MODULE.get_or_init(|| {
        let ty = |c| if c == 'I' { " i64" } else { " i32" };
        let (mut imports, mut functions) = (String::new(), String::new());
        for (name, types) in WASI {
            let list: String = types.chars().map(ty).collect();
            let words = " i64".repeat(WORDS);
            let stores: String =
                (0..WORDS).map(|n| format!("(i64.store (i32.const {}) (local.get {n}))", n * 8)).collect();
            let gets: String = (0..types.len()).map(|n| format!(" local.get {}", WORDS + n)).collect();
            imports +=
                &format!("(import \"wasi_snapshot_preview1\" \"{name}\" (func ${name} (param{list}) (result i32)))");
            functions +=
                &format!("(func (export \"{name}\") (param{words}{list}) (result i32) {stores}{gets} call ${name})");
        }
        wat::parse_str(format!("(module {imports} (memory (export \"memory\") 1) {functions})"))
            .expect("it is a module")
    })
}

fn wasi_pointers(bytes: &[u8]) {
    let Some((which, rest)) = bytes.split_first() else { return };
    let (name, types) = WASI[usize::from(*which) % WASI.len()];
    let number = |n: usize| {
        let mut word = [0; 8];
        let from = rest.get(n * 8..).unwrap_or_default();
        let length = from.len().min(8);
        word[..length].copy_from_slice(&from[..length]);
        i64::from_le_bytes(word)
    };
    let parameters = types.chars().enumerate().map(|(n, ty)| {
        let word = number(WORDS + n);
        if ty == 'I' { word } else { i64::from(word as i32) }
    });
    let args: Vec<i64> = (0..WORDS).map(number).chain(parameters).collect();
    if let Some(values) = rc_node::handlers::wasm::hear_call(wasi_module(), name, &args) {
        assert!(values[0].as_i64().is_some_and(|errno| (0..77).contains(&errno)), "{name}: {values:?}");
    }
}

fn pointers() -> Vec<Vec<u8>> {
    (0..WASI.len() as u8).map(|which| [&[which][..], &[16; 8 * (WORDS + 9)]].concat()).collect()
}

fn seeds_of(name: &str) -> fn() -> Vec<Vec<u8>> {
    fn texts(all: &[&str]) -> Vec<Vec<u8>> {
        all.iter().map(|text| text.as_bytes().to_vec()).collect()
    }
    match name {
        "link_frames" => || vec![b"\0\0\0\x03abc\0\0\0\0".to_vec(), vec![0, 0x40, 0, 0]],
        "membership" => || vec![vec![1; 65], vec![1; 33], [vec![1], vec![0; 64]].concat()],
        "ticket" => || {
            let ticket =
                rc_p2p::Ticket::new(rc_p2p::Secret::from([5; 32]), ["/ip4/192.0.2.1/tcp/1".parse().expect("one")]);
            vec![ticket.to_string().into_bytes(), b"rc1".to_vec()]
        },
        "blob_stream" => || {
            let hold = [&[1, 2][..], &[7; 32], &300_000_u64.to_be_bytes(), &1_000_u32.to_be_bytes()].concat();
            let head = [&[0xff; 4][..], &[0], &300_000_u64.to_be_bytes(), &[9; 64]].concat();
            vec![[&hold[..], &1_u32.to_be_bytes(), &head].concat(), hold]
        },
        "device_order" => || {
            let framed = |text: &str| [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat();
            let answers = [r#"{"blocked":[["paused","until 12:00"]]}"#, r#"{"refused":"no"}"#];
            let orders = [r#"{"order":"pause","ms":60000}"#, r#"{"order":"resume"}"#, r#"{"order":"pause","ms":null}"#];
            orders.iter().flat_map(|order| answers.map(|answer| [framed(order), framed(answer)].concat())).collect()
        },
        "attempt_frames" => || {
            let piece = |kind: u8, at: u64| {
                [&[kind][..], &at.to_be_bytes(), &at.to_be_bytes(), &3_u32.to_be_bytes(), b"abc"].concat()
            };
            let follow = [&[1][..], &[7; 16], &9_u64.to_be_bytes(), &0_u64.to_be_bytes(), &[1]].concat();
            let state = b"\x03\0\0\0\x25\xa4gpercent\x04dtextaxjcpu_micros\x05pmemory_bytes_max\x06".to_vec();
            let end = [&[4][..], &6_u64.to_be_bytes()].concat();
            vec![
                [&follow[..], &piece(1, 0), &state, &piece(2, 3), &end].concat(),
                [&[2, 6][..], &[7; 16], &9_u64.to_be_bytes(), &piece(1, 5), &[0]].concat(),
            ]
        },
        "stats_share" => || {
            let framed = |text: &str| [&(text.len() as u32).to_be_bytes()[..], text.as_bytes()].concat();
            let ask =
                r#"{"from_wall_ms":1,"to_wall_ms":90000,"by":"device","present":["01010101010101010101010101010101"]}"#;
            vec![[framed(ask), framed(r#"{"counts":{},"partial":false}"#)].concat(), framed(ask)]
        },
        "log_frames" => || vec![include_bytes!("../../../node/src/storage/tests/golden/version1.log").to_vec()],
        "worker_reply" => || {
            let head = br#"{"value":{"Ok":{"result":1,"repr":null}},"printed":"","printed_more":false}"#;
            vec![[&[0][..], &(head.len() as u32).to_be_bytes(), &3_u32.to_be_bytes(), head, b"out"].concat()]
        },
        "payloads" => || {
            texts(&[
                r#"{"argv":["a","b"],"cwd":"c","env":{"A":"b"},"stdin":"x","timeout":1.5}"#,
                r#"{"command":"ls","shell":true}"#,
                r#"{"operation":"copy","path":"a","destination":"b","overwrite":true,"recursive":false}"#,
                r#"{"operation":"write","path":"a","content":"eA==","encoding":"base64"}"#,
                r#"{"url":"http://a:1/b?c#d","method":"POST","headers":{"X":"y"},"json":[1],"timeout":3}"#,
                r#"{"module":"AGFzbQEAAAA=","function":"f","args":[1,2.5],"env":{"A":"b"},"fuel":9,"pure":true}"#,
                r#"{"module":[0,97,115,109],"stdin":"x"}"#,
            ])
        },
        "wasm_module" => || {
            let text = |text: &str| wat::parse_str(text).expect("a module");
            vec![
                wasi_module().to_vec(),
                text("(module (func (export \"f\") (param i32) (result i32) local.get 0 i32.const 1 i32.add))"),
                text("(module (memory 1 2) (data (i32.const 8) \"x\") (table 2 funcref) (elem (i32.const 0) $g)
                    (global (mut i64) (i64.const 3)) (func $g (loop (br 0))) (func (export \"_start\") (call_indirect (i32.const 0))))"),
            ]
        },
        "flow_file" => || {
            texts(&[
                include_str!("../../../examples/flows/words.toml"),
                include_str!("../../../examples/flows/pipeline.yaml"),
                include_str!("../../../examples/flows/diamond.json"),
                "tasks: {a: &a {task_type: echo, each: [1, ~]}, b: *a}\ngroups: {g: [a, b]}\nchains: [[g, c]]\n",
            ])
        },
        "holes" => || {
            texts(&[
                r#"{"a": "{{tasks.a.result.a[1]}} {{{{", "b": ["{{tasks.a.stdout}}", 1.50]}"#,
                r#"["{{ tasks.a.result }}"]---{"result": "a\u007b\"", "stderr": [[]]}"#,
            ])
        },
        "http_answer" => || {
            texts(&[
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: a\r\n\r\nok",
                "HTTP/1.1 302 Found\r\nLocation: /a?b\r\nContent-Length: 0\r\n\r\n",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: x\r\n\r\n",
                "HTTP/1.0 404 No\r\n\r\nuntil the end",
            ])
        },
        "http_allow" => || texts(&["192.168.1.0/24:8080", "[fd00::]/8", "127.0.0.1:9000", "::1"]),
        "task_request" => || {
            texts(&[
                r#"{"task_type":"echo","payload":{"a":1},"priority":"high","requirements":{"min_memory_gb":0.5,"timeout_seconds":3}}"#,
                r#"[{"task_type":"command","sandbox":{"allow_network":false,"memory_limit":"2GB","cpu_limit":50},"labels":{"k":"v"}}]"#,
                r#"{"task_type":"sleep","retry":{"max_retries":2,"backoff_strategy":"linear","base_delay":1.5,"retry_on":["task_error"]},
                  "required_permissions":["read_files"],"name":"n","idempotency_key":"k","metadata":{"a":[{}]}}"#,
            ])
        },
        "outcome_body" => || {
            texts(&[
                r#"{"made":[],"disks":2,"result":1,"stdout":""}"#,
                r#"{"sandbox":{"allow_network":true,"allowed_paths":["/a"],"max_file_size":7,"max_execution_time":1.5}}"#,
            ])
        },
        "units" => {
            || texts(&["90s", "1h30m", "512MiB", "2GB", "1.5", "2026-11-21T20:52:37Z", "01hzzzzzzzzzzzzzzzzzzzzzzz"])
        }
        "configuration" => || {
            texts(&[
                "name = \"a\"\nallow = [\"command\"]\nretention = \"48h\"\n[handlers.x]\ncommand = [\"python3\", \"x.py\"]\n",
            ])
        },
        _ => || vec![Vec::new()],
    }
}
