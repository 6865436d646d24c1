//! Flows as they are asked for and as they are shown.

use super::body::{JSON_DEPTH_MAX, without_place};
use super::links::Links;
use super::number::Invalid;
use super::request::TaskRequest;
use super::{BatchView, ErrorView, TaskRequests, parse_tasks};
use crate::flow::plan::{set_of_table, without};
use crate::flow::{Definition, Format, Node, Plan, Planned, Refused};
use rc_scheduler::DeviceId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A flow.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FlowView {
    /// As a batch; its own list of tasks is empty.
    #[serde(flatten)]
    pub batch: BatchView,
    /// All tasks, in an order in which each comes after those that it waits for.
    pub tasks: Vec<FlowTaskView>,
}

/// A task of a flow.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as for a task")]
pub struct FlowTaskView {
    pub name: Option<String>,
    pub task_id: Option<String>,
    pub task_type: Option<String>,
    /// `unknown` if nobody who answers has it.
    pub status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    pub device: Option<String>,
    /// Names of those that it waits for; the id of one that is not of this flow.
    pub after: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorView>,
    pub started_at: Option<String>,
    pub finished_at: Option<String>,
}

/// Reads the body of a flow: what a file says, in JSON, and beside it `set`, the variables.
///
/// # Errors
/// Says what is wrong, and where in the body.
pub fn parse_flow(bytes: &[u8]) -> Result<Plan, Invalid> {
    let invalid = |refused: Refused| Invalid::new(format!("body:{}", refused.place), refused.message);
    let text = std::str::from_utf8(bytes).map_err(|error| Invalid::new("body", error.to_string()))?;
    let root = Node::read(Format::Json, text).map_err(invalid)?;
    let (root, set) = without(root, "set");
    let set = set.map_or(Ok(BTreeMap::new()), |set| set_of_table(&set)).map_err(invalid)?;
    let definition = Definition::new(&root).map_err(invalid)?;
    Plan::new(&definition, &set).map_err(invalid)
}

/// The requests for a flow's tasks, in its order, checked in all but the devices' names.
///
/// # Errors
/// Says what is wrong with a task, and where in the file.
pub fn flow_tasks(plan: &Plan) -> Result<Vec<TaskRequest>, Refused> {
    plan.tasks.iter().map(|task| request(plan, task)).collect()
}

fn request(plan: &Plan, task: &Planned) -> Result<TaskRequest, Refused> {
    // The line and the column of the request mean nothing to who wrote the file.
    let said = |message: &str| without_place(message).to_owned();
    let refused = |error: Invalid| task.refused(&error.field, &said(&error.message));
    let parse = || {
        let bytes = serde_json::to_vec(&task.request()).map_err(|error| Invalid::new("task", error.to_string()))?;
        match parse_tasks(&bytes)? {
            TaskRequests::One(request) => Ok(*request),
            TaskRequests::Many(_) => Err(Invalid::new("task", "is a list")),
        }
    };
    parse().and_then(|request: TaskRequest| request.into_task(&|_| Ok(DeviceId::default()))).map_err(refused)?;
    let mut request = parse().map_err(refused)?;
    let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let of_new = |at: &usize| task.after.iter().position(|dep| dep == at).map(|dep| place(task.ids.len() + dep));
    request.set_links(Links {
        ids: task.ids.clone(),
        new: task.after.iter().copied().map(place).collect(),
        uses: task.uses.iter().filter_map(of_new).collect(),
        names: task.uses.iter().map(|at| plan.tasks[*at].name.clone()).collect(),
    });
    Ok(request)
}

const _: () = assert!(JSON_DEPTH_MAX >= 64, "what a file may nest, a request may");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_becomes_requests_with_links() {
        let id = "01arz3ndektsv4rrffq69g5fav";
        let body = format!(
            r#"{{"set": {{"n": 7}}, "tasks": {{
                "b": {{"task_type": "echo", "after": ["c", "{id}"], "payload": "{{{{tasks.a.result}}}}"}},
                "a": {{"task_type": "echo", "payload": {{"n": "{{{{n}}}}"}}}},
                "c": {{"task_type": "echo", "requirements": {{"min_memory_gb": 1}}}}
            }}}}"#
        );
        let plan = parse_flow(body.as_bytes()).unwrap();
        let names: Vec<_> = plan.tasks.iter().map(|task| task.name.as_str()).collect();
        assert_eq!(names, ["a", "c", "b"]);
        let requests = flow_tasks(&plan).unwrap();
        let links = &requests[2].links;
        assert_eq!((&links.new, &links.uses, &links.names), (&vec![0, 1], &vec![1], &vec!["a".to_owned()]));
        assert_eq!(links.ids, [id.parse().unwrap()]);
        assert_eq!(requests[0].payload.get(), r#"{"n":7}"#);
    }

    #[test]
    fn what_is_wrong_with_a_task_is_told_with_its_place() {
        let table = [
            ("{\"tasks\": {\"a\": {\"task_type\": \"echo\",\n\"priority\": \"now\"}}}", "2:13: task `a`: `priority`: "),
            (
                "{\"tasks\": {\"a\": {\"task_type\": \"echo\",\n\"requirements\": {\"min_cpu\": 1}}}}",
                "2:29: task `a`: `requirements.min_cpu`: unknown field",
            ),
            (
                "{\"tasks\": {\"a\": {\"task_type\": \"echo\",\n\"requirements\": {\"min_cpu_cores\": -1}}}}",
                "2:35: task `a`: ",
            ),
        ];
        for (body, expected) in table {
            let error = flow_tasks(&parse_flow(body.as_bytes()).unwrap()).expect_err(body).to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        let error = parse_flow(b"{\"tasks\": {\"a\": {\"task_type\": \"echo\", \"payload\": \"{{x}}\"}}}").unwrap_err();
        assert_eq!(error.field, "body:1:50");
    }
}
