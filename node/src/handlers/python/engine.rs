//! The interpreter: one evaluation, from text to value. Knows nothing of processes. All use of the crate `monty` is here,
//! whose interface changes between releases.

use std::borrow::Cow;
use std::io;
use std::time::{Duration, Instant};

use monty::MontyRun;
use monty_types::{
    CompileOptions, ExcType, MontyException, MontyObject, PrintWriter, PrintWriterCallback, ResourceLimits,
    ResourceTracker,
};
use serde_json::{Map, Number, Value};

use super::message::{Evaluated, Failure};

/// Largest result, in bytes of what it takes in memory or as text: it is going to be stored on several devices.
const RESULT_BYTES_MAX: usize = 1 << 20;

/// Deepest nesting of a result that is given as JSON; the JSON parser at the other end stops at 128.
const RESULT_DEPTH_MAX: usize = 100;

/// Longest error text, in bytes.
const ERROR_BYTES_MAX: usize = 16 * 1024;

/// Added to errors that CPython may not have raised.
const SUBSET_NOTE: &str =
    "\n(python_eval runs a subset of Python; a `command` task can run a whole one where it is installed)";

/// Functions that code finds in CPython and not here.
const MISSING_BUILTINS: [&str; 12] = [
    "__import__",
    "breakpoint",
    "callable",
    "compile",
    "complex",
    "eval",
    "exec",
    "globals",
    "input",
    "locals",
    "super",
    "memoryview",
];

/// The engine has it, and gets it wrong for some letters. An error is better than a wrong value, even in a text that merely says the word.
const MISFOLDED: &str = "casefold";

/// Bounds of one evaluation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) time: Duration,
    /// Of a single value.
    pub(super) memory_bytes: usize,
}

/// Tells what `print` wrote.
pub(super) type Tell = fn(Vec<u8>) -> io::Result<()>;

/// Lines that are told at once, each by itself, before telling slows down to one in [`TELL_EVERY`].
const TOLD_AT_ONCE: u32 = 32;
const TELL_EVERY: Duration = Duration::from_millis(25);

/// What `print` wrote, up to a cap; told line by line, but of very many lines several at a time, so that telling costs little. What was
/// not told is in `text` with the rest.
pub(super) struct Printed {
    pub(super) text: String,
    pub(super) more: bool,
    bytes_max: usize,
    told: usize,
    at_once: u32,
    last: Instant,
    tell: Tell,
}

impl Printed {
    pub(super) fn new(bytes_max: usize, tell: Tell) -> Self {
        let (text, last) = (String::new(), Instant::now());
        Self { text, more: false, bytes_max, told: 0, at_once: TOLD_AT_ONCE, last, tell }
    }

    /// A line has ended, or something was written without an end.
    fn tell(&mut self, line: bool) {
        if self.told == self.text.len() {
            return;
        }
        // What is not a line yet waits for its end, unless that is long in coming.
        let due = || self.last.elapsed() >= TELL_EVERY;
        if line && self.at_once > 0 {
            self.at_once -= 1;
        } else if !due() {
            return;
        }
        // Without anybody to hear it the worker will be killed, or find out when it answers.
        let _ = (self.tell)(self.text.as_bytes()[self.told..].to_vec());
        self.told = self.text.len();
        self.last = Instant::now();
    }

    fn push(&mut self, text: &str) {
        let room = self.bytes_max.saturating_sub(self.text.len());
        let kept = text.floor_char_boundary(room);
        self.text.push_str(&text[..kept]);
        self.more |= kept < text.len();
    }
}

impl PrintWriterCallback for Printed {
    fn stdout_write(&mut self, output: Cow<'_, str>) -> Result<(), MontyException> {
        self.push(&output);
        self.tell(output.ends_with('\n'));
        Ok(())
    }

    fn stdout_push(&mut self, end: char) -> Result<(), MontyException> {
        self.push(end.encode_utf8(&mut [0; 4]));
        self.tell(end == '\n');
        Ok(())
    }
}

/// Evaluates `expression`: one expression, or statements whose last one is an expression.
pub(super) fn evaluate(
    expression: &str,
    limits: Limits,
    printed: &mut Printed,
) -> Result<Evaluated, (Failure, String)> {
    // An expression is often written with space before it, in which a script would see an indent.
    if expression.contains(MISFOLDED) {
        let text =
            format!("AttributeError: `{MISFOLDED}` is not known here, where no letter folds into two; `lower` is");
        return Err((Failure::Raised, format!("{text}{SUBSET_NOTE}")));
    }
    let code = if expression.contains('\n') { expression.to_owned() } else { expression.trim().to_owned() };
    let begin = Instant::now();
    // To count memory the engine wants an allocator of its own in the whole node; without one this limit still refuses
    // single values beyond it, before they are computed. What grows little by little runs into the process's limit.
    let bounds = ResourceLimits::default().max_duration(limits.time).max_memory(limits.memory_bytes);
    let tracker = ResourceTracker::new(bounds);
    let value = MontyRun::new(code, "<expression>", Vec::new(), CompileOptions::default())
        .and_then(|program| program.run(Vec::new(), tracker, PrintWriter::Callback(printed)))
        .map_err(|error| failure(&error, begin.elapsed() >= limits.time))?;
    if value.deep_host_size() > RESULT_BYTES_MAX {
        return Err(too_large());
    }
    match json(&value, 0) {
        Some(result) => Ok(Evaluated { result, repr: None }),
        None => {
            let repr = match value {
                MontyObject::Repr(repr) => repr,
                value => value.py_repr(),
            };
            if repr.len() > RESULT_BYTES_MAX {
                return Err(too_large());
            }
            Ok(Evaluated { result: Value::Null, repr: Some(repr) })
        }
    }
}

fn too_large() -> (Failure, String) {
    (Failure::TooLarge, format!("the result is larger than {RESULT_BYTES_MAX} bytes"))
}

fn failure(error: &MontyException, time_is_up: bool) -> (Failure, String) {
    let kind = match error.exc_type() {
        // Code can raise these itself, so the type alone does not say that a limit was hit.
        ExcType::TimeoutError if time_is_up => Failure::TimeUp,
        ExcType::MemoryError => Failure::TooLarge,
        _ => Failure::Raised,
    };
    let text = error.to_string();
    let text = text.trim_end();
    // The end of a traceback says the most.
    let from = text.ceil_char_boundary(text.len().saturating_sub(ERROR_BYTES_MAX));
    let note = if may_be_missing(error.exc_type(), text) { SUBSET_NOTE } else { "" };
    (kind, format!("{}{note}", &text[from..]))
}

/// Whether CPython might not have raised this: what the interpreter lacks is an error like those that code makes itself.
fn may_be_missing(raised: ExcType, text: &str) -> bool {
    let last = text.lines().next_back().unwrap_or(text);
    match raised {
        ExcType::ModuleNotFoundError | ExcType::NotImplementedError | ExcType::AttributeError => true,
        ExcType::NameError => MISSING_BUILTINS.iter().any(|name| last.contains(&format!("'{name}'"))),
        ExcType::TypeError => last.contains("unsupported operand") || last.contains("cannot convert"),
        _ => false,
    }
}

/// The value as `json.dumps` would write it; `None` if that would refuse, or write what is no JSON (NaN, infinity), or
/// round (integers beyond 64 bits).
fn json(value: &MontyObject, depth: usize) -> Option<Value> {
    if depth > RESULT_DEPTH_MAX {
        return None;
    }
    let list = |items: &[MontyObject]| items.iter().map(|item| json(item, depth + 1)).collect::<Option<Vec<_>>>();
    Some(match value {
        MontyObject::None => Value::Null,
        MontyObject::Bool(b) => Value::Bool(*b),
        MontyObject::Int(n) => Value::from(*n),
        MontyObject::BigInt(n) => Value::from(n.to_string().parse::<u64>().ok()?),
        MontyObject::Float(x) => Value::Number(Number::from_f64(*x)?),
        MontyObject::String(s) => Value::String(s.clone()),
        MontyObject::List(items) | MontyObject::Tuple(items) => Value::Array(list(items)?),
        MontyObject::NamedTuple { values, .. } => Value::Array(list(values)?),
        MontyObject::Dict(pairs) => {
            let mut map = Map::new();
            for (k, v) in pairs.iter() {
                // Two keys that become the same text would lose one of them.
                if map.insert(key(k)?, json(v, depth + 1)?).is_some() {
                    return None;
                }
            }
            Value::Object(map)
        }
        _ => return None,
    })
}

/// A dictionary's key as `json.dumps` writes it.
fn key(value: &MontyObject) -> Option<String> {
    Some(match value {
        MontyObject::String(s) => s.clone(),
        MontyObject::Int(n) => n.to_string(),
        MontyObject::BigInt(n) => n.to_string(),
        MontyObject::Float(_) => value.py_repr(),
        MontyObject::Bool(b) => b.to_string(),
        MontyObject::None => "null".to_owned(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
