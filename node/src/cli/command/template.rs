//! `template`: flows that the cluster keeps under a name, the way in which it keeps names of modules: as an open task of a type that no
//! device runs, on as many disks as any task. Forgetting one is cancelling that task.

use super::flow;
use super::register::{forget, names};
use crate::api::model::{AcceptedView, TEMPLATE_KEPT_AS, TaskDetail};
use crate::cli::args::{TemplateArgs, TemplateVerb};
use crate::cli::error::{CliError, Exit};
use crate::cli::output::{Cell, Format, Output, Row, Style};
use crate::cli::progress::Progress;
use crate::cli::session::{Place, Session};
use crate::client::path_part;
use crate::flow::hole::{NAME_CHARS_MAX, is_name};
use hyper::Method;
use serde::Serialize;

/// Longest template, bytes of JSON: what travels inside a task.
const TEMPLATE_BYTES_MAX: usize = rc_scheduler::PAYLOAD_BYTES_MAX;

#[derive(Serialize)]
struct TemplateRow {
    name: String,
    task_id: String,
    description: Option<String>,
    tasks: usize,
}

pub(super) async fn template(place: &Place, args: TemplateArgs) -> Result<u8, CliError> {
    match args.verb {
        TemplateVerb::Add { name, file } => add(place, &name, &file).await,
        TemplateVerb::Run { name, set, submitter, handing } => {
            let mut session = Session::daemon(place).await?;
            let task = find(&mut session, &name).await?;
            let flow = definition(&mut session, &task).await?;
            flow::check_template(&name, &flow, &set)?;
            flow::run(&mut session, &flow, &set, submitter, &handing).await
        }
        TemplateVerb::Show { name } => {
            let mut session = Session::daemon(place).await?;
            let task = find(&mut session, &name).await?;
            Output::stdout(Format::Json).json(&definition(&mut session, &task).await?)?;
            Ok(Exit::Ok.code())
        }
        TemplateVerb::Ls { output } => {
            let mut session = Session::daemon(place).await?;
            let mut rows = Vec::new();
            for (name, task_id) in names(&mut session, TEMPLATE_KEPT_AS).await? {
                let flow = definition(&mut session, &task_id).await?;
                let tasks = match &flow["tasks"] {
                    serde_json::Value::Array(tasks) => tasks.len(),
                    tasks => tasks.as_object().map_or(0, serde_json::Map::len),
                };
                let description = flow["description"].as_str().map(str::to_owned);
                rows.push(TemplateRow { name, task_id, description, tasks });
            }
            rows.sort_by(|a, b| a.name.cmp(&b.name));
            Output::stdout(output.output).list(&rows)?;
            Ok(Exit::Ok.code())
        }
        TemplateVerb::Rm { name } => {
            let mut session = Session::daemon(place).await?;
            find(&mut session, &name).await?;
            let mine = names(&mut session, TEMPLATE_KEPT_AS).await?;
            forget(&mut session, mine.into_iter().filter(|(known, _)| *known == name)).await?;
            Ok(Exit::Ok.code())
        }
    }
}

async fn add(place: &Place, name: &str, file: &str) -> Result<u8, CliError> {
    if !is_name(name) {
        let hint = format!("letters, digits, _ and - make one, at most {NAME_CHARS_MAX}");
        return Err(CliError::usage(format!("{name:?} cannot be the name of a template"), hint));
    }
    let flow = flow::read_template(file)?;
    let bytes = flow.to_string().len();
    if bytes > TEMPLATE_BYTES_MAX {
        return Err(flow::not_valid(&format!("it has {bytes} bytes; a template has at most {TEMPLATE_BYTES_MAX}")));
    }
    let mut session = Session::daemon(place).await?;
    let older = names(&mut session, TEMPLATE_KEPT_AS).await?;
    let task = serde_json::json!({ "task_type": TEMPLATE_KEPT_AS, "name": name, "payload": flow });
    let answer = session.client.request(Method::POST, "/v1/tasks", Some(task.to_string().into_bytes())).await?;
    let kept: AcceptedView = answer.json()?;
    forget(&mut session, older.into_iter().filter(|(known, _)| *known == name)).await?;
    Progress::stderr().notice(&format!("{name} is kept by {}", kept.ack_devices.join(", ")));
    Ok(Exit::Ok.code())
}

/// The task that keeps the newest template of that name.
async fn find(session: &mut Session, name: &str) -> Result<String, CliError> {
    let found = names(session, TEMPLATE_KEPT_AS).await?.into_iter().find(|(known, _)| known == name);
    found.map(|(_, task)| task).ok_or_else(|| {
        let hint = "rc-node template ls lists those there are";
        CliError::new(Exit::NotFound, format!("there is no template {name:?}"), String::new(), hint)
    })
}

/// The flow that a template is.
async fn definition(session: &mut Session, task: &str) -> Result<serde_json::Value, CliError> {
    let kept: TaskDetail = session.client.get(&format!("/v1/tasks/{}?live=false", path_part(task))).await?;
    let flow = kept.payload.and_then(|payload| serde_json::from_str(payload.get()).ok());
    flow.ok_or_else(|| {
        CliError::new(Exit::Failed, "the template cannot be read", "it is empty", "add it again: rc-node template add")
    })
}

impl Row for TemplateRow {
    const HEAD: (&'static [&'static str], &'static [&'static str]) = (&["NAME", "TASKS", "DESCRIPTION"], &["KEPT AS"]);
    fn id(&self) -> String {
        self.name.clone()
    }
    fn cells(&self, _: &Style) -> Vec<Cell> {
        vec![
            Cell::new(&self.name),
            Cell::new(self.tasks.to_string()),
            Cell::some(self.description.as_ref()),
            Cell::new(&self.task_id),
        ]
    }
}
