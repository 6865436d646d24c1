//! Which task types a node offers: what it has handlers for and its owner allows, and the permissions that go with them.

use super::config::{ALLOW_DEFAULT, NodeConfig};
use super::error::NodeError;
use crate::driver::Latest;
use crate::handlers::echo::Echo;
use crate::handlers::sleep::Sleep;
use crate::handlers::system_info::SystemInfo;
use crate::handlers::{Permission, Registry, TaskHandler};
use std::collections::BTreeSet;
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

/// The handlers, `command` among them if there is one.
pub(super) fn registry(config: &NodeConfig, latest: &Latest, command: Option<Command>) -> Result<Types, NodeError> {
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
    handlers.retain(|handler| config.allow.contains(handler.task_type()));
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

/// The types that run in processes of their own.
#[cfg(unix)]
fn processes(config: &NodeConfig) -> Result<Vec<Arc<dyn TaskHandler>>, NodeError> {
    use crate::sandbox::{Launcher, PlainLauncher};
    let wants = |task_type: &str| config.allow.contains(task_type);
    let mut handlers: Vec<Arc<dyn TaskHandler>> = Vec::new();
    if !wants("python_eval") {
        return Ok(handlers);
    }
    let launcher: Arc<dyn Launcher> = Arc::new(PlainLauncher::new().map_err(NodeError::Workers)?);
    #[cfg(feature = "python")]
    if wants("python_eval") {
        use crate::handlers::python::{PoolLimits, PythonEval, PythonPool};
        let program = match &config.worker_program {
            Some(program) => program.clone(),
            None => PythonPool::own_executable().map_err(NodeError::Workers)?,
        };
        handlers.push(Arc::new(PythonEval::new(PythonPool::new(launcher, program, PoolLimits::default()))));
    }
    Ok(handlers)
}

/// The types that run in processes of their own.
#[cfg(not(unix))]
fn processes(_: &NodeConfig) -> Result<Vec<Arc<dyn TaskHandler>>, NodeError> {
    Ok(Vec::new())
}
