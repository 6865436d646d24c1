use serde_json::json;

use super::*;

const BOUNDS: Bounds = Bounds { time_ms: 20_000, memory_bytes: 16 << 20, fuel: None, output_bytes_max: 1000 };

/// Small functions that compute, loop, grow and recurse.
const NUMBERS: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add)
    (func (export "halves") (param i64) (result i64 i64)
        local.get 0 i64.const 2 i64.div_s local.get 0 i64.const 2 i64.rem_s)
    (func (export "div") (param f64 f64) (result f64) local.get 0 local.get 1 f64.div)
    (func (export "single") (param f32) (result f32) local.get 0)
    (func $fib (export "fib") (param i32) (result i32)
        (if (result i32) (i32.lt_s (local.get 0) (i32.const 2))
            (then (local.get 0))
            (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                           (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
    (func (export "spin") (loop br 0))
    (func $deep (export "deep") (param i32) (result i32) (i32.add (call $deep (local.get 0)) (i32.const 1)))
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "trap") unreachable)
    (func (export "beyond") (result i32) (i32.load (i32.const -4)))
    (func (export "reference") (result funcref) (ref.null func)))"#;

/// A program that copies stdin to stdout and stderr, and ends with the number of its arguments.
const PROGRAM: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_get" (func $env (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (func (export "_start")
        (i32.store (i32.const 0) (i32.const 1024))
        (i32.store (i32.const 4) (i32.const 4096))
        (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
        (i32.store (i32.const 4) (i32.load (i32.const 8)))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
        ;; the second argument, and then the first variable, to stderr
        (drop (call $args (i32.const 64) (i32.const 8192)))
        (i32.store (i32.const 0) (i32.load (i32.const 68)))
        (i32.store (i32.const 4) (i32.const 5))
        (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
        (drop (call $env (i32.const 64) (i32.const 16384)))
        (i32.store (i32.const 0) (i32.load (i32.const 64)))
        (i32.store (i32.const 4) (i32.const 3))
        (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
        (drop (call $sizes (i32.const 16) (i32.const 20)))
        (call $exit (i32.load (i32.const 16)))))"#;

fn wasi(stdin: &[u8], reproducible: bool) -> Wasi {
    let (args, env) = (["first".to_owned()], [("A".to_owned(), "b".to_owned())]);
    Wasi::new(&args, &env, stdin.to_vec(), BOUNDS.output_bytes_max, &[7; 32], reproducible)
}

fn run(text: &str, call: &Call, bounds: Bounds, wasi: Wasi) -> (End, Wasi) {
    let interpreter = Interpreter::new();
    match interpreter.load(&wat::parse_str(text).unwrap()) {
        Ok(module) => interpreter.run(&module, call, bounds, wasi),
        Err(end) => (end, wasi),
    }
}

fn call(name: &str, args: serde_json::Value, bounds: Bounds) -> End {
    let args = args.as_array().unwrap().clone();
    run(NUMBERS, &Call::Function(name.to_owned(), args), bounds, wasi(b"", true)).0
}

fn returned(values: serde_json::Value) -> End {
    End::Returned(values.as_array().unwrap().clone())
}

fn failed(end: End) -> (Failure, String) {
    match end {
        End::Failed(failure, text) => (failure, text),
        other => panic!("{other:?}"),
    }
}

#[test]
fn functions_take_and_give_numbers_of_their_types() {
    assert_eq!(call("add", json!([2, 3]), BOUNDS), returned(json!([5])));
    assert_eq!(call("add", json!([4_294_967_295_u32, 0]), BOUNDS), returned(json!([-1])), "unsigned as well");
    assert_eq!(call("halves", json!([i64::MIN]), BOUNDS), returned(json!([i64::MIN / 2, 0])));
    assert_eq!(call("div", json!([1, 4]), BOUNDS), returned(json!([0.25])));
    assert_eq!(call("div", json!([0, 0]), BOUNDS), returned(json!(["NaN"])));
    assert_eq!(call("single", json!([0.5]), BOUNDS), returned(json!([0.5])));
    assert_eq!(call("spin", json!([]), Bounds { time_ms: 0, ..BOUNDS }).clone(), {
        let text = "the module was not done within its time".to_owned();
        End::Failed(Failure::TimeUp, text)
    });
    let unfit = [
        ("add", json!([1]), "`add` takes 2 parameters, and `args` has 1"),
        ("add", json!([1, 4_294_967_296_u64]), "`args[1]` is no I32"),
        ("add", json!([1, 1.5]), "`args[1]` is no I32"),
        ("add", json!([1, "2"]), "`args[1]` is no I32"),
        ("halves", json!([1e30]), "`args[0]` is no I64"),
        ("ad", json!([]), "no function `ad`; it exports add, beyond, deep"),
        ("memory", json!([]), "no function `memory`"),
        ("reference", json!([]), "which is no number"),
    ];
    for (name, args, words) in unfit {
        let (failure, text) = failed(call(name, args, BOUNDS));
        assert!(failure == Failure::Unfit && text.contains(words), "{text}");
    }
}

#[test]
fn fuel_time_memory_and_depth_are_bounded() {
    let fuel = |fuel| Bounds { fuel: Some(fuel), ..BOUNDS };
    assert_eq!(call("fib", json!([22]), BOUNDS), returned(json!([17711])));
    assert_eq!(call("fib", json!([22]), fuel(5_000_000)), returned(json!([17711])), "several slices");
    for bounds in [fuel(0), fuel(10), fuel(SLICE_FUEL - 1), fuel(SLICE_FUEL), fuel(SLICE_FUEL + 1)] {
        let (failure, text) = failed(call("spin", json!([]), bounds));
        assert_eq!((failure, text.as_str()), (Failure::Trapped, "the module used up its fuel"));
    }
    let (failure, _) = failed(call("spin", json!([]), Bounds { time_ms: 50, ..BOUNDS }));
    assert_eq!(failure, Failure::TimeUp);
    assert_eq!(call("grow", json!([255]), BOUNDS), returned(json!([1])), "16 MiB are 256 pages");
    assert_eq!(call("grow", json!([256]), BOUNDS), returned(json!([-1])));
    let (failure, text) = failed(call("deep", json!([0]), BOUNDS));
    assert!(failure == Failure::Trapped && text.contains("nest too deeply"), "{text}");
    for name in ["trap", "beyond"] {
        assert_eq!(failed(call(name, json!([]), BOUNDS)).0, Failure::Trapped);
    }
    let large = "(module (memory 60000) (func (export \"f\")))";
    let (failure, _) = failed(run(large, &Call::Function("f".into(), vec![]), BOUNDS, wasi(b"", true)).0);
    assert_eq!(failure, Failure::Trapped, "memory that it wants at once");
    let table = "(module (table 100000000 funcref) (func (export \"f\")))";
    let (failure, _) = failed(run(table, &Call::Function("f".into(), vec![]), BOUNDS, wasi(b"", true)).0);
    assert_eq!(failure, Failure::Trapped, "a table of millions");
    let start = "(module (func $s (loop br 0)) (start $s) (func (export \"f\")))";
    let end = run(start, &Call::Function("f".into(), vec![]), fuel(1_000_000), wasi(b"", true)).0;
    assert_eq!(failed(end).0, Failure::Trapped, "a start function");
}

#[test]
fn a_program_has_its_streams_arguments_and_variables() {
    let (end, wasi) = run(PROGRAM, &Call::Program(vec![]), BOUNDS, wasi("grüße".as_bytes(), true));
    assert_eq!(end, End::Exited(2));
    assert_eq!(wasi.stdout.bytes, "grüße".as_bytes());
    assert_eq!(wasi.stderr.bytes, b"firstA=b");
    assert!(!wasi.stdout.more);
}

#[test]
fn output_beyond_the_cap_is_counted_and_dropped() {
    let (_, wasi) = run(PROGRAM, &Call::Program(vec![]), BOUNDS, wasi(&[b'x'; 4000], true));
    assert_eq!((wasi.stdout.bytes.len(), wasi.stdout.more), (BOUNDS.output_bytes_max, true));
}

#[test]
fn what_is_no_module_or_wants_more_than_there_is_is_told_so() {
    let interpreter = Interpreter::new();
    let whole = wat::parse_str(NUMBERS).unwrap();
    for cut in 0..whole.len() {
        if let Err(end) = interpreter.load(&whole[..cut]) {
            assert_eq!(failed(end).0, Failure::Unfit, "{cut}");
        }
    }
    for index in 0..whole.len() {
        let mut bent = whole.clone();
        bent[index] ^= 1 << (index % 8);
        if let Ok(module) = interpreter.load(&bent) {
            let bounds = Bounds { fuel: Some(100_000), ..BOUNDS };
            interpreter.run(&module, &Call::Function("fib".into(), vec![json!(5)]), bounds, wasi(b"", true));
        }
    }
    let main = || Call::Program(vec![]);
    for (text, words) in [
        ("(module (import \"env\" \"system\" (func)))", "imports `system` from `env`"),
        ("(module (import \"wasi_snapshot_preview1\" \"path_exec\" (func)))", "imports `path_exec`"),
        ("(module (import \"wasi_unstable\" \"fd_write\" (func)))", "from `wasi_unstable`"),
        ("(module (func (export \"main\")))", "no function `_start`; it exports main"),
        ("(module (func (export \"_start\") (param i32)))", "takes or returns something"),
        ("(module)", "it exports none"),
    ] {
        let (failure, message) = failed(run(text, &main(), BOUNDS, wasi(b"", true)).0);
        assert!(failure == Failure::Unfit && message.contains(words), "{message}");
    }
    let wrong = "(module (import \"wasi_snapshot_preview1\" \"fd_write\" (func)) (func (export \"_start\")))";
    assert!(matches!(run(wrong, &main(), BOUNDS, wasi(b"", true)).0, End::Failed(..)), "an import of another type");
}

/// Every function that a module can import, called with pointers, lengths and numbers that no honest program has.
#[test]
fn bad_pointers_are_errors_of_the_call() {
    let functions = [
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
    let extremes = [0_i64, 1, 2, 64, 65_532, 65_535, 65_536, 2_147_483_647, -2_147_483_648, -1];
    for (name, types) in functions {
        let ty = |c| if c == 'I' { "i64" } else { "i32" };
        let types: Vec<_> = types.chars().map(ty).collect();
        let list = types.join(" ");
        let gets: String = (0..types.len()).map(|n| format!(" local.get {n}")).collect();
        let text = format!(
            "(module (import \"{}\" \"{name}\" (func $f (param {list}) (result i32))) (memory (export \"memory\") 1)
             (func (export \"f\") (param {list}) (result i32){gets} call $f))",
            wasi::MODULE
        );
        let interpreter = Interpreter::new();
        let module = interpreter.load(&wat::parse_str(&text).unwrap()).unwrap();
        for round in 0..100_usize {
            // Every pair of neighbours meets every extreme over the rounds.
            let pick = |n: usize| extremes[(round / [1, 10, 7, 3][n % 4] + n * n) % extremes.len()];
            let args = (0..types.len()).map(|n| json!(pick(n))).collect();
            let call = Call::Function("f".into(), args);
            let (end, _) = interpreter.run(&module, &call, BOUNDS, wasi(b"input", true));
            let End::Returned(values) = end else { panic!("{name}: {end:?}") };
            assert!(values[0].as_i64().is_some_and(|errno| (0..77).contains(&errno)), "{name}: {values:?}");
        }
    }
    let bare = "(module (import \"wasi_snapshot_preview1\" \"random_get\" (func $f (param i32 i32) (result i32)))
        (func (export \"f\") (result i32) i32.const 0 i32.const 1 call $f))";
    let (end, _) = run(bare, &Call::Function("f".into(), vec![]), BOUNDS, wasi(b"", true));
    assert_eq!(end, returned(json!([21])), "no memory at all");
}

/// Random bytes and both clocks, to stdout.
const ORACLE: &str = r#"(module
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "_start")
        ;; sleeps for an hour: a subscription to the clock 1
        (i32.store (i32.const 1016) (i32.const 1))
        (i64.store (i32.const 1024) (i64.const 3600000000000))
        (drop (call $poll (i32.const 1000) (i32.const 2000) (i32.const 1) (i32.const 3000)))
        (drop (call $random (i32.const 100) (i32.const 16)))
        (drop (call $clock (i32.const 0) (i64.const 0) (i32.const 116)))
        (drop (call $clock (i32.const 1) (i64.const 0) (i32.const 124)))
        (i32.store (i32.const 0) (i32.const 100))
        (i32.store (i32.const 4) (i32.const 32))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;

#[test]
fn a_reproducible_run_sees_no_time_and_the_random_bytes_of_its_seed() {
    let once = |wasi| {
        let (end, wasi) = run(ORACLE, &Call::Program(vec![]), BOUNDS, wasi);
        assert_eq!(end, End::Exited(0));
        wasi.stdout.bytes
    };
    let first = once(wasi(b"", true));
    assert_eq!((first.len(), &first), (32, &once(wasi(b"", true))));
    let other = once(Wasi::new(&[], &[], Vec::new(), 1000, &[8; 32], true));
    assert_ne!(first[..16], other[..16]);
}

#[test]
fn a_sleep_ends_with_the_time_of_the_run() {
    let bounds = Bounds { time_ms: 30, ..BOUNDS };
    let (end, _) = run(ORACLE, &Call::Program(vec![]), bounds, wasi(b"", false));
    assert_eq!(failed(end).0, Failure::TimeUp);
}
