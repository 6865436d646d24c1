//! Breaking rules: builds the copy that has all mutations in it, and lets it hunt.

use rc_sim::mutation::weave;
use std::process::Command;

/// Weaves, builds, hunts.
pub fn weave_and_hunt(words: &[String]) -> Result<bool, String> {
    let program = weave::build()?;
    let status = Command::new(&program).arg("hunt").args(words).status();
    status.map(|status| status.success()).map_err(|error| format!("{}: {error}", program.display()))
}
