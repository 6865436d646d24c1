//! The body of a submit, from bytes to requests: one object or an array of them, bounded in depth and count before it is read.

use super::batch::BatchRequest;
use super::links::link;
use super::number::Invalid;
use super::request::TaskRequest;

/// How deep brackets may nest; the JSON readers on the devices stop at 128.
pub const JSON_DEPTH_MAX: usize = 100;
/// Most tasks of one request.
pub const TASKS_PER_REQUEST_MAX: usize = 10_000;

/// What a body asks for.
#[derive(Debug)]
pub enum TaskRequests {
    /// An object.
    One(Box<TaskRequest>),
    /// An array.
    Many(Vec<TaskRequest>),
}

/// Reads the body of a submit.
///
/// # Errors
/// Names the field, and says what is accepted there.
pub fn parse_tasks(bytes: &[u8]) -> Result<TaskRequests, Invalid> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Invalid::new("body", "is empty; a task is a JSON object"));
    }
    check_depth(bytes)?;
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        let mut tasks: Vec<TaskRequest> = read(bytes)?;
        super::number::count("body", tasks.len(), TASKS_PER_REQUEST_MAX)?;
        if tasks.is_empty() {
            return Err(Invalid::new("body", "is an array without tasks"));
        }
        link(&mut tasks, &Invalid::at)?;
        return Ok(TaskRequests::Many(tasks));
    }
    let mut task: TaskRequest = read(bytes)?;
    link(std::slice::from_mut(&mut task), &|error, _| error)?;
    Ok(TaskRequests::One(Box::new(task)))
}

/// Reads the body of a batch.
///
/// # Errors
/// Names the field, and says what is accepted there.
pub fn parse_batch(bytes: &[u8]) -> Result<BatchRequest, Invalid> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Invalid::new("body", "is empty; a batch is a JSON object with `tasks`"));
    }
    check_depth(bytes)?;
    let mut batch: BatchRequest = read(bytes)?;
    super::number::count("tasks", batch.tasks.len(), TASKS_PER_REQUEST_MAX)?;
    if batch.tasks.is_empty() {
        return Err(Invalid::new("tasks", "has no tasks"));
    }
    link(&mut batch.tasks, &Invalid::of_tasks)?;
    Ok(batch)
}

fn read<'a, T: serde::Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Invalid> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let named = error.inner().is_data() && path != "." && !path.contains('?');
        let field = if named { path } else { "body".into() };
        Invalid::new(field, describe(error.inner()))
    })?;
    reader.end().map_err(|error| Invalid::new("body", describe(&error)))?;
    Ok(value)
}

fn describe(error: &serde_json::Error) -> String {
    match error.classify() {
        serde_json::error::Category::Syntax | serde_json::error::Category::Eof => {
            format!("is not JSON: {error}")
        }
        // The field is named; where that is in the body tells nobody more.
        _ => without_place(&error.to_string()).to_owned(),
    }
}

/// What a reader of JSON says, without the line and the column of a text that its writer never saw.
#[must_use]
pub fn without_place(said: &str) -> &str {
    said.rsplit_once(" at line ").map_or(said, |(what, _)| what)
}

/// Counts brackets outside of strings. The raw payload is not parsed here, so that nobody else looks.
fn check_depth(bytes: &[u8]) -> Result<(), Invalid> {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for byte in bytes {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > JSON_DEPTH_MAX {
            return Err(Invalid::new("body", format!("nests deeper than {JSON_DEPTH_MAX} brackets")));
        }
    }
    Ok(())
}
