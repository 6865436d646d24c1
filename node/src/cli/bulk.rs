//! Many tasks from a file, from lines or from numbers, as one request; refused as a whole, with the place, before anything is sent.

use super::args::BatchSubmitArgs;
use super::error::{CliError, Exit};
use super::request::{self, Object};
use crate::api::model::{BatchHead, Invalid, TASKS_PER_REQUEST_MAX, parse_batch, without_place};
use rc_scheduler::DeviceId;
use serde::Serialize;
use serde_json::value::RawValue;
use std::path::Path;

/// What stands for the line or the number in a command.
const HOLE: &str = "{}";

#[derive(Serialize)]
struct Batch<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    tasks: Vec<Object>,
}

/// The request that the flags ask for: JSON text.
pub(super) fn request(args: &mut BatchSubmitArgs) -> Result<Vec<u8>, CliError> {
    // Of a batch, a name and a key belong to the whole.
    let name = args.task.name.take();
    let key = args.task.idempotency_key.take();
    let mut tasks = match (&args.array, args.each_line) {
        (Some(array), _) => commands(&args.argv, numbers(array)?.into_iter().map(|number| number.to_string())),
        (None, true) => {
            let text = read(args.file.as_deref().unwrap_or("-"))?;
            let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
            commands(&args.argv, lines.into_iter())
        }
        (None, false) if !args.argv.is_empty() => {
            return Err(CliError::usage(
                "a command needs to know for what",
                "say --each-line or --array FROM-TO before the --",
            ));
        }
        (None, false) => {
            let file = args.file.as_deref().unwrap_or("-");
            of_file(file, &read(file)?)
        }
    }?;
    check_count(tasks.len())?;
    for (index, (_, task)) in tasks.iter_mut().enumerate() {
        task.apply(&args.task)?;
        if let Some(key) = &key {
            task.set("idempotency_key", format!("{key}/{index}"))?;
        }
    }
    let invalid = |error: Invalid| CliError::usage(error.to_string(), "see `rc-node batch submit --help`");
    BatchHead::new(name.clone(), args.description.clone(), false).map_err(invalid)?;
    let (places, tasks): (Vec<_>, _) = tasks.into_iter().unzip();
    let batch = Batch { name: name.as_deref(), description: args.description.as_deref(), tasks };
    let bytes = serde_json::to_vec(&batch).map_err(|error| CliError::usage(error.to_string(), ""))?;
    check(&bytes, &places)?;
    Ok(bytes)
}

/// Each task with where it was found.
type Placed = Vec<(String, Object)>;

fn check_count(count: usize) -> Result<(), CliError> {
    match count {
        0 => Err(CliError::usage("there are no tasks", "a batch has at least one")),
        1..=TASKS_PER_REQUEST_MAX => Ok(()),
        _ => Err(CliError::usage(
            format!("there are {count} tasks; a batch has at most {TASKS_PER_REQUEST_MAX}"),
            "hand in several batches",
        )),
    }
}

fn refused(place: &str, index: usize, error: Invalid) -> CliError {
    let why = format!("{place}: task {index}: {error}");
    CliError::new(Exit::Usage, "the batch is not valid", why, "correct it; nothing was handed in")
}

/// Reads the batch as the node will; only the devices' names cannot be checked without one.
fn check(bytes: &[u8], places: &[String]) -> Result<(), CliError> {
    let at = |mut error: Invalid, index: usize| {
        if let Some(field) = error.field.strip_prefix(&format!("tasks[{index}].")) {
            error.field = field.to_owned();
        }
        refused(places.get(index).map_or("", String::as_str), index, error)
    };
    let index = |error: &Invalid| error.field.strip_prefix("tasks[")?.split_once(']')?.0.parse().ok();
    let batch = parse_batch(bytes).map_err(|error| match index(&error) {
        Some(index) => at(error, index),
        None => CliError::usage(error.to_string(), "see `rc-node batch submit --help`"),
    })?;
    for (index, task) in batch.tasks.into_iter().enumerate() {
        task.into_task(&|_| Ok(DeviceId::default())).map_err(|error| at(error, index))?;
    }
    Ok(())
}

fn read(file: &str) -> Result<String, CliError> {
    request::read_file(Path::new(file))
}

/// The tasks of a file: a JSON list, or JSON objects one after the other.
fn of_file(file: &str, text: &str) -> Result<Placed, CliError> {
    let file = if file == "-" { "standard input" } else { file };
    let broken = |error: &serde_json::Error| {
        let said = error.to_string();
        let why = format!("{file}:{}:{}: is not JSON: {}", error.line(), error.column(), without_place(&said));
        let hint = "a batch is a JSON list of tasks, or a task on each line";
        CliError::new(Exit::Usage, "the batch is not valid", why, hint)
    };
    let raws: Vec<&RawValue> = if text.trim_start().starts_with('[') {
        serde_json::from_str(text).map_err(|error| broken(&error))?
    } else {
        let values = serde_json::Deserializer::from_str(text).into_iter();
        values.collect::<Result<_, _>>().map_err(|error| broken(&error))?
    };
    let mut lines = Lines { text, at: 0, line: 1 };
    let mut tasks = Vec::with_capacity(raws.len().min(TASKS_PER_REQUEST_MAX + 1));
    for (index, raw) in raws.into_iter().enumerate() {
        let place = format!("{file}:{}", lines.of(raw.get()));
        let task: Object = serde_json::from_str(raw.get())
            .map_err(|error| refused(&place, index, Invalid::new("task", without_place(&error.to_string()))))?;
        tasks.push((place, task));
    }
    Ok(tasks)
}

/// Counts lines up to parts of a text, one after the other.
struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl Lines<'_> {
    /// The line on which `part`, a part of the text, begins.
    fn of(&mut self, part: &str) -> usize {
        let begin = (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        let between = self.text.as_bytes().get(self.at..begin).unwrap_or_default();
        self.line += between.iter().filter(|byte| **byte == b'\n').count();
        self.at = begin.max(self.at);
        self.line
    }
}

/// A command for each value.
fn commands(argv: &[String], values: impl Iterator<Item = String>) -> Result<Placed, CliError> {
    #[derive(Serialize)]
    struct Command {
        argv: Vec<String>,
    }
    let has_hole = argv.iter().any(|word| word.contains(HOLE));
    let mut tasks = Placed::new();
    for (index, value) in values.enumerate() {
        check_count(index + 1)?;
        let mut words: Vec<_> = argv.iter().map(|word| word.replace(HOLE, &value)).collect();
        if !has_hole {
            words.push(value.clone());
        }
        let mut task = Object::default();
        task.set("task_type", "command")?;
        task.set("payload", Command { argv: words })?;
        tasks.push((format!("{value:?}"), task));
    }
    Ok(tasks)
}

/// `1-1000`, `0-90:10`, `7`.
fn numbers(text: &str) -> Result<Vec<u64>, CliError> {
    let wrong = || CliError::usage(format!("--array {text:?} is no range"), "write e.g. --array 1-1000, or 0-90:10");
    let (range, step) = match text.split_once(':') {
        Some((range, step)) => (range, step.parse::<u64>().ok().filter(|step| *step > 0).ok_or_else(wrong)?),
        None => (text, 1),
    };
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| wrong());
    let (first, last) = (number(first)?, number(last)?);
    if first > last {
        return Err(wrong());
    }
    let count = (last - first) / step;
    check_count(usize::try_from(count).unwrap_or(usize::MAX).saturating_add(1))?;
    Ok((0..=count).map(|n| first + n * step).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (text, numbers_of) in [("1-3", &[1, 2, 3][..]), ("7", &[7]), ("0-90:45", &[0, 45, 90]), ("0-5:3", &[0, 3])]
        {
            assert_eq!(numbers(text).unwrap(), numbers_of, "{text}");
        }
        for bad in ["", "-", "3-1", "a-b", "1-2-3", "1-2:0", "1-", "0-10000", "0-18446744073709551615"] {
            assert!(numbers(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_task_that_makes_no_sense_is_named_by_its_line() {
        let place = |text: &str| of_file("f", text).unwrap().into_iter().map(|(place, _)| place).collect::<Vec<_>>();
        assert_eq!(place("[\n {\"task_type\":\"echo\"},\n {}\n]"), ["f:2", "f:3"]);
        assert_eq!(place("{}\n\n{}\n"), ["f:1", "f:3"]);
        assert_eq!(place("\n{\n\"task_type\": \"echo\"\n}\n{}"), ["f:2", "f:5"]);
        let error = of_file("f", "{}\n{,}\n").unwrap_err();
        assert_eq!(error.why, "f:2:2: is not JSON: key must be a string");
        let error = of_file("f", "[{},\n3]").unwrap_err();
        assert!(error.why.starts_with("f:2: task 1: "), "{error:?}");
    }

    #[test]
    fn a_value_goes_where_the_hole_is_or_last() {
        let argv = |argv: &[&str]| {
            let argv: Vec<_> = argv.iter().map(ToString::to_string).collect();
            let tasks = commands(&argv, ["a b".to_owned()].into_iter()).unwrap();
            serde_json::to_value(&tasks[0].1).unwrap()["payload"]["argv"].clone()
        };
        assert_eq!(argv(&["cp", "{}", "x/{}.bak"]), serde_json::json!(["cp", "a b", "x/a b.bak"]));
        assert_eq!(argv(&["wc", "-l"]), serde_json::json!(["wc", "-l", "a b"]));
    }
}
