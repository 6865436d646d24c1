//! Hostile payloads of every task type, given to a whole node that offers all of them. What each comes to is listed in `tests/ATTACKS.md`;
//! after each the node must do honest work as before. Needs Linux with the sandbox and all engines.
#![cfg(all(target_os = "linux", feature = "files", feature = "http", feature = "python", feature = "wasm"))]
#![expect(clippy::unwrap_used, reason = "in a test an unexpected value is a failure")]

mod command;
mod device;
mod files;
mod http;
mod plain;
mod python;
mod script;
mod wasm;
