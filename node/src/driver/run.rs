//! The loop: waits for news, gives it to the core one by one, and lets the core come to rest after each.

use super::alarm::Alarm;
use super::disk::Disk;
use super::handle::Handle;
use super::hosts::Hosts;
use super::large::{Large, LargeEvent};
use super::peers::Peers;
use super::request::{Pending, Request};
use super::stop::Stopping;
use super::waiters::Waiters;
use super::watch::{LOOK_EVERY, LOOK_LATEST, Look, Told};
use crate::alerts::Outbox;
use crate::blobs::Blobs;
use crate::clock;
use crate::events::EventLog;
use crate::executor::{Executor, ExecutorEvent};
use crate::live::Live;
use crate::metrics::MetricCounts;
use crate::policy::{Orders, PolicyHandle};
use crate::stats::Counter;
use crate::storage::{self, Writer};
use crate::telemetry::otlp::Exporter;
use crate::trace::TraceIds;
use rc_p2p::{Client, Events, Multiaddr, PeerId, Secret};
use rc_scheduler::{Capacity, CommandId, Epoch, Event, Input, Mono, Output, Scheduler, TaskId};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::{broadcast, mpsc, watch};

/// Requests that wait; then whoever asks waits too.
const REQUESTS_MAX: usize = 1024;
/// News kept for a slow watcher; then it misses the oldest.
const NEWS_MAX: usize = 1024;
/// Inputs taken from one source before the others get a turn.
const TURN_MAX: usize = 64;

/// What a driver is put together from.
pub(crate) struct Parts {
    pub(crate) core: Scheduler,
    pub(crate) name: String,
    pub(crate) secret: Secret,
    pub(crate) client: Client,
    pub(crate) events: Events,
    pub(crate) known: Vec<(PeerId, Vec<Multiaddr>)>,
    pub(crate) hosts: Arc<Hosts>,
    /// Whether there are addresses from a ticket to forget once somebody was met.
    pub(crate) has_seeds: bool,
    pub(crate) writer: Writer,
    /// At most one event per job in the writer's queue waits here.
    pub(crate) disk_events: mpsc::UnboundedReceiver<storage::Event>,
    pub(crate) executor: Executor,
    pub(crate) executor_events: mpsc::Receiver<ExecutorEvent>,
    pub(crate) blobs: Blobs,
    pub(crate) live: Live,
    pub(crate) capacity: Capacity,
    /// Task types that are offered only while nobody else could ask for them.
    pub(crate) alone: BTreeSet<String>,
    pub(crate) capacity_events: mpsc::Receiver<Told>,
    pub(crate) look: Arc<Look>,
    pub(crate) policy: PolicyHandle,
    pub(crate) orders: Orders,
    pub(crate) counter: Counter,
    pub(crate) spans: Option<Exporter>,
    pub(crate) alerts: Option<Outbox>,
    pub(crate) listening: watch::Sender<Vec<Multiaddr>>,
    pub(crate) ports: crate::node::Ports,
    /// What the start found wrong on the disk, in words.
    pub(crate) disk_found: Vec<String>,
}

/// The one that owns the core.
pub(crate) struct Driver {
    pub(super) core: Scheduler,
    pub(super) name: String,
    pub(super) secret: Secret,
    pub(super) client: Client,
    events: Events,
    pub(super) peers: Peers,
    pub(super) has_seeds: bool,
    pub(super) disk: Disk,
    disk_events: mpsc::UnboundedReceiver<storage::Event>,
    pub(super) executor: Executor,
    executor_events: mpsc::Receiver<ExecutorEvent>,
    pub(super) large: Large,
    pub(super) live: Live,
    large_events: mpsc::UnboundedReceiver<LargeEvent>,
    pub(super) capacity: Capacity,
    pub(super) alone: BTreeSet<String>,
    /// Those of them that are offered no more.
    pub(super) withdrawn: BTreeSet<String>,
    capacity_events: mpsc::Receiver<Told>,
    look: Arc<Look>,
    looked: Mono,
    requests: mpsc::Receiver<Request>,
    requests_ended: bool,
    pub(super) pending: BTreeMap<CommandId, Pending>,
    pub(super) next_command: CommandId,
    pub(super) waiters: Waiters,
    /// When the attempts that run here began, milliseconds since 1970.
    pub(super) attempts: HashMap<(TaskId, Epoch), u64>,
    pub(super) news: broadcast::Sender<Event>,
    pub(super) log: EventLog,
    pub(super) counts: MetricCounts,
    pub(super) spans: Option<Exporter>,
    pub(super) alerts: Option<Outbox>,
    pub(super) listening: watch::Sender<Vec<Multiaddr>>,
    pub(super) ports: crate::node::Ports,
    pub(super) disk_found: Vec<String>,
    pub(super) last_accepted: Option<TaskId>,
    pub(super) started: Mono,
    /// Frames and records that made no sense.
    pub(super) bad_messages: u64,
    pub(super) stopping: Option<Stopping>,
    wake: Option<Mono>,
}

impl Driver {
    /// Puts a driver and the way to it together.
    pub(crate) fn new(parts: Parts) -> (Self, Handle) {
        let (requests_in, requests) = mpsc::channel(REQUESTS_MAX);
        let (news, _) = broadcast::channel(NEWS_MAX);
        let (me, life) = (parts.core.view().me(), parts.core.view().incarnation());
        let handle = Handle {
            requests: requests_in,
            news: news.clone(),
            log: EventLog::new(life.boots),
            blobs: parts.blobs.clone(),
            live: parts.live.clone(),
            policy: parts.policy,
            orders: parts.orders,
            traces: Arc::new(TraceIds::new(me, life)),
            counter: parts.counter,
            spans: parts.spans.clone(),
        };
        parts.live.ask(handle.downgrade());
        handle.counter.ask(handle.downgrade());
        let (large, large_events) = Large::new(parts.blobs);
        let driver = Self {
            core: parts.core,
            name: parts.name,
            secret: parts.secret,
            client: parts.client,
            events: parts.events,
            peers: Peers::new(&parts.known, parts.hosts),
            has_seeds: parts.has_seeds,
            disk: Disk::new(parts.writer),
            disk_events: parts.disk_events,
            executor: parts.executor,
            executor_events: parts.executor_events,
            large,
            live: parts.live,
            large_events,
            capacity: parts.capacity,
            alone: parts.alone,
            withdrawn: BTreeSet::new(),
            capacity_events: parts.capacity_events,
            look: parts.look,
            looked: clock::now().mono,
            requests,
            requests_ended: false,
            pending: BTreeMap::new(),
            next_command: 1,
            waiters: Waiters::default(),
            attempts: HashMap::new(),
            news,
            log: handle.events().clone(),
            counts: MetricCounts::default(),
            spans: parts.spans,
            alerts: parts.alerts,
            listening: parts.listening,
            ports: parts.ports,
            disk_found: parts.disk_found,
            last_accepted: None,
            started: clock::now().mono,
            bad_messages: 0,
            stopping: None,
            wake: None,
        };
        (driver, handle)
    }

    /// Runs until it is told to stop, or nobody has a handle any more; then writes everything and says goodbye.
    pub(crate) async fn run(mut self) {
        self.last_accepted = self.core.view().newest_accepted();
        self.drain();
        self.feed(Input::Capacity(Box::new(self.capacity.clone())));
        let mut alarm = Alarm::new();
        while !self.has_stopped() {
            let may_wait = self.core.view().is_streaming() && self.stopping.is_none();
            self.disk.flush(clock::now().mono, may_wait);
            alarm.set(self.next_wake());
            tokio::select! {
                biased;
                Some(event) = self.disk_events.recv() => self.handle_disk(event),
                Some(event) = self.executor_events.recv() => self.handle_executor(event),
                Some(event) = self.large_events.recv() => self.handle_large(event),
                event = self.events.next() => match event {
                    Some(event) => self.handle_network(event),
                    None => self.network_ended(),
                },
                Some(told) = self.capacity_events.recv() => self.handle_capacity(told),
                request = self.requests.recv(), if !self.requests_ended => match request {
                    Some(request) => self.handle_request(request),
                    None => {
                        self.requests_ended = true;
                        self.begin_stop(None);
                    }
                },
                () = alarm.ring() => {}
            }
            self.take_turns();
            let now = clock::now().mono;
            self.disk.retry(now);
            if self.wake.is_some_and(|wake| wake <= now) {
                self.feed(Input::Tick);
            }
            if now.since(self.looked) >= LOOK_EVERY {
                self.looked = now;
                self.look.busy.store(!self.attempts.is_empty(), Ordering::Relaxed);
                self.look.asks_internet.store(self.core.view().asks_internet(), Ordering::Relaxed);
                self.look.bell.notify_one();
            }
        }
        self.disk.flush(clock::now().mono, false);
        self.log.close();
        let Self { client, events, disk, stopping, disk_events, .. } = self;
        drop(disk_events);
        super::stop::close(client, events, disk, stopping).await;
    }

    /// Takes what else has arrived meanwhile: one wake-up serves many inputs.
    fn take_turns(&mut self) {
        for _ in 0..TURN_MAX {
            let Ok(event) = self.disk_events.try_recv() else { break };
            self.handle_disk(event);
        }
        for _ in 0..TURN_MAX {
            let Ok(event) = self.executor_events.try_recv() else { break };
            self.handle_executor(event);
        }
        for _ in 0..TURN_MAX {
            let Some(event) = self.events.try_next() else { break };
            self.handle_network(event);
        }
        for _ in 0..TURN_MAX {
            let Ok(request) = self.requests.try_recv() else { break };
            self.handle_request(request);
        }
    }

    fn next_wake(&self) -> Option<Mono> {
        let stop = self.stopping.as_ref().map(Stopping::deadline);
        [self.wake, self.disk.wake(), stop, Some(self.looked + LOOK_LATEST)].into_iter().flatten().min()
    }

    /// Gives the core an input and carries out all that it wants done.
    pub(super) fn feed(&mut self, input: Input) {
        self.core.handle(clock::now(), input);
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            match self.core.poll() {
                Output::Effect(effect) => self.carry_out(effect),
                Output::Idle { wake } => {
                    self.wake = wake;
                    return;
                }
            }
        }
    }
}
