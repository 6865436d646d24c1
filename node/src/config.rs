//! What a node is told before it starts: flags, environment, file and defaults, put together and checked once. Starts nothing.

mod file;
mod layer;
mod limits;
pub mod paths;
mod settings;
pub mod units;

#[cfg(test)]
mod tests;

pub use file::{FileError, read_file};
pub use layer::{EnvError, HandlerLayer, Layer, read_env};
pub use settings::{Http, LogFormat, Settings, SettingsError};
