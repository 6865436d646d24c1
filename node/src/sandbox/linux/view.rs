//! What a program sees of the device: the system's programs and libraries, little of its settings, a few devices that are no
//! hardware, and its own work directory. Nothing of anybody's home.

use std::fs;
use std::path::{Path, PathBuf};

/// Programs and libraries, in the places that distributions put them. To read and to run.
pub(super) const SYSTEM: [&str; 11] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/opt",
    "/nix/store",
    "/run/current-system",
    "/gnu/store",
];

/// Devices to read and to write.
pub(super) const DEVICES: [&str; 5] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// Below `/etc`: what programs need to find their libraries and each other.
const ETC: [&str; 3] = ["ld.so.cache", "alternatives", "localtime"];
/// Below `/etc`: what programs need to find and trust others.
const ETC_NETWORK: [&str; 8] =
    ["resolv.conf", "hosts", "nsswitch.conf", "host.conf", "services", "ssl", "pki", "ca-certificates"];
/// Below `/etc`, the names of accounts, where a program has no file system of its own to be shown others in.
const ETC_ACCOUNTS: [&str; 2] = ["passwd", "group"];

/// What there is below `/etc` for a program without a file system of its own.
pub(super) fn etc(network: bool) -> impl Iterator<Item = &'static str> {
    etc_own(network).chain(ETC_ACCOUNTS)
}

/// A part of the device that programs see in its place.
#[derive(Debug)]
pub(super) enum Piece {
    /// A link to somewhere in another piece.
    Link(PathBuf),
    /// What is really there.
    Real { path: PathBuf, is_dir: bool },
}

/// What of all that is there on this device, and what it is. Looked up once: it costs as much as all the mounts of a program.
pub(super) fn look_around(network: bool) -> Vec<(PathBuf, Piece)> {
    let etc = etc_own(network).map(|name| Path::new("/etc").join(name));
    let all = SYSTEM.iter().map(PathBuf::from).chain(etc);
    all.filter_map(|path| {
        let (seen, real) = (fs::symlink_metadata(&path).ok()?, fs::canonicalize(&path).ok()?);
        let shown = SYSTEM.iter().any(|shown| real.starts_with(shown));
        let piece = if seen.is_symlink() && shown {
            Piece::Link(fs::read_link(&path).ok()?)
        } else {
            let is_dir = real.is_dir();
            Piece::Real { path: real, is_dir }
        };
        Some((path, piece))
    })
    .collect()
}

/// What there is below `/etc`, besides accounts.
fn etc_own(network: bool) -> impl Iterator<Item = &'static str> {
    let more = if network { &ETC_NETWORK[..] } else { &[] };
    ETC.iter().chain(more).copied()
}
