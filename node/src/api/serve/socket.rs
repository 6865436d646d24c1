//! The unix socket: only the user who runs the node gets in, by its mode and by asking the kernel who is there.

use super::connection::{ACCEPT_PAUSE, Connections};
use axum::Router;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Most connections, however many files may be open.
const CONNECTIONS_MAX: usize = 4_096;

/// A running server; the socket goes away with it.
#[derive(Debug)]
pub struct SocketServer {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl SocketServer {
    /// Where it listens.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketServer {
    fn drop(&mut self) {
        self.task.abort();
        // Whoever finds it gone finds it as good as refused.
        let _ = fs::remove_file(&self.path);
    }
}

/// Listens on `path`; what a dead node left there is removed. Call it only while holding the data directory's lock.
///
/// # Errors
/// Somebody answers there, something else than a socket is there, or the system refuses.
pub async fn serve_socket(path: &Path, routes: Router, stopped: watch::Receiver<bool>) -> io::Result<SocketServer> {
    clear(path).await?;
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    let connections = Connections::new(routes, stopped, connections_max());
    let task = tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) if is_ours(&stream) => {
                    let Some(visit) = connections.enter().await else { return };
                    tokio::spawn(connections.clone().serve(stream, visit));
                }
                Ok(_) => tracing::warn!("another user tried to use the node's socket"),
                Err(error) => {
                    tracing::warn!(%error, "the node's socket does not accept");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    });
    Ok(SocketServer { path: path.to_owned(), task })
}

/// Connections at once: half of what files this process may have open, for whoever comes in here is its own user.
fn connections_max() -> usize {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    usize::try_from(files.unwrap_or(u64::MAX) / 2).unwrap_or(usize::MAX).clamp(64, CONNECTIONS_MAX)
}

/// The mode of the socket is set after it exists; this closes the moment between, and odd file systems.
fn is_ours(stream: &UnixStream) -> bool {
    let me = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == me || peer.uid() == 0)
}

async fn clear(path: &Path) -> io::Result<()> {
    let meta = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !meta.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something that is no socket is in its place"));
    }
    match UnixStream::connect(path).await {
        Ok(_) => Err(io::Error::new(io::ErrorKind::AddrInUse, "another node listens there")),
        Err(_) => fs::remove_file(path),
    }
}
