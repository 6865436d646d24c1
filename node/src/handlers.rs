//! Task types: what a task of each type takes, does and gives back.
//!
//! A handler is given one payload and a [`TaskContext`] and returns one value or one [`TaskError`]. It knows nothing of
//! leases, retries, queues or the network, and not who runs it: time limits, stops and panics are the executor's business.

pub mod ask;
mod blobs;
mod context;
mod error;
mod payload;
mod registry;
#[cfg(unix)]
mod removal;

pub mod echo;
pub mod sleep;
pub mod system_info;

#[cfg(unix)]
pub mod command;
#[cfg(all(unix, feature = "files"))]
pub mod files;
#[cfg(feature = "http")]
pub mod http;
#[cfg(all(unix, feature = "python"))]
pub mod python;
#[cfg(unix)]
pub mod script;
#[cfg(all(unix, feature = "wasm"))]
pub mod wasm;
#[cfg(all(unix, any(feature = "python", feature = "wasm")))]
pub mod workers;

pub use ask::SandboxAsk;
pub use blobs::BlobAccess;
pub use context::{Captured, ResourceUsage, Stream, TaskContext, TaskInfo, TaskLimits, TaskSink};
pub use error::{ErrorClass, TaskError};
pub use payload::Fields;
pub use registry::{Registry, RegistryError};

use async_trait::async_trait;
use serde_json::Value;

/// What the owner of a device must have granted before a task of some type may run there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// `read_files`
    ReadFiles,
    /// `write_files`
    WriteFiles,
    /// `network_access`
    NetworkAccess,
    /// `system_commands`
    SystemCommands,
}

impl Permission {
    /// The wire name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadFiles => "read_files",
            Self::WriteFiles => "write_files",
            Self::NetworkAccess => "network_access",
            Self::SystemCommands => "system_commands",
        }
    }
}

/// One task type. Implement it and put it into a [`Registry`] to add a type to a device.
#[async_trait]
pub trait TaskHandler: Send + Sync {
    /// The name that tasks give as `task_type`.
    fn task_type(&self) -> &str;

    /// What a task of this type needs to be granted, whatever its payload says.
    fn permissions(&self) -> &[Permission] {
        &[]
    }

    /// Whether running a task twice can be noticed outside of its result. Placement is more careful with those.
    fn side_effects(&self) -> bool {
        true
    }

    /// Whether [`execute`](Self::execute) never holds its thread for more than some microseconds between two awaits.
    ///
    /// `false`, the safe answer, gives every task a thread of its own, so that a handler that computes or blocks cannot
    /// hold up the node. `true` saves that thread: thousands of such tasks run per second.
    fn runs_inline(&self) -> bool {
        false
    }

    /// Runs one task. A handler should end soon after [`TaskContext::cancelled`]; one that does not is abandoned.
    ///
    /// # Errors
    /// The class of the error decides whether the task is tried again, see [`ErrorClass::is_retryable`].
    async fn execute(&self, ctx: TaskContext, payload: Value) -> Result<Value, TaskError>;
}

/// Reads JSON as a payload of every type. Only for those who throw bytes at it.
pub(crate) fn hear(bytes: &[u8]) {
    let Ok(payload) = serde_json::from_slice::<Value>(bytes) else { return };
    #[cfg(unix)]
    command::hear(&payload);
    #[cfg(all(unix, feature = "files"))]
    files::hear(&payload);
    #[cfg(feature = "http")]
    http::hear_payload(&payload);
    #[cfg(all(unix, feature = "wasm"))]
    wasm::hear_payload(&payload);
}
