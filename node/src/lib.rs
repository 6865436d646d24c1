//! rc-node as a library: everything the binary does, for those who build their own node on it.

pub mod api;
pub mod blobs;
pub mod capabilities;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod driver;
pub mod events;
pub mod executor;
pub mod handlers;
pub mod identity;
pub mod live;
pub mod metrics;
pub mod node;
#[doc(hidden)]
pub mod parsers;
pub mod policy;
pub mod sandbox;
pub mod stats;
pub mod storage;
pub mod telemetry;
pub mod trace;

use std::process::ExitCode;

/// The entry of worker processes, which the node starts as `rc-node __worker KIND`; a program that embeds a node must call it when it
/// is started so, before anything else. They serve their parent over stdin and stdout and end with it. An unknown kind, or one that is not built in, is exit code 2.
pub fn worker_main(kind: &str) -> ExitCode {
    match kind {
        #[cfg(all(unix, feature = "python"))]
        handlers::python::WORKER_KIND => handlers::python::serve_worker(),
        #[cfg(all(unix, feature = "wasm"))]
        handlers::wasm::WORKER_KIND => handlers::wasm::serve_worker(),
        #[cfg(unix)]
        sandbox::SPAWNER_KIND => sandbox::serve_spawner(),
        _ => ExitCode::from(2),
    }
}
