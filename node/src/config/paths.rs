//! Where things are on this device: the data directory, the configuration file, the socket.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The longest path that a unix socket may have on every system we run on, with its closing zero.
const SOCKET_PATH_BYTES_MAX: usize = 100;
const SOCKET_FILE: &str = "node.sock";

/// Reads one variable of the environment.
pub type Env<'a> = &'a dyn Fn(&'static str) -> Option<OsString>;

fn dir(env: Env<'_>, name: &'static str) -> Option<PathBuf> {
    let path = PathBuf::from(env(name)?);
    path.is_absolute().then_some(path)
}

/// `$XDG_DATA_HOME/rc-node`, usually `~/.local/share/rc-node`; `None` without a home directory.
#[must_use]
pub fn data_dir(env: Env<'_>) -> Option<PathBuf> {
    let base = dir(env, "XDG_DATA_HOME").or_else(|| Some(dir(env, "HOME")?.join(".local/share")))?;
    Some(base.join("rc-node"))
}

/// `$XDG_CONFIG_HOME/rc-node/config.toml`, usually `~/.config/rc-node/config.toml`.
#[must_use]
pub fn config_file(env: Env<'_>) -> Option<PathBuf> {
    let base = dir(env, "XDG_CONFIG_HOME").or_else(|| Some(dir(env, "HOME")?.join(".config")))?;
    Some(base.join("rc-node/config.toml"))
}

/// Makes a directory that only its owner may look into, if it is not there yet.
///
/// # Errors
/// It cannot be made, or is no directory.
pub fn make_private_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Where the daemon of a data directory listens. In the directory, if the system takes so long a path; otherwise in a directory for
/// sockets that belongs to this user alone, under a name made from the data directory's.
///
/// # Errors
/// The directory for sockets belongs to somebody else.
pub fn socket(data_dir: &Path, env: Env<'_>) -> io::Result<PathBuf> {
    let whole = std::path::absolute(data_dir)?;
    let direct = whole.join(SOCKET_FILE);
    if direct.as_os_str().len() <= SOCKET_PATH_BYTES_MAX {
        return Ok(direct);
    }
    // Two ways to write one directory must give one name.
    let canonical = fs::canonicalize(&whole).unwrap_or(whole);
    let hash = blake3::hash(canonical.as_os_str().as_bytes()).to_hex();
    let uid = rustix::process::geteuid().as_raw();
    let base = match dir(env, "XDG_RUNTIME_DIR") {
        Some(runtime) if runtime.as_os_str().len() <= SOCKET_PATH_BYTES_MAX - 40 => runtime.join("rc-node"),
        _ => PathBuf::from(format!("/tmp/rc-node-{uid}")),
    };
    make_private_dir(&base)?;
    let meta = fs::symlink_metadata(&base)?;
    if !meta.is_dir() || meta.uid() != uid {
        let why = format!("{} belongs to somebody else", base.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    if meta.mode() & 0o077 != 0 {
        fs::set_permissions(&base, fs::Permissions::from_mode(0o700))?;
    }
    Ok(base.join(format!("{}.sock", &hash[..24])))
}
