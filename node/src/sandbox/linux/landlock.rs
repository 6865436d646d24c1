//! Landlock: which files a process and all that it starts can open, and that it reaches no process outside by signal or by the
//! name of a socket. Works without privilege and cannot be undone. Does not know why a path is granted.

use std::io;
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, LandlockStatus, Ruleset, RulesetAttr, RulesetCreatedAttr, Scope,
    path_beneath_rules,
};

/// The newest version whose rights were looked at; older kernels enforce the part that they know.
const KNOWN: ABI = ABI::V7;

/// What this kernel holds to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Enforced {
    /// Files outside of the granted paths cannot be opened.
    pub(super) files: bool,
    /// No signals to processes outside, and no abstract sockets of them.
    pub(super) scopes: bool,
}

/// Confines the calling thread to these paths and what lies below them; those that are not there are left out. Sets
/// `no_new_privs`.
///
/// # Errors
/// The kernel knows landlock and refuses.
pub(super) fn confine<'a>(
    read: impl IntoIterator<Item = &'a Path>,
    write: impl IntoIterator<Item = &'a Path>,
) -> io::Result<Enforced> {
    let restricted = (|| {
        Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(KNOWN))?
            .scope(Scope::from_all(KNOWN))?
            .create()?
            .add_rules(path_beneath_rules(read, AccessFs::from_read(KNOWN)))?
            // Not the making of devices: nobody here may, and landlock would be the last to say so.
            .add_rules(path_beneath_rules(
                write,
                AccessFs::from_all(KNOWN) & !(AccessFs::MakeChar | AccessFs::MakeBlock),
            ))?
            .restrict_self()
    })();
    let status = restricted.map_err(io::Error::other)?.landlock;
    let LandlockStatus::Available { effective_abi, .. } = status else { return Ok(Enforced::default()) };
    Ok(Enforced { files: effective_abi >= ABI::V1, scopes: effective_abi >= ABI::V6 })
}
