//! `python_eval`: out of the interpreter, out of memory, out of time.

use super::device::Device;
use rc_scheduler::{ErrorClass, Status};
use serde_json::json;
use std::time::{Duration, Instant};

#[tokio::test]
async fn python_that_looks_for_a_way_out_finds_none() {
    let device = Device::new().await;
    for expression in [
        "__import__('os').system('id')",
        "import os\nos.environ",
        "import subprocess",
        "import socket",
        "import ctypes",
        "import sys\nsys.modules['os']",
        "open('/etc/passwd').read()",
        "open('/proc/self/mem', 'wb')",
        "().__class__.__bases__[0].__subclasses__()",
        "(lambda: 0).__globals__",
        "(lambda: 0).__code__",
        "'{0.__class__.__mro__}'.format(1)",
        "getattr(getattr((), '__cla' + 'ss__'), '__ba' + 'ses__')",
        "eval(\"__import__('os')\")",
        "exec('import os')",
        "compile('1', '', 'eval')",
        "globals()['__builtins__']",
        "breakpoint()",
        "input()",
        "exit(0)",
    ] {
        let end = device.run("python_eval", json!({ "expression": expression })).await;
        assert_eq!(end.class, Some(ErrorClass::Task), "{expression}: {end:?}");
    }
    device.end().await;
}

#[tokio::test]
async fn python_bombs_cost_a_worker_at_most() {
    let device = Device::new().await;
    for expression in [
        "9**9**9",
        "'a' * 10**10",
        "[0] * 10**10",
        "1 << 10**12",
        "pow(7, 10**10)",
        "list(range(10**10))",
        "'x'.ljust(10**12)",
        "f'{1:1000000000}'",
        "b'x' * 10**12",
        "('a' * 10**6).replace('a', 'b' * 10**6)",
        "[[0] * 1000 for _ in range(10**9)]",
        "a = []\nwhile True:\n    a = [a, a]",
        "d = {}\nfor i in range(10**12):\n    d[i] = str(i)",
        "s = 'a'\nwhile True:\n    s += s",
        "''.join(map(str, range(10**9)))",
        "def f(n):\n    return f(n + 1)\nf(0)",
        "a = []\na.append(a)\nimport json\njson.dumps(a)",
        "class A:\n    def __eq__(self, o):\n        return self == o\nA() == A()",
    ] {
        let begin = Instant::now();
        let end = device.run_for(5, "python_eval", json!({ "expression": expression }).to_string().as_bytes()).await;
        assert!(
            matches!(end.class, Some(ErrorClass::ResourceExhausted | ErrorClass::Task | ErrorClass::Timeout)),
            "{expression}: {end:?}"
        );
        assert!(begin.elapsed() < Duration::from_secs(20), "{expression}: {:?}", begin.elapsed());
        let honest = device.run("python_eval", json!({"expression": "6 * 7"})).await;
        assert_eq!(honest.result["result"], 42, "after {expression}: {honest:?}");
    }
    device.end().await;
}

#[tokio::test]
async fn python_that_does_not_end_is_ended() {
    let device = Device::new().await;
    for expression in [
        "while True:\n    pass",
        "while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass",
        "sum(range(10**13))",
        "max(range(10**12))",
        "x = 1\nfor i in range(10**12):\n    x = (x * 31 + i) % 1000003\nx",
    ] {
        let begin = Instant::now();
        let end = device.run_for(1, "python_eval", json!({ "expression": expression }).to_string().as_bytes()).await;
        assert_eq!((end.status, end.class), (Status::Timeout, Some(ErrorClass::Timeout)), "{expression}: {end:?}");
        assert!(begin.elapsed() < Duration::from_secs(15), "{expression}");
    }
    device.end().await;
}

#[tokio::test]
async fn python_regular_expressions_do_not_explode() {
    let device = Device::new().await;
    for expression in [
        "import re\nbool(re.match('(a+)+$', 'a' * 40 + 'b'))",
        "import re\nbool(re.match('(a|aa)+$', 'a' * 60 + 'b'))",
        "import re\nbool(re.match('(.*)*x', 'y' * 5000))",
        "import re\nbool(re.match('(?:(?:(?:a{1,100}){1,100}){1,100}){1,100}b', 'a' * 100))",
    ] {
        let end = device.run_for(3, "python_eval", json!({ "expression": expression }).to_string().as_bytes()).await;
        let answered = end.status == Status::Completed && end.result["result"] == json!(false);
        assert!(answered || end.class.is_some(), "{expression}: {end:?}");
    }
    device.end().await;
}

#[tokio::test]
async fn python_too_deep_for_its_parser_is_an_error() {
    let device = Device::new().await;
    let deep =
        |open: &str, middle: &str, close: &str, n: usize| [open.repeat(n), middle.into(), close.repeat(n)].concat();
    for expression in [
        deep("(", "1", ")", 20_000),
        deep("[", "", "]", 20_000),
        deep("-", "1", "", 100_000),
        deep("not ", "1", "", 50_000),
        deep("lambda:", "1", "", 20_000),
        deep("{1:", "1", "}", 20_000),
        deep("f(", "", ")", 20_000),
        deep("1 if ", "1", " else 1", 20_000),
        "import json\njson.loads('[' * 1000000)".to_owned(),
        "x = 1\n".to_owned() + &(0..200).map(|n| " ".repeat(n) + "if x:\n").collect::<String>(),
        "\0".to_owned(),
        "'\\ud800'".to_owned() + "\u{fffe}",
    ] {
        let head: String = expression.chars().take(20).collect();
        let end = device.run_for(10, "python_eval", json!({ "expression": expression }).to_string().as_bytes()).await;
        assert!(end.class.is_some(), "{head}: {end:?}");
        let honest = device.run("python_eval", json!({"expression": "6 * 7"})).await;
        assert_eq!(honest.result["result"], 42, "after {head}: {honest:?}");
    }
    device.end().await;
}

#[tokio::test]
async fn python_that_prints_for_ever_fills_nothing() {
    let device = Device::new().await;
    let flood = json!({"expression": "while True:\n    print('x' * 1000)"}).to_string();
    let end = device.run_for(1, "python_eval", flood.as_bytes()).await;
    assert_eq!(end.status, Status::Timeout, "{end:?}");
    let lines = device.run("python_eval", json!({"expression": "print('\\n' * 10**7)"})).await;
    assert!(lines.status == Status::Completed || lines.class.is_some(), "{lines:?}");
    device.end().await;
}
