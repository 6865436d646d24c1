//! Names for WebAssembly modules, kept by the cluster: a name is an open task of a type that no device runs, so that it is on as many
//! disks as any task, outlives the device it was given at, and keeps the module's blob as long as it is there. Forgetting a name is
//! cancelling that task. Whichever device takes a task of such a type turns it into one of the type `wasm` (`api/registered.rs`).

use super::blob;
use crate::api::model::{BUILT_IN_TYPES, MODULE_KEPT_AS, PeerView, Registered, TaskView};
use crate::cli::error::{CliError, Exit};
use crate::cli::progress::Progress;
use crate::cli::session::{Place, Session};
use crate::client::path_part;
use hyper::Method;
use std::path::Path;

/// Longest name, as of any task type.
const NAME_BYTES_MAX: usize = 64;

/// The names that tasks of a type keep, each with the task that keeps it; the newest of one name first.
pub(super) async fn names(session: &mut Session, kept_as: &str) -> Result<Vec<(String, String)>, CliError> {
    let open: Vec<TaskView> = session.client.get(&format!("/v1/tasks?open_of={kept_as}&limit=1000")).await?;
    let mut names: Vec<_> = open
        .into_iter()
        .filter(|task| task.status == "pending" || task.status == "queued")
        .filter_map(|task| Some((task.name?, task.task_id)))
        .collect();
    names.sort_by(|a, b| b.1.cmp(&a.1));
    Ok(names)
}

pub(super) async fn register(
    place: &Place,
    name: String,
    file: &Path,
    function: Option<String>,
    params: Vec<String>,
) -> Result<u8, CliError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "_-.:".contains(c);
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(legal) {
        let hint = "letters, digits and _ - . : make one";
        return Err(CliError::usage(format!("{name:?} cannot be the name of a task type"), hint));
    }
    let mut session = Session::daemon(place).await?;
    let peers: Vec<PeerView> = session.client.get("/v1/peers").await?;
    let taken = |peer: &PeerView| peer.task_types.contains(&name);
    if BUILT_IN_TYPES.contains(&name.as_str()) || name == MODULE_KEPT_AS || peers.iter().any(taken) {
        return Err(CliError::usage(format!("there is a task type {name:?} already"), "choose another name"));
    }
    let mut begin = [0; 4];
    let read = std::fs::File::open(file).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut begin));
    if read.is_err() || begin != *b"\0asm" {
        let hint = "compile it first, e.g. cargo build --target wasm32-wasip1, or wat2wasm FILE";
        return Err(CliError::usage(format!("{} is no WebAssembly module", file.display()), hint));
    }
    let module = blob::put(place, file).await?.blob.to_string();
    let older = names(&mut session, MODULE_KEPT_AS).await?;
    let task = serde_json::json!({
        "task_type": MODULE_KEPT_AS,
        "name": name,
        "blobs": [module],
        "metadata": Registered { module: module.clone(), function, params },
    });
    let answer = session.client.request(Method::POST, "/v1/tasks", Some(task.to_string().into_bytes())).await?;
    let kept: crate::api::model::AcceptedView = answer.json()?;
    forget(&mut session, older.into_iter().filter(|(known, _)| *known == name)).await?;
    let mut progress = Progress::stderr();
    progress.notice(&format!("{name} is module {module}, kept by {}", kept.ack_devices.join(", ")));
    Ok(Exit::Ok.code())
}

pub(super) async fn unregister(place: &Place, name: &str) -> Result<u8, CliError> {
    let mut session = Session::daemon(place).await?;
    let all = names(&mut session, MODULE_KEPT_AS).await?;
    let mine: Vec<_> = all.into_iter().filter(|(known, _)| known == name).collect();
    if mine.is_empty() {
        let hint = "rc-node task types lists those there are";
        return Err(CliError::new(Exit::NotFound, format!("no module is registered as {name:?}"), String::new(), hint));
    }
    forget(&mut session, mine.into_iter()).await?;
    Ok(Exit::Ok.code())
}

pub(super) async fn forget(
    session: &mut Session,
    names: impl Iterator<Item = (String, String)>,
) -> Result<(), CliError> {
    for (_, task) in names {
        session.client.request(Method::DELETE, &format!("/v1/tasks/{}", path_part(&task)), None).await?;
    }
    Ok(())
}
