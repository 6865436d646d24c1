//! What `after` means in a request: tasks that are there already, by id, and earlier tasks of the same request, by name; and whose results
//! the payload uses.

use super::number::Invalid;
use super::request::TaskRequest;
use crate::flow::fill;
use rc_scheduler::TaskId;
use std::collections::BTreeMap;

/// What a task waits for, and whose results it uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    /// Tasks that are there already.
    pub ids: Vec<TaskId>,
    /// Places of earlier tasks of the same request; they come after those of `ids`.
    pub new: Vec<u32>,
    /// Of both lists together, the places of those whose results it uses.
    pub uses: Vec<u32>,
    /// What those are called in the payload.
    pub names: Vec<String>,
}

/// Finds out what each of a request's tasks waits for. `at` says of which task of the request an error is.
pub(super) fn link(tasks: &mut [TaskRequest], at: &dyn Fn(Invalid, usize) -> Invalid) -> Result<(), Invalid> {
    // `None` is a name that several have.
    let mut earlier: BTreeMap<String, Option<u32>> = BTreeMap::new();
    for (index, task) in tasks.iter_mut().enumerate() {
        if !task.after.is_empty() {
            task.links = of(task, &earlier).map_err(|error| at(error, index))?;
        }
        if let (Some(name), Ok(place)) = (&task.name, u32::try_from(index)) {
            earlier.entry(name.clone()).and_modify(|place| *place = None).or_insert(Some(place));
        }
    }
    Ok(())
}

fn of(task: &TaskRequest, earlier: &BTreeMap<String, Option<u32>>) -> Result<Links, Invalid> {
    let (mut links, mut ids, mut new) = (Links::default(), Vec::new(), Vec::new());
    for (n, text) in task.after.iter().enumerate() {
        match (earlier.get(text), text.parse()) {
            (Some(Some(place)), _) => {
                links.new.push(*place);
                new.push(text);
            }
            (Some(None), _) => {
                return Err(Invalid::new(
                    format!("after[{n}]"),
                    format!("several tasks before it are called {text:?}"),
                ));
            }
            (None, Ok(id)) => {
                links.ids.push(id);
                ids.push(text);
            }
            (None, Err(_)) => {
                let message = format!("{text:?} is no task's id, and no task before it in this request is called so");
                return Err(Invalid::new(format!("after[{n}]"), message));
            }
        }
    }
    let names: Vec<&String> = ids.into_iter().chain(new).collect();
    let wrong = |message: String| Invalid::new("payload", message);
    for reference in fill::references(task.payload.get()).map_err(|error| wrong(error.to_string()))? {
        if links.names.contains(&reference.task) {
            continue;
        }
        let place = names.iter().position(|name| **name == reference.task).and_then(|at| u32::try_from(at).ok());
        let place =
            place.ok_or_else(|| wrong(format!("`{{{{{reference}}}}}`: `after` names no task that is called so")))?;
        links.uses.push(place);
        links.names.push(reference.task);
    }
    Ok(links)
}

#[cfg(test)]
mod tests {
    use super::super::{TaskRequests, parse_tasks};
    use super::*;

    const ID: &str = "01arz3ndektsv4rrffq69g5fav";

    fn linked(json: &str) -> Result<Vec<Links>, String> {
        match parse_tasks(json.as_bytes()).map_err(|error| error.to_string())? {
            TaskRequests::One(task) => Ok(vec![task.links]),
            TaskRequests::Many(tasks) => Ok(tasks.into_iter().map(|task| task.links).collect()),
        }
    }

    #[test]
    fn ids_come_first_and_then_earlier_tasks_by_name() {
        let json = format!(
            r#"[{{"task_type":"a","name":"x"}},{{"task_type":"a","name":"y"}},
            {{"task_type":"a","after":["y","{ID}","x"],"payload":["{{{{tasks.x.result}}}}{{{{tasks.{ID}.stdout}}}}","{{{{tasks.x.result.n}}}}"]}},
            {{"task_type":"a","after":["y"],"payload":"{{{{x}}}} {{{{"}}]"#
        );
        let links = linked(&json).unwrap();
        assert_eq!(links[0], Links::default());
        let expected = Links {
            ids: vec![ID.parse().unwrap()],
            new: vec![1, 0],
            uses: vec![2, 0],
            names: vec!["x".to_owned(), ID.to_owned()],
        };
        assert_eq!(links[2], expected);
        assert_eq!(links[3], Links { new: vec![1], ..Links::default() }, "braces of its own are left alone");
        assert_eq!(linked(&format!(r#"{{"task_type":"a","after":["{ID}"]}}"#)).unwrap()[0].ids.len(), 1);
    }

    #[test]
    fn what_is_not_there_is_refused_with_its_place() {
        let table = [
            (
                r#"{"task_type":"a","after":["x"]}"#,
                "`after[0]`: \"x\" is no task's id, and no task before it in this request is called so",
            ),
            (
                r#"[{"task_type":"a","after":["x"]},{"task_type":"a","name":"x"}]"#,
                "`[0].after[0]`: \"x\" is no task's id, and no task before it in this request is called so",
            ),
            (
                r#"[{"task_type":"a","name":"x"},{"task_type":"a","name":"x"},{"task_type":"a","after":["x"]}]"#,
                "`[2].after[0]`: several tasks before it are called \"x\"",
            ),
            (
                r#"[{"task_type":"a","name":"x"},{"task_type":"a","after":["x"],"payload":"{{tasks.y.result}}"}]"#,
                "`[1].payload`: `{{tasks.y.result}}`: `after` names no task that is called so",
            ),
            (
                r#"[{"task_type":"a","name":"x"},{"task_type":"a","after":["x"],"payload":"{{tasks.x.result}}{{y}}"}]"#,
                "`[1].payload`: `{{y}}`: there is no such variable",
            ),
        ];
        for (json, expected) in table {
            assert_eq!(linked(json).unwrap_err(), expected, "{json}");
        }
    }
}
