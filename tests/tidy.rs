//! Style as a test: what a reviewer would otherwise have to say again and again.

use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a Rust file. A longer one has more than one idea.
const LINES_MAX: usize = 450;

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("a crate lies in the repository").to_owned()
}

/// Every Rust file of the repository, with its path from the root.
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut dirs: Vec<PathBuf> = ["scheduler", "p2p", "node", "tests", "examples"].map(|dir| root().join(dir)).into();
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).expect("a readable directory").flatten() {
            let path = entry.path();
            if path.is_dir() {
                if entry.file_name() != "target" {
                    dirs.push(path);
                }
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let name = path.strip_prefix(root()).expect("below the root").display().to_string();
                found.push((name, fs::read_to_string(&path).expect("UTF-8")));
            }
        }
    }
    assert!(found.len() > 100, "only {} files were found", found.len());
    found
}

fn complain(what: &str, files: Vec<String>) {
    assert!(files.is_empty(), "{what}:\n  {}", files.join("\n  "));
}

#[test]
fn files_hold_one_idea() {
    let long = |(name, text): &(String, String)| {
        let lines = text.lines().count();
        (lines > LINES_MAX).then(|| format!("{name}: {lines} lines"))
    };
    complain("longer than allowed", sources().iter().filter_map(long).collect());
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent = |(name, text): &(String, String)| {
        let tests = name.contains("/tests") || name.ends_with("tests.rs");
        (!tests && !text.starts_with("//!")).then(|| name.clone())
    };
    complain("begins without `//!`", sources().iter().filter_map(silent).collect());
}

#[test]
fn crates_know_only_those_they_may() {
    let forbidden = [
        (
            "scheduler/",
            &["rc_p2p", "rc_node", "tokio", "std::time", "Instant", "SystemTime", "HashMap", "f32", "f64"][..],
        ),
        ("p2p/", &["rc_scheduler", "rc_node"]),
        ("tests/sim/", &["rc_p2p", "rc_node", "HashMap"]),
    ];
    let mut broken = Vec::new();
    for (name, text) in sources() {
        for (room, words) in forbidden.iter().filter(|(room, _)| name.starts_with(*room)) {
            let core = *room != "scheduler/" || name.starts_with("scheduler/src/");
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            for line in code.filter(|_| core) {
                for word in words.iter().filter(|word| has_word(line, word)) {
                    broken.push(format!("{name}: {word}: {}", line.trim()));
                }
            }
        }
    }
    complain("knows what it must not know", broken);
}

fn has_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| !line[..at].ends_with(part) && !line[at + word.len()..].starts_with(part))
}

#[test]
fn unsafe_stays_in_the_sandbox() {
    let unsafe_elsewhere = |(name, text): &(String, String)| {
        let there = name.starts_with("node/src/sandbox") || name == "tests/tidy.rs";
        let keyword = ["unsafe {", "unsafe fn", "unsafe impl"];
        (!there && keyword.iter().any(|keyword| text.contains(keyword))).then(|| name.clone())
    };
    complain("unsafe code", sources().iter().filter_map(unsafe_elsewhere).collect());
}

#[test]
fn nothing_knows_whose_machine_it_was_written_on() {
    // The socket of a data directory with a long path has to go somewhere that every system has.
    let may = |name: &str| name.contains("/tests") || name.starts_with("tests/") || name == "node/src/config/paths.rs";
    let knows = |(name, text): &(String, String)| {
        let places = ["\"/root/", "\"/home/", "\"/tmp/"];
        let place = places.iter().find(|place| !may(name) && text.contains(**place));
        place.map(|place| format!("{name}: {place}"))
    };
    complain("paths of one machine", sources().iter().filter_map(knows).collect());
}

#[test]
fn a_test_that_is_not_run_says_why() {
    let silent = |(name, text): &(String, String)| {
        let mute = name != "tests/tidy.rs" && text.contains("#[ignore]");
        mute.then(|| name.clone())
    };
    complain("`#[ignore]` without a reason", sources().iter().filter_map(silent).collect());
}

#[test]
fn every_attack_that_is_told_of_is_a_test() {
    let text = fs::read_to_string(root().join("tests/ATTACKS.md")).expect("the page is there");
    let rows: Vec<_> = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| tried")).collect();
    assert!(rows.len() >= 40, "only {} attacks", rows.len());
    let tested = |row: &&str| {
        let cell = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default().trim();
        let (file, test) = cell.split_once(": ")?;
        let source = fs::read_to_string(root().join(file)).unwrap_or_default();
        let at = source.find(&format!("fn {test}()"))?;
        // The line before says that it is one.
        source[..at].trim_end().trim_end_matches("async").trim_end().ends_with(']').then_some(())
    };
    complain("no such test", rows.iter().filter(|row| tested(row).is_none()).map(|row| (*row).to_owned()).collect());
}

#[test]
fn nothing_is_left_for_later() {
    let marks = ["todo!(", "unimplemented!(", "FIXME", "#[allow("];
    let unfinished = |(name, text): &(String, String)| {
        let mark = marks.iter().find(|mark| name != "tests/tidy.rs" && text.contains(**mark));
        mark.map(|mark| format!("{name}: {mark}"))
    };
    complain("unfinished", sources().iter().filter_map(unfinished).collect());
}
