//! A whole node in this process: identity, log, network, executor and scheduler, put together and taken apart again.
//!
//! [`Node::start`] is all that a program needs to take part in a cluster; the daemon is one such program. Knows nothing of HTTP
//! and command lines.

mod boot;
#[cfg(unix)]
mod command;
mod config;
mod error;
mod hooks;
mod ports;
mod streams;
mod types;

pub use config::{INTERNET_PROBE_DEFAULT, NodeConfig, OwnerSays};
pub use error::NodeError;
pub use hooks::Hooks;
pub(crate) use ports::{PORTS_CELL, Ports};

use crate::alerts::{self, Alert, Outbox};
use crate::blobs::Blobs;
use crate::capabilities::Sampler;
use crate::clock;
use crate::driver::{Driver, Handle, Hosts, Internet, Latest, Look, Owner, Parts, Watch, first_look, watch_capacity};
use crate::executor::{Executor, ExecutorLimits};
use crate::identity::{self, device_id};
use crate::live::Live;
use crate::policy::{Keeper, Orders, PolicyHandle, Rules};
use crate::stats::Counter;
use crate::storage::Writer;
use crate::telemetry::otlp::Exporter;
use crate::trace::Trace;
use rc_p2p::{Client, Events, Multiaddr, StartError};
use rc_scheduler::{BlobRef, Config, DeviceId, Role, Span, TaskId};
use std::collections::BTreeSet;
use std::sync::{Arc, RwLock};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Below the data directory.
const BLOBS_DIR: &str = "blobs";
/// Batches that wait for the disk, each one write of the core.
const DISK_QUEUE_MAX: usize = 1024;
/// News of attempts that wait for the driver.
const EXECUTOR_EVENTS_MAX: usize = 1024;
/// How long a start waits to hear where it listens.
const LISTEN_TIME_MAX: Duration = Duration::from_secs(1);

/// A node that runs. Dropping it, and every handle, stops it too, but without waiting for the end.
#[derive(Debug)]
pub struct Node {
    handle: Handle,
    id: DeviceId,
    name: String,
    listening: watch::Receiver<Vec<Multiaddr>>,
}

impl Node {
    /// Starts a node, within a tokio runtime with all its features.
    ///
    /// # Errors
    /// See [`NodeError`]; nothing is left running then.
    pub async fn start(mut config: NodeConfig) -> Result<Self, NodeError> {
        let alerts = poster(&config)?;
        let boot = boot::open(&config.data_dir).await?;
        let mut alone = BTreeSet::new();
        if boot.durable.members.len() <= 1 {
            alone = config.allow_alone.difference(&config.allow).cloned().collect();
            config.allow.append(&mut config.allow_alone);
        }
        let secret = identity::load_or_create_cluster(&config.data_dir)?;
        let keypair = identity::load_or_create(&config.data_dir)?;
        let id = device_id(&keypair.public().to_peer_id());
        crate::telemetry::set_instance_id(&id.to_string());

        let data_dir = config.data_dir.clone();
        let mut sampler = tokio::task::spawn_blocking(move || Sampler::new(&data_dir)).await?;
        #[cfg(unix)]
        let shelter = command::shelter(&config).await?;
        #[cfg(unix)]
        sampler.set_sandbox_level(shelter.as_ref().map_or(0, |shelter| shelter.tier() as u8));
        let latest: Latest = Arc::new(RwLock::new(sampler.capabilities().clone()));
        let hosts: Arc<Hosts> = Arc::default();
        #[cfg(unix)]
        let scripts = shelter.as_ref().map_or_else(Vec::new, |shelter| command::scripts(&config, shelter));
        #[cfg(unix)]
        let command = shelter.map(|shelter| command::handler(&config, shelter));
        #[cfg(unix)]
        let enforces = command.iter().flat_map(|command| command.enforces()).map(str::to_owned).collect();
        #[cfg(not(unix))]
        let (command, scripts, enforces) = (None, Vec::new(), std::collections::BTreeSet::new());
        let types = types::registry(&config, &latest, &hosts, command, scripts)?;
        let owner = Owner {
            name: config.name.clone(),
            role: config.role,
            tags: config.tags.clone(),
            max_concurrent_tasks: config.max_concurrent_tasks,
            task_types: types.registry.task_types().map(str::to_owned).collect(),
            lacks: types::lacks(&types.registry),
            permissions: types.permissions,
            enforces,
        };
        let mut keeper = match &config.policy {
            Some(said) => {
                let base = Rules::new(config.role == Role::Mobile || sampler.capabilities().platform == "android");
                Keeper::open(base, &said.file, &said.flags, &config.data_dir, clock::moment())?
            }
            None => Keeper::off(clock::moment()),
        };
        let capacity = first_look(&mut keeper, &owner, &sampler);

        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| NodeError::Randomness(error.to_string()))?;
        let core_config = Config {
            retention: Span(u64::try_from(config.retention.as_micros()).unwrap_or(u64::MAX)),
            keep_max: config.keep_tasks,
            queue_max: config.queue_max,
            ..Config::default()
        };
        let boot = boot.restore(id, core_config, seed).await?;
        let core = boot.core;

        let mut network = rc_p2p::Config::new(keypair, secret.clone());
        if !config.listen.is_empty() {
            network.listen.clone_from(&config.listen);
        }
        network.peers = config.peers.iter().chain(&boot.seeds).cloned().collect();
        network.known.clone_from(&boot.known);
        network.mdns = config.mdns;
        let ports = Ports::new(network.listen.clone(), boot.ports);
        let (client, events) = start_network(network, &ports).await?;

        let (executor_tell, executor_events) = mpsc::channel(EXECUTOR_EVENTS_MAX);
        let (policy, asks) = PolicyHandle::new();
        let blobs = blobs(&config, &client, boot.blobs).await?;
        let live = Live::new(id, Arc::new(client.clone()));
        let spans = config.otlp.take().map(|to| Exporter::start(to, id, config.name.clone()));
        let (outbox, outgoing) = Outbox::new();
        let counter = Counter::new(id, Arc::new(client.clone()));
        if let Some(incoming) = client.take_incoming() {
            let services = (blobs.clone(), live.clone(), policy.clone(), counter.clone());
            tokio::spawn(streams::serve(incoming, services));
        }
        let payload_bytes_max = usize::try_from(config.blobs.payload_bytes_max).unwrap_or(usize::MAX);
        let limits = ExecutorLimits { payload_bytes_max, ..ExecutorLimits::default() };
        let executor = Executor::with_blobs(types.registry, limits, executor_tell, Some(Arc::new(blobs.clone())));
        let (disk_tell, disk_events) = mpsc::unbounded_channel();
        // An error means that the driver has ended and wants no more news.
        let tell = move |event| drop(disk_tell.send(event));
        let writer = Writer::start(boot.storage, DISK_QUEUE_MAX, tell).map_err(NodeError::Thread)?;
        let (out, capacity_events) = mpsc::channel(1);
        let look: Arc<Look> = Arc::default();
        let internet = Internet::new(config.internet_probe.clone());
        let watch = Watch { sampler, keeper, owner, latest, look: Arc::clone(&look), internet, asks, out };
        tokio::spawn(watch_capacity(watch, capacity.clone()));
        let orders = Orders::new(Arc::new(client.clone()));
        let (listening_tell, mut listening) = watch::channel(Vec::new());
        let (driver, handle) = Driver::new(Parts {
            core,
            name: config.name.clone(),
            secret,
            client,
            events,
            known: boot.known,
            hosts,
            has_seeds: !boot.seeds.is_empty(),
            writer,
            disk_events,
            executor,
            executor_events,
            blobs,
            live,
            capacity,
            alone,
            capacity_events,
            look,
            policy,
            orders,
            counter,
            spans,
            alerts: alerts.is_some().then(|| outbox.clone()),
            listening: listening_tell,
            ports,
            disk_found: boot.disk_found,
        });
        let asked = handle.clone();
        let over = move |alert: Alert| {
            let asked = asked.clone();
            async move { asked.alert_over(alert.name()).await }
        };
        match alerts {
            Some(post) => {
                let asked = handle.clone();
                let trace_id = move |task| {
                    let asked = asked.clone();
                    async move {
                        let spec = asked.task(task).await.ok().and_then(|report| report.spec);
                        Trace::of(task, spec.as_ref()).id.to_string()
                    }
                };
                let told_by = (config.name.clone(), outbox.count());
                tokio::spawn(alerts::serve(post, boot.alerts, outgoing, told_by, trace_id, over));
            }
            // Its owner wants to hear of none any more.
            None => drop(tokio::spawn(async move {
                for alert in boot.alerts {
                    over(alert).await;
                }
            })),
        }
        if let Some(hooks) = config.hooks.take() {
            tokio::spawn(hooks::tell(hooks, handle.clone()));
        }
        tokio::spawn(driver.run());
        // Only to know the addresses; a node whose listeners come up later works all the same.
        let _ = tokio::time::timeout(LISTEN_TIME_MAX, listening.wait_for(|list| !list.is_empty())).await;
        tracing::info!(%id, name = config.name, "started");
        Ok(Self { handle, id, name: config.name, listening })
    }

    /// The way to it.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Who it is.
    #[must_use]
    pub const fn id(&self) -> DeviceId {
        self.id
    }

    /// What the others call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it listens now.
    #[must_use]
    pub fn listening(&self) -> Vec<Multiaddr> {
        self.listening.borrow().clone()
    }

    /// Stops it: no new requests, attempts given up, everything on disk, goodbye to the others. Takes up to some seconds.
    pub async fn stop(self) {
        self.handle.shutdown().await;
    }
}

/// The way to where alerts go, if somebody wants them.
#[cfg(feature = "http")]
fn poster(config: &NodeConfig) -> Result<Option<crate::handlers::http::Poster>, NodeError> {
    let alerts = |why| NodeError::AlertWebhook { why };
    config.alert_webhook.as_deref().map(crate::handlers::http::Poster::new).transpose().map_err(alerts)
}

/// There is none: this program cannot send anything.
#[cfg(not(feature = "http"))]
fn poster(config: &NodeConfig) -> Result<Option<alerts::Nobody>, NodeError> {
    match config.alert_webhook {
        Some(_) => Err(NodeError::AlertWebhook { why: "this program was built without HTTP".to_owned() }),
        None => Ok(None),
    }
}

/// Opens the blobs.
async fn blobs(config: &NodeConfig, client: &Client, named: Vec<(TaskId, BlobRef)>) -> Result<Blobs, NodeError> {
    let dir = config.data_dir.join(BLOBS_DIR);
    let (limits, network) = (config.blobs, Arc::new(client.clone()));
    let runtime = tokio::runtime::Handle::current();
    let opened = tokio::task::spawn_blocking(move || {
        let _within = runtime.enter();
        Blobs::open(&dir, limits, network)
    });
    let blobs = opened.await?.map_err(NodeError::Blobs)?;
    blobs.restore(named);
    Ok(blobs)
}

/// Starts the network on the ports of the last time; if somebody else has taken one of them, on new ones.
async fn start_network(mut config: rc_p2p::Config, ports: &Ports) -> Result<(Client, Events), NodeError> {
    let asked = std::mem::replace(&mut config.listen, ports.remembered());
    if config.listen == asked {
        return Ok(rc_p2p::start(config).await?);
    }
    match rc_p2p::start(config.clone()).await {
        Err(StartError::AddressInUse(address)) => {
            tracing::warn!(%address, "the port of the last time is taken; choosing another");
            config.listen = asked;
            Ok(rc_p2p::start(config).await?)
        }
        started => Ok(started?),
    }
}
