//! A run is its seed: lived twice, the same happens in the same order. Without that no failure could be looked at again.

use super::Broken;
use crate::run::Report;

/// Looks at two runs of the same seed.
pub fn check(first: &Report, second: &Report) -> Broken {
    if first.hash == second.hash {
        return Ok(());
    }
    Err(format!("{:016x} and {:016x}", first.hash, second.hash))
}
