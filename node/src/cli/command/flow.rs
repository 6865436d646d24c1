//! `flow`: hands in tasks that come after one another, checks and draws them, and shows how each stands.

use super::batch::{Waited, handed_in, over_code, wait_over};
use crate::api::model::{BatchAccepted, BatchView, FlowView, flow_tasks};
use crate::cli::args::{FlowArgs, FlowVerb, HandingFlags, SetFlags};
use crate::cli::error::{CliError, Exit};
use crate::cli::output::{Format as Printed, Output};
use crate::cli::request;
use crate::cli::session::{Place, Session};
use crate::client::path_part;
use crate::flow::plan::set_of;
use crate::flow::{Definition, Format, Node, Plan, Refused, graph};
use hyper::Method;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

pub(super) async fn flow(place: Option<Place>, args: FlowArgs) -> Result<u8, CliError> {
    let place =
        || place.clone().ok_or_else(|| CliError::usage("there is no home directory", "name one with --data-dir"));
    match args.verb {
        FlowVerb::Validate { file, set } => {
            let (_, plan) = read(&file, &set)?;
            let edges: usize = plan.tasks.iter().map(|task| task.after.len() + task.ids.len()).sum();
            let text = format!("{} tasks, {edges} dependencies: it could be handed in\n", plan.tasks.len());
            Output::stdout(Printed::Table).text(&text)?;
            Ok(Exit::Ok.code())
        }
        FlowVerb::Graph { file, set, output } => {
            let (_, plan) = read(&file, &set)?;
            Output::stdout(Printed::Table).text(&graph::draw(&plan, output.into()))?;
            Ok(Exit::Ok.code())
        }
        FlowVerb::Run { file, set, submitter, handing } => {
            let (root, _) = read(&file, &set)?;
            let mut session = Session::daemon(&place()?).await?;
            run(&mut session, &root.to_value(), &set, submitter, &handing).await
        }
        FlowVerb::Show { id, wait, output } => {
            let mut session = Session::daemon(&place()?).await?;
            let mut output = Output::stdout(output.output);
            match wait.wait {
                Some(timeout) => shown_when_over(&mut session, &id, timeout, &mut output).await,
                None => {
                    let view: FlowView = session.client.get(&format!("/v1/flows/{}", path_part(&id))).await?;
                    print(&mut output, &view)?;
                    Ok(Exit::Ok.code())
                }
            }
        }
        FlowVerb::Ls { limit, output } => {
            let mut session = Session::daemon(&place()?).await?;
            let flows: Vec<BatchView> = session.client.get(&format!("/v1/flows?limit={limit}")).await?;
            Output::stdout(output.output).list(&flows)?;
            Ok(Exit::Ok.code())
        }
    }
}

/// A file, checked in everything that can be checked without a node.
fn read(file: &str, set: &SetFlags) -> Result<(Node, Plan), CliError> {
    let text = request::read_file(Path::new(file))?;
    let shown = if file == "-" { "standard input" } else { file };
    let refused = |refused: Refused| not_valid(&format!("{shown}:{refused}"));
    let root = Node::read(Format::of(file, &text), &text).map_err(refused)?;
    let plan = plan(&root, set)?.map_err(refused)?;
    flow_tasks(&plan).map_err(refused)?;
    Ok((root, plan))
}

pub(super) fn not_valid(why: &str) -> CliError {
    CliError::new(Exit::Usage, "the flow is not valid", why, "correct it; nothing was handed in")
}

fn plan(root: &Node, set: &SetFlags) -> Result<Result<Plan, Refused>, CliError> {
    let set = variables(set)?;
    Ok(Definition::new(root).and_then(|definition| Plan::new(&definition, &set)))
}

/// A file, checked in everything that does not depend on variables.
pub(super) fn read_template(file: &str) -> Result<Value, CliError> {
    let text = request::read_file(Path::new(file))?;
    let shown = if file == "-" { "standard input" } else { file };
    let refused = |refused: Refused| not_valid(&format!("{shown}:{refused}"));
    let root = Node::read(Format::of(file, &text), &text).map_err(refused)?;
    Definition::new(&root).map_err(refused)?;
    Ok(root.to_value())
}

/// What a template of that name comes to with these variables can be handed in. Nobody sees the lines of what the cluster keeps.
pub(super) fn check_template(name: &str, flow: &Value, set: &SetFlags) -> Result<(), CliError> {
    let refused = |refused: Refused| not_valid(&format!("template {name}: {}", refused.message));
    let root = Node::read(Format::Json, &flow.to_string()).map_err(refused)?;
    plan(&root, set)?.map_err(refused)?;
    Ok(())
}

fn variables(set: &SetFlags) -> Result<BTreeMap<String, Value>, CliError> {
    Ok(set_of(&request::texts("--set", &set.set)?.into_iter().collect::<Vec<_>>()))
}

/// Hands a flow in.
pub(super) async fn run(
    session: &mut Session,
    flow: &Value,
    set: &SetFlags,
    submitter: Option<String>,
    handing: &HandingFlags,
) -> Result<u8, CliError> {
    let mut body = flow.clone();
    if let Value::Object(fields) = &mut body {
        if let Some(submitter) = submitter {
            let defaults = fields.entry("defaults").or_insert_with(|| Value::Object(serde_json::Map::new()));
            if let Value::Object(defaults) = defaults {
                defaults.insert("submitter".to_owned(), submitter.into());
            }
        }
        fields.insert("set".to_owned(), variables(set)?.into_iter().collect());
    }
    let path = handing.path("/v1/flows");
    let sent = session.client.request(Method::POST, &path, Some(body.to_string().into_bytes())).await?;
    let accepted: BatchAccepted = sent.json()?;
    let mut output = Output::stdout(handing.output.output);
    let Some(timeout) = handed_in(session, &accepted, handing.wait.wait, "flow", &mut output).await? else {
        return Ok(Exit::Ok.code());
    };
    shown_when_over(session, &accepted.batch_id, timeout, &mut output).await
}

async fn shown_when_over<W: std::io::Write>(
    session: &mut Session,
    id: &str,
    timeout: Option<std::time::Duration>,
    output: &mut Output<W>,
) -> Result<u8, CliError> {
    match wait_over(session, id, timeout, "flow").await? {
        Waited::Code(code) => Ok(code),
        Waited::Over(batch) => {
            let path = format!("/v1/flows/{}", path_part(&batch.batch_id));
            let view: FlowView = session.client.get(&path).await?;
            output.look_at_the_clock();
            print(output, &view)?;
            Ok(over_code(&batch))
        }
    }
}

/// How it stands, and each of its tasks.
fn print<W: std::io::Write>(output: &mut Output<W>, view: &FlowView) -> Result<(), CliError> {
    match output.format() {
        Printed::Table | Printed::Wide => {
            output.one(&view.batch)?;
            output.text("\n")?;
            output.list(&view.tasks)
        }
        Printed::Json => output.json(view),
        Printed::Jsonl | Printed::Id => output.list(&view.tasks),
    }
}
