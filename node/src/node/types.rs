//! Which task types a node offers: what it has handlers for and its owner allows, and the permissions that go with them.

use super::config::{ALLOW_DEFAULT, NodeConfig};
use super::error::NodeError;
use crate::driver::{Hosts, Latest};
use crate::handlers::echo::Echo;
use crate::handlers::sleep::Sleep;
use crate::handlers::system_info::SystemInfo;
use crate::handlers::{Permission, Registry, TaskHandler};
use rc_scheduler::WhyNot;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};

/// What is offered.
pub(super) struct Types {
    pub(super) registry: Registry,
    pub(super) permissions: BTreeSet<String>,
}

const PERMISSIONS: [Permission; 4] =
    [Permission::ReadFiles, Permission::WriteFiles, Permission::NetworkAccess, Permission::SystemCommands];

/// What runs programs, if this system can.
#[cfg(unix)]
type Command = crate::handlers::command::Command;
/// What runs programs, if this system can.
#[cfg(not(unix))]
type Command = Echo;

/// The handlers, among them `command`, if there is one, and the owner's scripts.
pub(super) fn registry(
    config: &NodeConfig,
    latest: &Latest,
    hosts: &Arc<Hosts>,
    command: Option<Command>,
    scripts: Vec<Arc<dyn TaskHandler>>,
) -> Result<Types, NodeError> {
    let latest = Arc::clone(latest);
    let name = config.name.clone();
    let source = move || {
        let now = latest.read().unwrap_or_else(PoisonError::into_inner);
        // The owner's name for the device, not the host's.
        let mut value = serde_json::to_value(&*now).unwrap_or_default();
        value["name"] = name.clone().into();
        value
    };
    let mut handlers: Vec<Arc<dyn TaskHandler>> =
        vec![Arc::new(Echo), Arc::new(Sleep), Arc::new(SystemInfo::new(Arc::new(source)))];
    handlers.extend(command.map(|command| Arc::new(command) as Arc<dyn TaskHandler>));
    handlers.extend(processes(config)?);
    handlers.extend(http(config, hosts)?);
    handlers.extend(files(config)?);
    handlers.retain(|handler| config.allow.contains(handler.task_type()));
    handlers.extend(scripts);
    handlers.extend(config.handlers.iter().cloned());
    for word in &config.allow {
        let permission = PERMISSIONS.iter().any(|permission| permission.as_str() == word);
        let offered = handlers.iter().any(|handler| handler.task_type() == word);
        if !permission && !offered && !ALLOW_DEFAULT.contains(&word.as_str()) {
            return Err(NodeError::UnknownType { word: word.clone() });
        }
    }

    let mut registry = Registry::new();
    let granted = PERMISSIONS.iter().map(|permission| permission.as_str()).filter(|word| config.allow.contains(*word));
    let mut permissions: BTreeSet<_> = granted.map(str::to_owned).collect();
    for handler in handlers {
        permissions.extend(handler.permissions().iter().map(|permission| permission.as_str().to_owned()));
        registry.register(handler)?;
    }
    Ok(Types { registry, permissions })
}

/// Of the types that a device can have, those that this one does not run, and why.
pub(super) fn lacks(registry: &Registry) -> BTreeMap<String, WhyNot> {
    let built = |name: &str| match name {
        "python_eval" => cfg!(feature = "python"),
        "wasm" => cfg!(feature = "wasm"),
        "http_request" => cfg!(feature = "http"),
        "file_operation" => cfg!(feature = "files"),
        _ => true,
    };
    let here = |name: &str| cfg!(unix) || !["python_eval", "wasm", "file_operation", "command"].contains(&name);
    let all = ALLOW_DEFAULT.into_iter().chain(["command", "file_operation", "http_request"]);
    all.filter(|name| registry.get(name).is_none())
        .map(|name| {
            let why = match () {
                () if !built(name) => WhyNot::NotBuilt,
                () if !here(name) => WhyNot::NotHere,
                () => WhyNot::NotAllowed,
            };
            (name.to_owned(), why)
        })
        .collect()
}

/// Files of a directory of the node's own, and below the paths that the owner allows.
#[cfg(all(unix, feature = "files"))]
fn files(config: &NodeConfig) -> Result<Option<Arc<dyn TaskHandler>>, NodeError> {
    use crate::handlers::files::FileOperation;
    if !config.allow.contains("file_operation") {
        return Ok(None);
    }
    Ok(Some(Arc::new(FileOperation::new(Arc::new(roots(config)?)))))
}

/// Where tasks find files.
#[cfg(all(unix, feature = "files"))]
fn roots(config: &NodeConfig) -> Result<crate::handlers::files::Roots, NodeError> {
    let home = config.data_dir.join("files");
    crate::identity::make_dir(&home).map_err(|source| NodeError::DataDir { path: home.clone(), source })?;
    let mut roots = crate::handlers::files::Roots::new(&home).map_err(NodeError::Files)?;
    for path in &config.allowed_paths {
        // A disk that is not plugged in must not keep the node from its other work.
        if let Err(error) = roots.allow(path) {
            tracing::warn!(%error, "an allowed path is not there; tasks do not get it until the next start");
        }
    }
    Ok(roots)
}

/// Files of a directory of the node's own, and below the paths that the owner allows.
#[cfg(not(all(unix, feature = "files")))]
fn files(_: &NodeConfig) -> Result<Option<Arc<dyn TaskHandler>>, NodeError> {
    Ok(None)
}

/// Requests to the Internet, and to whatever else the owner allows.
#[cfg(feature = "http")]
fn http(config: &NodeConfig, hosts: &Arc<Hosts>) -> Result<Option<Arc<dyn TaskHandler>>, NodeError> {
    use crate::handlers::http::HttpRequest;
    let allowed = config.http_allow.iter().map(|text| text.parse()).collect::<Result<_, _>>();
    let hosts = Arc::clone(hosts);
    let handler = HttpRequest::new(allowed.map_err(NodeError::HttpAllow)?, Arc::new(move |host| hosts.contains(host)));
    Ok(Some(Arc::new(handler)))
}

/// Requests to the Internet, and to whatever else the owner allows.
#[cfg(not(feature = "http"))]
fn http(_: &NodeConfig, _: &Arc<Hosts>) -> Result<Option<Arc<dyn TaskHandler>>, NodeError> {
    Ok(None)
}

/// The types that run in processes of their own.
#[cfg(all(unix, any(feature = "python", feature = "wasm")))]
fn processes(config: &NodeConfig) -> Result<Vec<Arc<dyn TaskHandler>>, NodeError> {
    use crate::handlers::workers::{PoolLimits, WorkerPool};
    use crate::sandbox::{Launcher, PlainLauncher};
    let wants = |task_type: &str| config.allow.contains(task_type);
    let mut handlers: Vec<Arc<dyn TaskHandler>> = Vec::new();
    if !wants("python_eval") && !wants("wasm") {
        return Ok(handlers);
    }
    let launcher: Arc<dyn Launcher> = Arc::new(PlainLauncher::new().map_err(NodeError::Workers)?);
    let program = match &config.worker_program {
        Some(program) => program.clone(),
        None => WorkerPool::own_executable().map_err(NodeError::Workers)?,
    };
    let pool = |kind, limits: PoolLimits| WorkerPool::new(kind, Arc::clone(&launcher), program.clone(), limits);
    #[cfg(feature = "python")]
    if wants("python_eval") {
        use crate::handlers::python::{PythonEval, WORKER_KIND};
        handlers.push(Arc::new(PythonEval::new(pool(WORKER_KIND, PoolLimits::default()))));
    }
    #[cfg(feature = "wasm")]
    if wants("wasm") {
        use crate::handlers::wasm::{WORKER_KIND, Wasm};
        let wasm = Wasm::new(pool(WORKER_KIND, Wasm::pool_limits()));
        #[cfg(feature = "files")]
        let wasm = if wants("file_operation") || wants(Permission::ReadFiles.as_str()) {
            let roots = roots(config)?;
            wasm.with_files(Arc::new(move |path, bytes_max| roots.read(path, bytes_max)))
        } else {
            wasm
        };
        handlers.push(Arc::new(wasm));
    }
    Ok(handlers)
}

/// The types that run in processes of their own.
#[cfg(not(all(unix, any(feature = "python", feature = "wasm"))))]
fn processes(_: &NodeConfig) -> Result<Vec<Arc<dyn TaskHandler>>, NodeError> {
    Ok(Vec::new())
}
