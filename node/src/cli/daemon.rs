//! A node with its doors: the engine, the unix socket, and the HTTP port. `run` is one of these; a verb without a daemon has one for
//! as long as it needs it.

use super::engine::{self, EngineError};
use super::error::{CliError, Exit};
use crate::api::{App, HttpServer, SocketServer, Token, door_http, door_socket, serve_http, serve_socket};
use crate::config::{Http, Settings, paths};
use crate::driver::Handle;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::watch;

/// How the error begins that another process has the directory.
pub(super) const IN_USE: &str = "a node already runs with";
/// Longest time that a stopping node may take to say goodbye.
const GOODBYE_TIME_MAX: Duration = Duration::from_secs(10);

/// A node that answers.
#[derive(Debug)]
pub(super) struct Daemon {
    pub(super) handle: Handle,
    pub(super) stopped: watch::Receiver<bool>,
    pub(super) http: Option<HttpServer>,
    /// What a person should know about the start.
    pub(super) notices: Vec<String>,
    socket: SocketServer,
}

impl Daemon {
    /// Starts the node of a data directory.
    pub(super) async fn start(settings: &Settings, socket: PathBuf) -> Result<Self, CliError> {
        let dir = settings.data_dir.display().to_string();
        paths::make_private_dir(&settings.data_dir).map_err(|error| {
            let hint = "name another directory with --data-dir";
            CliError::new(Exit::Failed, format!("cannot use {dir}"), error.to_string(), hint)
        })?;
        let handle = engine::start(settings).await.map_err(|error| match error {
            EngineError::InUse(why) => in_use(&dir, why),
            EngineError::Failed(why) => {
                let hint = format!("the node's data is in {dir}");
                CliError::new(Exit::Failed, "the node does not start", why, hint)
            }
        })?;
        let (app, stopped) = App::new(handle.clone());
        let server = serve_socket(&socket, door_socket(app.clone()), stopped.clone());
        let server = match server.await {
            Ok(server) => server,
            Err(error) => {
                handle.shutdown().await;
                let why = format!("{}: {error}", socket.display());
                return Err(in_use(&dir, why));
            }
        };
        let mut daemon = Self { handle, stopped, http: None, notices: Vec::new(), socket: server };
        if let Err(error) = daemon.open_http(settings, app).await {
            daemon.stop().await;
            return Err(error);
        }
        Ok(daemon)
    }

    async fn open_http(&mut self, settings: &Settings, app: App<Handle>) -> Result<(), CliError> {
        let Http::On { address, chosen } = settings.http else {
            return Ok(());
        };
        let failed = |why: String| {
            let hint = "choose another with --http ADDR, or --http off";
            CliError::new(Exit::Failed, "the HTTP port does not open", why, hint)
        };
        let token = Token::load_or_create(&settings.data_dir);
        let token = token.map_err(|error| failed(error.to_string()))?;
        match serve_http(address, door_http(app, token), self.stopped.clone()).await {
            Ok(server) => self.http = Some(server),
            Err(error) if chosen => return Err(failed(format!("{address}: {error}"))),
            // Nobody asked for it, and the command line does not need it.
            Err(error) => self.notices.push(format!("no HTTP port: {address}: {error} (choose one with --http ADDR)")),
        }
        Ok(())
    }

    /// Stops the node: no new requests, then goodbye to the others, then the disk.
    pub(super) async fn stop(self) {
        drop(self.http);
        let goodbye = tokio::time::timeout(GOODBYE_TIME_MAX, self.handle.shutdown());
        if goodbye.await.is_err() {
            tracing::warn!("the node took too long to stop");
        }
        drop(self.socket);
    }
}

fn in_use(dir: &str, why: String) -> CliError {
    CliError::new(
        Exit::Failed,
        format!("{IN_USE} {dir}"),
        why,
        "use that one, stop it, or give this one its own --data-dir",
    )
}
