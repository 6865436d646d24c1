use super::*;
use serde_json::json;

fn value(format: Format, text: &str) -> Value {
    Node::read(format, text).unwrap_or_else(|error| panic!("{text}: {error}")).to_value()
}

fn error(format: Format, text: &str) -> String {
    Node::read(format, text).expect_err(text).to_string()
}

#[test]
fn the_same_in_three_languages() {
    let toml = "name = \"x\"\n[tasks.a]\nn = [1, 2.5, true]\nwhen = 2026-01-31\n[tasks.b]\nafter = [\"a\"]\n";
    let yaml =
        "name: x\ntasks:\n  a:\n    n: [1, 2.5, true]\n    when: 2026-01-31\n  b:\n    after:\n    - a # the first\n";
    let json = "{\"name\": \"x\", \"tasks\": {\"a\": {\"n\": [1, 2.5, true],\n\"when\": \"2026-01-31\"}, \"b\": {\"after\": [\"a\"]}}}";
    let expected =
        json!({"name": "x", "tasks": {"a": {"n": [1, 2.5, true], "when": "2026-01-31"}, "b": {"after": ["a"]}}});
    for (format, text) in [(Format::Toml, toml), (Format::Yaml, yaml), (Format::Json, json)] {
        assert_eq!(value(format, text), expected, "{text}");
        assert_eq!(Format::of("-", text), format, "{text}");
    }
    let node = Node::read(Format::Toml, toml).unwrap();
    let tasks = node.get("tasks").unwrap();
    let places: Vec<_> = tasks.fields().iter().map(|field| (field.name.as_str(), field.place.to_string())).collect();
    assert_eq!(places, [("a", "2:8".to_owned()), ("b", "5:8".to_owned())]);
    assert_eq!(tasks.get("b").unwrap().get("after").unwrap().place.to_string(), "6:9");
    let yaml = Node::read(Format::Yaml, yaml).unwrap();
    assert_eq!(yaml.get("tasks").unwrap().fields()[1].place.to_string(), "6:3");
    let json = Node::read(Format::Json, json).unwrap();
    assert_eq!(json.get("tasks").unwrap().get("a").unwrap().get("when").unwrap().place.to_string(), "2:9");
}

#[test]
fn formats_are_known_by_name_before_they_are_by_looks() {
    for (name, format) in
        [("a.toml", Format::Toml), ("b.YML", Format::Yaml), ("c.yaml", Format::Yaml), ("d.json", Format::Json)]
    {
        assert_eq!(Format::of(name, "{"), format);
    }
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    assert!(error(Format::Toml, "a = 1\nb = = 2\n").starts_with("2:5: is not TOML: "));
    assert!(error(Format::Toml, "a = 1\na = 2\n").starts_with("2:1: is not TOML: "));
    assert!(error(Format::Yaml, "a: [1\nb: 2\n").contains(": is not YAML: "));
    assert_eq!(error(Format::Yaml, "a: 1\nb: 2\na: 3\n"), "3:1: `a` is there twice");
    assert_eq!(error(Format::Yaml, "a: 1\n---\nb: 1\n"), "2:1: there is a second document");
    assert!(error(Format::Json, "{\"a\": 1,\n \"b\": }").starts_with("2:7: is not JSON: "));
    assert_eq!(error(Format::Json, "{\"a\": 1,\n \"a\": 2}"), "2:7: `a` is there twice");
    assert!(error(Format::Toml, "a = 99999999999999999999").contains("out of range"));
}

#[test]
fn scalars_of_yaml() {
    let text =
        "[~, yes, 'true', 0o17, 0x1f, -3, +4, 1e3, .5, 1.2.3, 12a, \"7\", !!str 8, 18446744073709551615, .inf, -x, on]";
    let expected = json!([
        null,
        "yes",
        "true",
        15,
        31,
        -3,
        4,
        1000.0,
        0.5,
        "1.2.3",
        "12a",
        "7",
        "8",
        18_446_744_073_709_551_615_u64,
        ".inf",
        "-x",
        "on"
    ]);
    assert_eq!(value(Format::Yaml, text), expected);
    assert_eq!(
        value(Format::Yaml, "base: &b {x: 1}\nmore: [*b, *b]\n"),
        json!({"base": {"x": 1}, "more": [{"x": 1}, {"x": 1}]})
    );
}

#[test]
fn what_grows_without_end_is_refused() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for n in 1..10 {
        let many = vec![format!("*a{}", n - 1); 10].join(", ");
        bomb.push_str(&format!("a{n}: &a{n} [{many}]\n"));
    }
    assert!(error(Format::Yaml, &bomb).contains("has more than"));
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(100), close.repeat(100));
    assert!(error(Format::Yaml, &deep("[", "]")).contains("nests deeper"));
    assert!(error(Format::Json, &deep("[", "]")).contains("nests deeper"));
    let toml = error(Format::Toml, &format!("a = {}", deep("[", "]")));
    assert!(toml.contains("nests deeper") || toml.contains("is not TOML"), "{toml}");
    assert!(error(Format::Yaml, "a: &a [*a]").contains("alias"));
}

#[test]
fn places_are_those_that_counting_gives_however_long_the_line() {
    let text = format!("{}\n\n{}\nü", "aüb€c".repeat(200), "x".repeat(MARK_EVERY * 2 - 1));
    let lines = Lines::new(&text);
    for (byte, _) in text.char_indices().chain([(text.len(), ' ')]) {
        let before = &text[..byte];
        let line = before.rsplit('\n').next().unwrap_or(before);
        let expected = Place { line: before.matches('\n').count() + 1, column: line.chars().count() + 1 };
        assert_eq!(lines.of(byte), expected, "{byte}");
    }
    assert_eq!(Lines::new("").of(0), Place { line: 1, column: 1 });
    let full = "y".repeat(MARK_EVERY);
    assert_eq!(Lines::new(&full).of(MARK_EVERY), Place { line: 1, column: MARK_EVERY + 1 });
}
