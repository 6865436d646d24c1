//! `run`: a node until it is stopped, and what a person wants to see when it starts.

use crate::cli::daemon::Daemon;
use crate::cli::error::{CliError, Exit};
use crate::cli::output::{Format, Output};
use crate::cli::session::{Place, Session, no_runtime};
use crate::config::{Layer, LogFormat, Settings};
use crate::telemetry;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Files that a node wants to have open at most.
const OPEN_FILES: u64 = 16_384;

pub(super) fn run(place: &Place, flags: Layer) -> Result<u8, CliError> {
    let settings = place.settings(flags)?;
    telemetry::init(settings.log_format);
    // One thread carries a message all the way, from the socket through the core and back: with more of them each message wakes a
    // second one, for nothing. Disk, hashing, handlers and workers have threads of their own.
    raise_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|error| no_runtime(&error))?;
    let done = runtime.block_on(serve(place, &settings));
    // A handler that does not return must not keep the process.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    done
}

/// As many files open at once as the system lets this process have, within reason: links, clients and blobs take one each.
fn raise_open_files() {
    let mut files = getrlimit(Resource::Nofile);
    files.current = Some(files.maximum.unwrap_or(OPEN_FILES).min(OPEN_FILES)).max(files.current);
    // With fewer it works for fewer clients.
    let _ = setrlimit(Resource::Nofile, files);
}

async fn serve(place: &Place, settings: &Settings) -> Result<u8, CliError> {
    if Session::daemon(place).await.is_ok() {
        return Err(CliError::new(
            Exit::Failed,
            "a node already runs here",
            format!("it answers at {}", place.socket.display()),
            "use it (`rc-node status`), or give this one its own --data-dir",
        ));
    }
    // Before anything is started, so that no signal finds it half stopped.
    let mut signals = Signals::new()?;
    let mut daemon = Daemon::start(settings, place.socket.clone()).await?;
    match settings.log_format {
        LogFormat::Text => greet(&daemon, settings).await?,
        LogFormat::Json => log_start(&daemon).await,
    }
    for notice in std::mem::take(&mut daemon.notices) {
        tracing::warn!("{notice}");
    }
    tokio::select! {
        () = signals.next() => {}
        _ = daemon.stopped.changed() => {}
    }
    tracing::info!("stopping: telling the others, then the disk");
    tokio::select! {
        () = daemon.stop() => Ok(Exit::Ok.code()),
        () = signals.next() => Ok(Exit::Interrupted.code()),
    }
}

struct Signals([Signal; 3]);

impl Signals {
    fn new() -> Result<Self, CliError> {
        let on = |kind| {
            signal(kind).map_err(|error| CliError::new(Exit::Failed, "cannot listen to signals", error.to_string(), ""))
        };
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let [interrupt, terminate, hangup] = kinds;
        Ok(Self([on(interrupt)?, on(terminate)?, on(hangup)?]))
    }

    async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

async fn log_start(daemon: &Daemon) {
    if let Ok(status) = daemon.handle.status().await {
        let listening = status.listening.join(" ");
        let http = daemon.http.as_ref().map(|http| http.address().to_string());
        tracing::info!(name = status.name, listening, http, "the node is up");
    }
}

async fn greet(daemon: &Daemon, settings: &Settings) -> Result<(), CliError> {
    let mut text = String::new();
    if let Ok(status) = daemon.handle.status().await {
        text.push_str(&format!("rc-node {}: this is {} ({})\n", env!("CARGO_PKG_VERSION"), status.name, status.id));
        for address in &status.listening {
            text.push_str(&format!("  listening  {address}\n"));
        }
    }
    if let Some(http) = &daemon.http {
        let token = settings.data_dir.join(crate::api::TOKEN_FILE);
        let url = format!("http://{}", http.address());
        text.push_str(&format!("  http       {url} (token in {})\n", token.display()));
    }
    text.push_str(&format!("  data       {}\n", settings.data_dir.display()));
    if let Ok(ticket) = daemon.handle.invite().await {
        text.push_str(&format!("add a device, on it:\n  rc-node join {ticket}\n"));
    }
    text.push_str("Ctrl-C stops the node\n");
    Output::stdout(Format::Table).text(&text)
}
