mod everyday;

use serde_json::json;

use super::*;

fn deaf(_: Vec<u8>) -> std::io::Result<()> {
    Ok(())
}

fn limits(time: Duration) -> Limits {
    Limits { time, memory_bytes: 64 << 20 }
}

fn run(expression: &str) -> Result<Evaluated, (Failure, String)> {
    let mut printed = Printed::new(100, deaf);
    evaluate(expression, limits(Duration::from_secs(20)), &mut printed)
}

/// What people type. Each has the value that CPython gives.
#[test]
fn everyday_expressions_give_what_python_gives() {
    let table = [
        ("1 + 1", json!(2)),
        ("  1 + 1  ", json!(2)),
        ("sum(range(1000))", json!(499_500)),
        ("2**64 - 1", json!(u64::MAX)),
        ("10 / 4", json!(2.5)),
        ("-7 // 2, -7 % 2, divmod(7, 2), round(2.567, 2)", json!([-4, 1, [3, 1], 2.57])),
        ("pow(7, 100, 13)", json!(9)),
        ("0x1f & 0b1010 | 1 << 4 ^ ~0", json!(-17)),
        ("[x * x for x in range(5) if x % 2]", json!([1, 9])),
        ("[[i * j for j in range(3)] for i in range(2)]", json!([[0, 0, 0], [0, 1, 2]])),
        ("{k: len(k) for k in ['a', 'bb']}", json!({"a": 1, "bb": 2})),
        ("{1: 'one', None: 0, True and 2: 2.5}", json!({"1": "one", "null": 0, "2": 2.5})),
        (
            "sorted({3, 1, 2}), sorted(['b', 'A'], key=lambda s: s.lower(), reverse=True)",
            json!([[1, 2, 3], ["b", "A"]]),
        ),
        ("max(['aa', 'b'], key=len), min(3, 1, 2)", json!(["aa", 1])),
        ("any([0, 1]), all([]), not None", json!([true, true, true])),
        ("list(zip('ab', [1, 2])), list(enumerate('x', 1))", json!([[["a", 1], ["b", 2]], [[1, "x"]]])),
        ("list(map(lambda x, y=2: x * y, [1, 2])), list(filter(None, [0, 1]))", json!([[2, 4], [1]])),
        ("(lambda *a, **k: (a, k))(1, 2, z=3)", json!([[1, 2], {"z": 3}])),
        ("'a' if 3 > 2 > 1 else 'b'", json!("a")),
        ("f'{3.14159:.2f} {42:05d} {\"x\":>3} {1 + 1}'", json!("3.14 00042   x 2")),
        ("'{} {n}'.format(1, n=2)", json!("1 2")),
        ("'Hello'[::-1], 'abcdef'[1:-1:2], [1, 2, 3][-1]", json!(["olleH", "bd", 3])),
        ("' a,b '.strip().split(','), '-'.join(['x', 'y']), 'ab'.replace('a', 'c')", json!([["a", "b"], "x-y", "cb"])),
        ("'straße'.upper(), 'x' * 3, 'b' in 'abc', len('ü')", json!(["STRASSE", "xxx", true, 1])),
        ("ord('a'), chr(8364), ''.join(chr(c) for c in [104, 105])", json!([97, "€", "hi"])),
        ("dict(a=1).get('b', 0), {**{'a': 1}, 'b': 2}", json!([0, {"a": 1, "b": 2}])),
        ("isinstance(1, int), type('x').__name__, int('42'), float('1.5')", json!([true, "str", 42, 1.5])),
        ("(n := 10) + n", json!(20)),
        (
            "import math\nmath.sqrt(16), math.floor(math.pi), math.factorial(5), math.gcd(12, 18)",
            json!([4.0, 3, 120, 6]),
        ),
        ("import json\njson.dumps({'a': [1, None]}), json.loads('[true]')", json!([r#"{"a": [1, null]}"#, [true]])),
        ("import re\nre.findall(r'\\d+', 'a1b22'), re.sub('a', 'b', 'aa')", json!([["1", "22"], "bb"])),
        ("def fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\nfib(10)", json!(55)),
        ("t = 0\nfor i in range(10):\n    if i == 5:\n        break\n    t += i\nt", json!(10)),
        ("a, *b = [1, 2, 3]\nb", json!([2, 3])),
        ("try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    r = str(e)\nr", json!("division by zero")),
        ("n = 97\nall(n % d for d in range(2, int(n ** 0.5) + 1))", json!(true)),
        ("None", json!(null)),
        ("x = 1", json!(null)),
    ];
    for (expression, value) in table {
        assert_eq!(run(expression), Ok(Evaluated { result: value, repr: None }), "{expression}");
    }
}

#[test]
fn what_json_cannot_say_is_given_as_python_writes_it() {
    let table = [
        ("{1}", "{1}"),
        ("b'a\\xff'", "b'a\\xff'"),
        ("float('nan')", "nan"),
        ("[1, float('-inf')]", "[1, -inf]"),
        ("2**64", "18446744073709551616"),
        ("{(1, 2): 3}", "{(1, 2): 3}"),
        ("{1: 'a', '1': 'b'}", "{1: 'a', '1': 'b'}"),
        ("range(3)", "range(0, 3)"),
    ];
    for (expression, repr) in table {
        let expected = Evaluated { result: Value::Null, repr: Some(repr.to_owned()) };
        assert_eq!(run(expression), Ok(expected), "{expression}");
    }
}

#[test]
fn failures_say_what_python_says() {
    let table = [
        ("1 / 0", Failure::Raised, "ZeroDivisionError: division by zero"),
        ("undefined_name", Failure::Raised, "NameError: name 'undefined_name' is not defined"),
        ("1 +", Failure::Raised, "SyntaxError"),
        ("open('/etc/passwd').read()", Failure::Raised, "Error"),
        ("import os\nos.environ['HOME']", Failure::Raised, "Error"),
        ("import socket", Failure::Raised, "ModuleNotFoundError"),
        ("raise TimeoutError('mine')", Failure::Raised, "TimeoutError: mine"),
        ("'x' * (1 << 21)", Failure::TooLarge, "larger than 1048576 bytes"),
    ];
    for (expression, failure, text) in table {
        let (got, message) = run(expression).unwrap_err();
        assert_eq!(got, failure, "{expression}: {message}");
        assert!(message.contains(text), "{expression}: {message}");
    }
    let (_, message) = run("def f():\n    return {}['k']\nf()").unwrap_err();
    assert!(message.starts_with("Traceback (most recent call last):"), "{message}");
    assert!(message.contains("line 2, in f") && message.contains("KeyError: "), "{message}");
}

#[test]
fn the_time_limit_cannot_be_caught() {
    let code = "while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass";
    let mut printed = Printed::new(100, deaf);
    let (failure, message) = evaluate(code, limits(Duration::from_millis(50)), &mut printed).unwrap_err();
    assert_eq!(failure, Failure::TimeUp, "{message}");
}

#[test]
fn prints_are_kept_up_to_the_cap() {
    let mut printed = Printed::new(8, deaf);
    evaluate("print('a', 1)\nprint('üüüü')", limits(Duration::from_secs(5)), &mut printed).unwrap();
    assert_eq!((printed.text.as_str(), printed.more), ("a 1\nüü", true));
}

#[test]
fn deep_results_are_bounded_in_json() {
    let nested = |depth: usize| format!("x = 1\nfor _ in range({depth}):\n    x = [x]\nx");
    assert_eq!(run(&nested(100)).unwrap().repr, None);
    let deeper = run(&nested(101)).unwrap();
    assert!(deeper.result.is_null() && deeper.repr.is_some());
}
