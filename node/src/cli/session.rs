//! How a verb gets to a node: the daemon of the data directory, or, for `submit` and `exec`, a node of its own that answers at the
//! same socket for as long as it is needed.

use super::args::Global;
use super::daemon::{Daemon, IN_USE};
use super::error::{CliError, Exit};
use crate::client::{Client, ClientError};
use crate::config::{self, Http, Layer, Settings, paths};
use std::ffi::OsString;
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// Another verb may be starting or stopping its node at the same moment.
const RETRIES: u32 = 20;
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// Where this invocation's node is, and where its settings come from.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) data_dir: PathBuf,
    pub(super) socket: PathBuf,
    config: Option<PathBuf>,
}

fn env(name: &'static str) -> Option<OsString> {
    std::env::var_os(name)
}

impl Place {
    /// From flags and environment.
    pub(super) fn of(global: &Global) -> Result<Self, CliError> {
        let given = |name| env(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let data_dir = global
            .data_dir
            .clone()
            .or_else(|| given("RC_NODE_DATA_DIR"))
            .or_else(|| paths::data_dir(&env))
            .ok_or_else(|| CliError::usage("there is no home directory", "name a directory with --data-dir"))?;
        let data_dir = std::path::absolute(&data_dir)
            .map_err(|error| CliError::usage(error.to_string(), "name another with --data-dir"))?;
        let socket = paths::socket(&data_dir, &env).map_err(|error| {
            let hint = "set XDG_RUNTIME_DIR, or choose a shorter --data-dir";
            CliError::new(Exit::Failed, "no place for the socket", error.to_string(), hint)
        })?;
        let config = global.config.clone().or_else(|| given("RC_NODE_CONFIG"));
        Ok(Self { data_dir, socket, config })
    }

    /// Flags over environment over file over defaults.
    pub(super) fn settings(&self, flags: Layer) -> Result<Settings, CliError> {
        let bad = |why: String, hint: &str| CliError::new(Exit::Usage, "a setting makes no sense", why, hint);
        let vars = config::read_env(&env).map_err(|error| bad(error.to_string(), "correct or unset the variable"))?;
        let path = self.config.clone().or_else(|| paths::config_file(&env));
        let file = match &path {
            Some(path) => config::read_file(path, self.config.is_some())
                .map_err(|error| bad(error.to_string(), "correct the file; its keys are the flags' names"))?,
            None => Layer::default(),
        };
        let host = rustix::system::uname();
        let host = host.nodename().to_str().ok();
        let host = host.and_then(|name| name.split('.').next()).filter(|name| !name.is_empty());
        // A program that was built for Linux runs below Termux, too.
        let phone = env("ANDROID_ROOT").is_some_and(|root| !root.is_empty());
        let guess = Layer { role: phone.then(|| "mobile".to_owned()), ..Layer::default() };
        let layer = flags.over(vars).over(file).over(guess);
        Settings::resolve(layer, self.data_dir.clone(), host.map(str::to_owned))
            .map_err(|error| bad(error.to_string(), "see `rc-node run --help`"))
    }
}

/// A way to a node, and the node itself if it is this process's.
pub(super) struct Session {
    pub(super) client: Client,
    embedded: Option<Embedded>,
}

struct Embedded {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Session {
    /// To the daemon; an error if there is none.
    pub(super) async fn daemon(place: &Place) -> Result<Self, CliError> {
        let mut client = Client::new(&place.socket);
        client.connect().await?;
        Ok(Self { client, embedded: None })
    }

    /// To the daemon, or to a node of this process.
    pub(super) async fn daemon_or_embedded(place: &Place, needs_command: bool) -> Result<Self, CliError> {
        let mut client = Client::new(&place.socket);
        for attempt in 0.. {
            match client.connect().await {
                Ok(()) => break,
                Err(ClientError::NoDaemon { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            match Embedded::start(place, needs_command).await {
                Ok(embedded) => {
                    return Ok(Self { client, embedded: Some(embedded) });
                }
                // Another process has the directory, and its socket will be there, or the directory free, in a moment.
                Err(error) if attempt < RETRIES && error.what.starts_with(IN_USE) => {
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Self { client, embedded: None })
    }

    /// The node lives in this process and ends with it.
    pub(super) const fn is_embedded(&self) -> bool {
        self.embedded.is_some()
    }

    /// Stops the node, if it is this process's.
    pub(super) fn close(self) {
        drop(self.client);
        if let Some(embedded) = self.embedded {
            // Either end may be gone already.
            let _ = embedded.stop.send(());
            let _ = embedded.thread.join();
        }
    }
}

impl Embedded {
    /// Starts a node in a thread of its own: the verb's runtime has one thread, and a node deserves more.
    async fn start(place: &Place, needs_command: bool) -> Result<Self, CliError> {
        let mut settings = place.settings(Layer::default())?;
        settings.http = Http::Off;
        // Whoever types here wants it done now, on battery or not.
        settings.policy_on = false;
        // Whoever types a command here may run it here; nobody else may, so only while nobody else can ask.
        if needs_command {
            settings.allow_alone.insert("command".to_owned());
        }
        let socket = place.socket.clone();
        let (started, start) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new()
            .name("node".to_owned())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
                let runtime = match runtime {
                    Ok(runtime) => runtime,
                    Err(error) => {
                        let _ = started.send(Err(no_runtime(&error)));
                        return;
                    }
                };
                runtime.block_on(async {
                    match Daemon::start(&settings, socket).await {
                        Ok(mut daemon) => {
                            let _ = started.send(Ok(()));
                            tokio::select! {
                                _ = stopped => {}
                                _ = daemon.stopped.changed() => {}
                            }
                            daemon.stop().await;
                        }
                        Err(error) => {
                            let _ = started.send(Err(error));
                        }
                    }
                });
                runtime.shutdown_timeout(Duration::from_secs(2));
            })
            .map_err(|error| no_runtime(&error))?;
        match start.await {
            Ok(Ok(())) => Ok(Self { stop, thread }),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(CliError::new(
                Exit::Failed,
                "the node does not start",
                "its thread ended",
                "run `rc-node` to see more",
            )),
        }
    }
}

pub(super) fn no_runtime(error: &std::io::Error) -> CliError {
    let hint = "look at the limits on processes and open files (ulimit -a)";
    CliError::new(Exit::Failed, "the system gives no threads", error.to_string(), hint)
}
