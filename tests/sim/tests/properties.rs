//! The promises that PROTOCOL.md lists and the files that check them are the same.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Number and file of each promise, as PROTOCOL.md lists them.
fn promised() -> Vec<(String, String)> {
    let text =
        fs::read_to_string(root().join("../../scheduler/PROTOCOL.md")).expect("PROTOCOL.md is part of the repository");
    let begin = text.find("## What it promises").expect("the chapter is there");
    let chapter = text[begin + 3..].split("\n## ").next().expect("a split has a first part");
    let promise = |line: &str| {
        let (number, rest) = line.strip_prefix("- **")?.split_once("** `")?;
        Some((number.to_owned(), rest.split('`').next()?.to_owned()))
    };
    let lines: Vec<_> = chapter.lines().filter(|line| line.starts_with("- ")).collect();
    let promised: Vec<_> = lines.iter().filter_map(|line| promise(line)).collect();
    assert_eq!(promised.len(), lines.len(), "a promise names no file: {lines:#?}");
    promised
}

#[test]
fn every_promise_is_one_file_and_every_file_one_promise() {
    let promised = promised();
    let numbers: BTreeSet<_> = promised.iter().map(|(number, _)| number).collect();
    assert_eq!(numbers.len(), promised.len(), "a number is used twice");
    let named: BTreeSet<_> = promised.iter().map(|(_, file)| file.clone()).collect();
    assert_eq!(named.len(), promised.len(), "a file is named twice");
    let files: BTreeSet<_> = fs::read_dir(root().join("src/invariants"))
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".rs").map(str::to_owned))
        .collect();
    assert_eq!(named, files);
}

#[test]
fn every_promise_is_looked_at_in_some_run() {
    let mut sources = fs::read_to_string(root().join("src/invariants.rs")).unwrap();
    for file in ["src/run.rs", "src/command/seeds.rs"] {
        sources += &fs::read_to_string(root().join(file)).unwrap();
    }
    for (number, file) in promised() {
        // Once where the module is named, once more where it is called.
        assert!(sources.matches(&file).count() > 1, "{number}: nobody looks at {file}");
    }
}
