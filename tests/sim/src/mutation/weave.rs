//! Makes a copy of the scheduler and the simulator in which every mutation is there, behind a switch, and builds it.
//!
//! A mutation whose text is not in the sources any more, or is there twice, is an error that names it: a table of mutations that
//! nobody keeps true proves nothing.

use super::{Mutation, all};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Stands for the switch in the text of a mutation.
pub const SWITCH: &str = "MUTANT";

/// The repository's lock file as it was when the copy's was made from it.
const LOCK_SEEN: &str = "Cargo.lock.seen";

const SWITCHES: &str = r"//! Which mutation is on.

extern crate std;

std::thread_local! {
    static CHOSEN: core::cell::Cell<usize> = const { core::cell::Cell::new(usize::MAX) };
}

/// Turns one on, on this thread, and all others off.
pub fn choose(number: Option<usize>) {
    CHOSEN.set(number.unwrap_or(usize::MAX));
}

pub(crate) fn on(number: usize) -> bool {
    CHOSEN.get() == number
}
";

const CHOOSER: &str = r"//! Turns mutations on.

/// Whether mutations are woven in.
pub(super) const WOVEN: bool = true;

/// From now on, on this thread, the mutation with this number is on, and no other.
pub(super) fn choose(number: Option<usize>) {
    rc_scheduler::mutation::choose(number);
}
";

/// Builds the simulator with all mutations and returns the program.
///
/// # Errors
/// A mutation that does not fit the sources, or what kept the copy from being made or built.
pub fn build() -> Result<PathBuf, String> {
    let told = |what: &str, error: io::Error| format!("{what}: {error}");
    let room = target().map_err(|error| told("where the build goes", error))?.join("mutations");
    fs::create_dir_all(&room).map_err(|error| told("the room for the copy", error))?;
    let lock = File::create(room.join("lock")).map_err(|error| told("the lock of the copy", error))?;
    lock.lock().map_err(|error| told("the lock of the copy", error))?;
    let files = woven(&sources().map_err(|error| told("the sources", error))?)?;
    let copy = room.join("sources");
    refresh(&copy, &files).map_err(|error| told("the copy", error))?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--release", "--offline", "--package", "rc-sim", "--bin", "rc-sim"])
        .current_dir(&copy)
        .env("CARGO_TARGET_DIR", room.join("target"))
        .output()
        .map_err(|error| told("cargo", error))?;
    if !built.status.success() {
        return Err(format!("the copy does not build:\n{}", String::from_utf8_lossy(&built.stderr)));
    }
    Ok(room.join("target/release/rc-sim"))
}

/// The directory that cargo builds into: the one of this program.
fn target() -> io::Result<PathBuf> {
    let program = std::env::current_exe()?;
    let marked = program.ancestors().find(|dir| dir.join("CACHEDIR.TAG").exists()).map(Path::to_owned);
    marked.ok_or_else(|| io::Error::other(format!("{} is not in a target directory", program.display())))
}

/// The files of the two crates and what the build of them needs, by their path from the root of the repository.
fn sources() -> io::Result<BTreeMap<String, String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = BTreeMap::new();
    for name in ["Cargo.toml", "Cargo.lock", "scheduler/Cargo.toml", "tests/sim/Cargo.toml"] {
        files.insert(name.to_owned(), fs::read_to_string(root.join(name))?);
    }
    let mut dirs = vec!["scheduler/src".to_owned(), "tests/sim/src".to_owned(), "tests/sim/regressions".to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(root.join(&dir))? {
            let entry = entry?;
            let name = format!("{dir}/{}", entry.file_name().to_string_lossy());
            if entry.file_type()?.is_dir() {
                dirs.push(name);
            } else {
                files.insert(name, fs::read_to_string(entry.path())?);
            }
        }
    }
    Ok(files)
}

/// The same files with the mutations in them.
fn woven(files: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, String> {
    let mut out = files.clone();
    let mut places: BTreeMap<&str, Vec<(usize, Mutation)>> = BTreeMap::new();
    for (number, mutation) in all().into_iter().enumerate() {
        for edit in mutation.edits {
            let edits = places.entry(edit.file).or_default();
            if edits.iter().all(|(other, _)| *other != number) {
                edits.push((number, mutation));
            }
        }
    }
    let mut wrong = Vec::new();
    for (file, mutations) in places {
        let name = format!("scheduler/src/{file}");
        let Some(text) = files.get(&name) else {
            wrong.push(format!("there is no {name} to mutate"));
            continue;
        };
        match weave(file, text, &mutations) {
            Ok(text) => drop(out.insert(name, text)),
            Err(errors) => wrong.push(errors),
        }
    }
    if !wrong.is_empty() {
        return Err(wrong.join("\n"));
    }
    out.insert("scheduler/src/mutation.rs".to_owned(), SWITCHES.to_owned());
    out.insert("tests/sim/src/mutation/switch.rs".to_owned(), CHOOSER.to_owned());
    let text = |name: &str| files.get(name).cloned().unwrap_or_default();
    out.remove("Cargo.lock");
    out.insert(LOCK_SEEN.to_owned(), text("Cargo.lock"));
    out.insert("scheduler/src/lib.rs".to_owned(), format!("{}\npub mod mutation;\n", out["scheduler/src/lib.rs"]));
    for manifest in ["scheduler/Cargo.toml", "tests/sim/Cargo.toml"] {
        out.insert(manifest.to_owned(), without_sections(&text(manifest), &["[dev-dependencies]", "[[test]]"]));
    }
    // The copy is of two crates, and is built once and run for seconds: fast to build and fast enough.
    let workspace = without_sections(&text("Cargo.toml"), &["[workspace]", "[profile."]);
    let head = "[workspace]\nresolver = \"2\"\nmembers = [\"scheduler\", \"tests/sim\"]\n\n";
    out.insert("Cargo.toml".to_owned(), format!("{head}{workspace}\n[profile.release]\nopt-level = 2\nstrip = true\n"));
    Ok(out)
}

/// A manifest without the sections whose heading begins like one of these.
fn without_sections(manifest: &str, headings: &[&str]) -> String {
    let mut kept = true;
    let mut out = String::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            kept = !headings.iter().any(|heading| line.starts_with(heading));
        }
        if kept {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

/// A replacement of part of a text, by the mutation with a number.
struct Patch {
    from: usize,
    to: usize,
    with: String,
    number: usize,
}

/// Puts the mutations of one file into its text.
fn weave(file: &str, text: &str, mutations: &[(usize, Mutation)]) -> Result<String, String> {
    let (mut patches, mut wrong) = (Vec::new(), Vec::new());
    for (number, mutation) in mutations {
        for edit in mutation.edits.iter().filter(|edit| edit.file == file) {
            let mut found = text.match_indices(edit.find).map(|(at, _)| at);
            let (Some(at), None) = (found.next(), found.next()) else {
                let times = text.matches(edit.find).count();
                wrong.push(format!("“{}”: its text is {times} times in {file}:\n{}", mutation.name, edit.find));
                continue;
            };
            if !edit.with.contains(SWITCH) {
                wrong.push(format!("“{}”: the change of {file} has no switch", mutation.name));
                continue;
            }
            // Only what differs is replaced, so that several mutations can share a line.
            let same = |a: &str, b: &str| a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
            let front = same(edit.find, edit.with);
            let (rest, with) = (&edit.find[front..], &edit.with[front..]);
            let back = rest.bytes().rev().zip(with.bytes().rev()).take_while(|(a, b)| a == b).count();
            patches.push(Patch {
                from: at + front,
                to: at + edit.find.len() - back,
                with: with[..with.len() - back].replace(SWITCH, &format!("crate::mutation::on({number})")),
                number: *number,
            });
        }
    }
    patches.sort_by_key(|patch| (patch.from, patch.to));
    let (mut out, mut at) = (String::new(), 0);
    let mut before: Option<&Patch> = None;
    for patch in &patches {
        if let Some(before) = before.filter(|before| patch.from < before.to) {
            let names = [before.number, patch.number].map(|number| all()[number].name);
            wrong.push(format!("“{}” and “{}” change the same text of {file}", names[0], names[1]));
            continue;
        }
        out.push_str(&text[at..patch.from]);
        out.push_str(&patch.with);
        at = patch.to;
        before = Some(patch);
    }
    out.push_str(&text[at..]);
    if wrong.is_empty() { Ok(out) } else { Err(wrong.join("\n")) }
}

/// Writes what has changed, so that what has not need not be built again, and removes what is no longer there.
fn refresh(copy: &Path, files: &BTreeMap<String, String>) -> io::Result<()> {
    fs::create_dir_all(copy)?;
    for (name, text) in files {
        let path = copy.join(name);
        if fs::read_to_string(&path).is_ok_and(|old| old == *text) {
            continue;
        }
        // The copy's own lock file has lost what the two crates do not need; it begins anew when the repository's has changed.
        if name == LOCK_SEEN {
            fs::write(copy.join("Cargo.lock"), text)?;
        }
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        fs::write(path, text)?;
    }
    let mut dirs = vec!["scheduler/src".to_owned(), "tests/sim/src".to_owned(), "tests/sim/regressions".to_owned()];
    while let Some(dir) = dirs.pop() {
        let Ok(entries) = fs::read_dir(copy.join(&dir)) else { continue };
        for entry in entries.flatten() {
            let name = format!("{dir}/{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                dirs.push(name);
            } else if !files.contains_key(&name) {
                fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutation::{Edit, Place};

    fn mutation(edits: &'static [Edit]) -> Mutation {
        Mutation { name: "test", rules: "0", place: Place::Class(crate::Class::None), edits }
    }

    #[test]
    fn mutations_of_one_line_live_side_by_side() {
        let first = mutation(&[Edit { file: "a", find: "if a && b", with: "if (a || MUTANT) && b" }]);
        let second = mutation(&[Edit { file: "a", find: "a && b {", with: "a && (b || MUTANT) {" }]);
        let woven = weave("a", "x; if a && b {}", &[(3, first), (7, second)]).unwrap();
        assert_eq!(woven, "x; if (a || crate::mutation::on(3)) && (b || crate::mutation::on(7)) {}");
    }

    #[test]
    fn a_mutation_that_does_not_fit_is_named() {
        let gone = mutation(&[Edit { file: "a", find: "gone", with: "MUTANT" }]);
        assert!(weave("a", "here", &[(0, gone)]).unwrap_err().contains("“test”"));
        let twice = mutation(&[Edit { file: "a", find: "b", with: "MUTANT" }]);
        assert!(weave("a", "b b", &[(0, twice)]).unwrap_err().contains("2 times"));
    }

    #[test]
    fn every_mutation_fits_the_sources() {
        woven(&sources().unwrap()).unwrap();
    }
}
