//! `task types`: which device does what, and what keeps the others from it, as their records tell.

use super::register;
use crate::api::model::{MODULE_KEPT_AS, PeerView};
use crate::cli::args::{TaskArgs, TaskVerb};
use crate::cli::error::{CliError, Exit};
use crate::cli::output::{Cell, Output, Paint, Row, Style};
use crate::cli::session::{Place, Session};
use rc_scheduler::WhyNot;
use serde::Serialize;
use std::collections::BTreeSet;

/// What every device has, unless its owner or its builder took it out.
const BUILT_IN: [&str; 5] = ["echo", "sleep", "system_info", "python_eval", "wasm"];
/// What an owner switches on.
const ON_REQUEST: [&str; 3] = ["command", "file_operation", "http_request"];

/// A device that does not do it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Without {
    device: String,
    why: String,
}

/// A task type.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct TypeRow {
    task_type: String,
    devices: Vec<String>,
    without: Vec<Without>,
}

pub(super) async fn task(place: &Place, args: TaskArgs) -> Result<u8, CliError> {
    let output = match args.verb {
        TaskVerb::Types { output } => output,
        TaskVerb::Register { name, file, function, params } => {
            return register::register(place, name, &file, function, params).await;
        }
        TaskVerb::Unregister { name } => return register::unregister(place, &name).await,
    };
    let mut session = Session::daemon(place).await?;
    let peers: Vec<PeerView> = session.client.get("/v1/peers").await?;
    let mut rows = rows(&peers);
    let modules: BTreeSet<String> =
        register::names(&mut session, MODULE_KEPT_AS).await?.into_iter().map(|(name, _)| name).collect();
    // Who runs modules runs those that have names.
    let wasm = rows.iter().position(|row| row.task_type == "wasm");
    for name in modules {
        let (devices, without) =
            wasm.map_or_else(Default::default, |at| (rows[at].devices.clone(), rows[at].without.clone()));
        rows.push(TypeRow { task_type: name, devices, without });
    }
    Output::stdout(output.output).list(&rows)?;
    Ok(Exit::Ok.code())
}

fn rows(peers: &[PeerView]) -> Vec<TypeRow> {
    let known = BUILT_IN.into_iter().chain(ON_REQUEST).map(str::to_owned);
    let told = peers.iter().flat_map(|peer| peer.task_types.iter().cloned());
    let types: BTreeSet<String> = known.chain(told).collect();
    let row = |task_type: String| {
        let mut row = TypeRow { task_type, devices: Vec::new(), without: Vec::new() };
        for peer in peers {
            match why_not(peer, &row.task_type) {
                None => row.devices.push(peer.name.clone()),
                Some(why) => row.without.push(Without { device: peer.name.clone(), why }),
            }
        }
        row
    };
    types.into_iter().map(row).collect()
}

/// What keeps a device from tasks of a type now; `None` if nothing does.
fn why_not(peer: &PeerView, task_type: &str) -> Option<String> {
    if !peer.task_types.iter().any(|offered| offered == task_type) {
        let on_request =
            if ON_REQUEST.contains(&task_type) { format!(" (--allow {task_type})") } else { String::new() };
        let why = match peer.lacks.get(task_type) {
            _ if peer.platform.is_none() => "nothing is known of it yet".to_owned(),
            Some(why) if why == WhyNot::NotAllowed.word() => format!("{why}{on_request}"),
            Some(why) => why.clone(),
            None if on_request.is_empty() && !BUILT_IN.contains(&task_type) => {
                "not declared there (handlers)".to_owned()
            }
            None => "its version does not say why".to_owned(),
        };
        return Some(why);
    }
    match peer.state.as_str() {
        "dead" | "suspect" => Some("does not answer".to_owned()),
        _ if !peer.blocked.is_empty() => Some(format!("takes no new work: {}", peer.why_blocked())),
        _ => None,
    }
}

impl Row for TypeRow {
    const HEAD: (&'static [&'static str], &'static [&'static str]) = (&["TYPE", "DEVICES", "NOT ON"], &[]);
    fn id(&self) -> String {
        self.task_type.clone()
    }
    fn cells(&self, _: &Style) -> Vec<Cell> {
        let without: Vec<_> =
            self.without.iter().map(|without| format!("{}: {}", without.device, without.why)).collect();
        vec![
            Cell::new(&self.task_type),
            Cell::new(self.devices.join(", ")),
            Cell { text: without.join("; "), paint: Paint::Dim },
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_device_offers_a_type_or_says_why_not() {
        let peer = |name: &str, types: &[&str], state: &str| PeerView {
            name: name.to_owned(),
            task_types: types.iter().map(|text| (*text).to_owned()).collect(),
            platform: Some("linux".to_owned()),
            state: state.to_owned(),
            ..PeerView::default()
        };
        let lacks = [("command".to_owned(), WhyNot::NotAllowed.word().to_owned())].into();
        let paused = PeerView { lacks, blocked: vec!["battery".to_owned()], ..peer("phone", &["echo"], "paused") };
        let peers = [peer("nas", &["echo", "command", "fibonacci"], "idle"), paused, peer("old", &["echo"], "dead")];
        let rows = rows(&peers);
        let row = |name: &str| rows.iter().find(|row| row.task_type == name).unwrap();
        let why = |row: &TypeRow| row.without.iter().map(|without| without.why.clone()).collect::<Vec<_>>();
        assert_eq!(row("echo").devices, ["nas"]);
        assert_eq!(why(row("echo")), ["takes no new work: battery", "does not answer"]);
        assert_eq!(row("command").devices, ["nas"]);
        assert_eq!(why(row("command")), ["not allowed by its owner (--allow command)", "its version does not say why"]);
        assert_eq!(why(row("fibonacci"))[0], "not declared there (handlers)");
        assert_eq!(row("http_request").devices, [""; 0]);
        assert_eq!(rows.len(), 9);
    }
}
