//! `wasm`: modules that never end, take everything, or are none.

use super::device::{Device, End};
use data_encoding::BASE64;
use rc_scheduler::{ErrorClass, Status};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn module(text: &str) -> Value {
    BASE64.encode(&wat::parse_str(text).unwrap()).into()
}

async fn call(device: &Device, seconds: u64, text: &str, more: Value) -> End {
    let mut payload = json!({ "module": module(text) });
    payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    device.run_for(seconds, "wasm", payload.to_string().as_bytes()).await
}

#[tokio::test]
async fn wasm_that_does_not_end_is_ended_wherever_it_loops() {
    let device = Device::new().await;
    let poll =
        "(module (import \"wasi_snapshot_preview1\" \"poll_oneoff\" (func $p (param i32 i32 i32 i32) (result i32)))
        (memory (export \"memory\") 1)
        (func (export \"_start\") (i32.store (i32.const 16) (i32.const 1)) (i64.store (i32.const 24) (i64.const -1))
            (loop (drop (call $p (i32.const 0) (i32.const 100) (i32.const 1) (i32.const 200))) (br 0))))";
    for (text, more) in [
        ("(module (func $s (loop br 0)) (start $s) (func (export \"f\")))", json!({"function": "f"})),
        ("(module (func (export \"f\") (loop br 0)))", json!({"function": "f"})),
        ("(module (func (export \"_start\") (loop br 0)))", json!({})),
        (poll, json!({})),
        (
            "(module (memory 1) (func (export \"f\") (loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 65536)) (br 0))))",
            json!({"function": "f"}),
        ),
    ] {
        let begin = Instant::now();
        let end = call(&device, 1, text, more).await;
        assert_eq!((end.status, end.class), (Status::Timeout, Some(ErrorClass::Timeout)), "{text}: {end:?}");
        assert!(begin.elapsed() < Duration::from_secs(15), "{text}");
    }
    device.end().await;
}

#[tokio::test]
async fn wasm_that_wants_all_the_memory_gets_none() {
    let device = Device::new().await;
    for (text, ends) in [
        ("(module (memory 65536) (func (export \"f\")))", false),
        ("(module (table 4000000000 funcref) (func (export \"f\")))", false),
        (
            "(module (table 1 funcref) (func (export \"f\") (result i32) (table.grow 0 (ref.null func) (i32.const 2000000000))))",
            true,
        ),
        ("(module (memory 1) (func (export \"f\") (result i32) (memory.grow (i32.const 65000))))", true),
        // Fifty thousand variables in each frame, and frames without end.
        (&format!("(module (func $f (export \"f\") (local {}) (call $f)))", "i64 ".repeat(40_000)), false),
        ("(module (func $f (export \"f\") (call $f)))", false),
    ] {
        let end = call(&device, 10, text, json!({"function": "f"})).await;
        let head: String = text.chars().take(60).collect();
        if ends {
            assert_eq!((end.status, &end.result), (Status::Completed, &json!({"return_value": -1})), "{head}: {end:?}");
        } else {
            assert!(
                matches!(
                    end.class,
                    Some(ErrorClass::Task | ErrorClass::ResourceExhausted | ErrorClass::InvalidPayload)
                ),
                "{head}: {end:?}"
            );
        }
    }
    device.end().await;
}

#[tokio::test]
async fn wasm_modules_that_are_large_or_strange_are_refused_or_run() {
    let device = Device::new().await;
    let segments: String = (0..2_000).map(|n| format!("(data (i32.const {n}) \"{}\")", "x".repeat(500))).collect();
    let functions: String = (0..20_000).map(|n| format!("(func (export \"e{n}\"))")).collect();
    let blocks = [" block".repeat(20_000), " end".repeat(20_000)].concat();
    for text in [
        format!("(module (memory 100) {segments} (func (export \"f\")))"),
        format!("(module {functions} (func (export \"f\")))"),
        format!("(module (func (export \"f\"){blocks}))"),
        "(module (memory 1) (data (i32.const 65530) \"too long for it\") (func (export \"f\")))".to_owned(),
        "(module (memory 1) (data (i32.const -1) \"x\") (func (export \"f\")))".to_owned(),
    ] {
        let end = call(&device, 10, &text, json!({"function": "f"})).await;
        let head: String = text.chars().take(60).collect();
        assert!(end.status == Status::Completed || end.class.is_some(), "{head}: {end:?}");
    }
    device.end().await;
}

#[tokio::test]
async fn wasm_that_is_no_module_is_no_task() {
    let device = Device::new().await;
    let absurd_count =
        [&b"\0asm\x01\0\0\0\x01"[..], &[0x85, 0x80, 0x80, 0x80, 0x08, 0xff, 0xff, 0xff, 0xff, 0x0f]].concat();
    for module in [
        json!(BASE64.encode(b"\0asm\x01\0\0\0\x01\xff\xff\xff\xff\x0f")),
        json!(BASE64.encode(&absurd_count)),
        json!(BASE64.encode(b"\0asm\x0d\0\x01\0")),
        json!(BASE64.encode(b"\x7fELF\x02\x01\x01")),
        json!(BASE64.encode(b"")),
        json!("AGFzbQEAAAA!"),
        json!("/proc/self/mem"),
        json!("../../../../etc/passwd"),
        json!("file:///etc/passwd"),
        json!("ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
        json!([256, -1]),
        json!({}),
        json!(null),
    ] {
        let end = device.run("wasm", json!({"module": module, "function": "f"})).await;
        assert!(end.class.is_some(), "{module}: {end:?}");
    }
    device.end().await;
}

/// Modules that the interpreter's own assertions fail on in debug builds; found by throwing bytes at it.
const BREAKING: [&[u8]; 2] = [
    include_bytes!("../../../tests/fuzz/kept/wasm_module/b82019f9374e6d9c"),
    include_bytes!("../../../tests/fuzz/kept/wasm_module/d6e398ed7443cd38"),
];

#[tokio::test]
async fn wasm_that_breaks_the_interpreter_costs_a_worker() {
    let device = Device::new().await;
    for bytes in BREAKING {
        let end = device.run("wasm", json!({"module": BASE64.encode(bytes), "function": "f"})).await;
        assert!(matches!(end.class, Some(ErrorClass::Task | ErrorClass::InvalidPayload)), "{end:?}");
        let sum = "(module (func (export \"f\") (result i32) i32.const 42))";
        let honest = call(&device, 10, sum, json!({"function": "f"})).await;
        assert_eq!(honest.result["return_value"], 42, "{honest:?}");
    }
    device.end().await;
}

#[tokio::test]
async fn wasm_pointers_that_lead_nowhere_are_errors_of_the_call() {
    let device = Device::new().await;
    // One vector that reaches beyond the memory, a count of four thousand million, and a pointer at its very end.
    for (pointer, count) in [("0", "1"), ("0", "-1"), ("65532", "1"), ("-1", "2147483647")] {
        let text = format!(
            "(module (import \"wasi_snapshot_preview1\" \"fd_write\" (func $w (param i32 i32 i32 i32) (result i32)))
             (import \"wasi_snapshot_preview1\" \"fd_read\" (func $r (param i32 i32 i32 i32) (result i32)))
             (memory (export \"memory\") 1)
             (func (export \"f\") (result i32)
                (i32.store (i32.const 0) (i32.const -16)) (i32.store (i32.const 4) (i32.const -1))
                (i32.mul (call $w (i32.const 1) (i32.const {pointer}) (i32.const {count}) (i32.const 8))
                         (call $r (i32.const 0) (i32.const {pointer}) (i32.const {count}) (i32.const 8)))))"
        );
        let end = call(&device, 5, &text, json!({"function": "f", "stdin": "input"})).await;
        assert_eq!(end.status, Status::Completed, "{end:?}");
        assert!(end.result["return_value"].as_i64().is_some_and(|product| product > 0), "both are errors: {end:?}");
    }
    device.end().await;
}

#[tokio::test]
async fn wasm_sees_no_file_no_socket_and_no_variable_of_the_node() {
    let device = Device::new().await;
    for import in ["path_open", "fd_prestat_get", "sock_accept", "path_unlink_file", "fd_readdir"] {
        let params = match import {
            "path_open" => "i32 i32 i32 i32 i32 i64 i64 i32 i32",
            "fd_readdir" => "i32 i32 i32 i64 i32",
            "fd_prestat_get" => "i32 i32",
            _ => "i32 i32 i32",
        };
        let zeros: String = params.split(' ').map(|ty| format!("({ty}.const 3)")).collect();
        let text = format!(
            "(module (import \"wasi_snapshot_preview1\" \"{import}\" (func $f (param {params}) (result i32)))
             (memory (export \"memory\") 1) (func (export \"f\") (result i32) (call $f {zeros})))"
        );
        let end = call(&device, 5, &text, json!({"function": "f"})).await;
        let errno = end.result["return_value"].as_i64();
        assert!(errno.is_some_and(|errno| errno > 0) || end.class.is_some(), "{import}: {end:?}");
    }
    let sizes =
        "(module (import \"wasi_snapshot_preview1\" \"environ_sizes_get\" (func $s (param i32 i32) (result i32)))
        (memory (export \"memory\") 1)
        (func (export \"f\") (result i32) (drop (call $s (i32.const 0) (i32.const 4))) (i32.load (i32.const 0))))";
    let end = call(&device, 5, sizes, json!({"function": "f"})).await;
    assert!(end.result["return_value"].as_i64().is_some_and(|own| own <= 4), "only the task's own: {end:?}");
    device.end().await;
}
