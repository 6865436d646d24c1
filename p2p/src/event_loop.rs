//! The one task that owns the swarm: takes in commands, news from the swarm and from the links, and acts on what is due.
//!
//! The decisions are made by tables without I/O ([`link::Table`], [`Reachability`], [`Bootstrap`], [`Lookups`], [`Listeners`],
//! [`gossip::Waiting`]); the files below feed them and carry out what they say. Frames do not pass through here: links put
//! them into the inbox themselves.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Instant,
};

use futures::StreamExt;
use libp2p::{Multiaddr, PeerId, Stream, Swarm, swarm::ConnectionId};
use tokio::{
    sync::{mpsc, oneshot},
    time::sleep_until,
};

use crate::{
    behaviour::Behaviour,
    client::Shared,
    command::Command,
    config::{Config, Limits},
    discovery::{Lookups, addresses},
    event::Event,
    exchange, gossip,
    inbox::Inbox,
    link::{
        self,
        task::{Ended, Stop},
    },
    listeners::Listeners,
    membership::Membership,
    reachability::{Reachability, Source, bootstrap::Bootstrap},
};

mod commands;
mod connections;
mod dials;
mod discovered;
mod exchanges;
mod gossiping;
mod links;

/// News that waits for room in the inbox. More than this only piles up while the caller does not read at all.
const NEWS_MAX: usize = 4096;
/// Links that end at the same moment; more of them wait a moment.
const ENDED_MAX: usize = 64;

/// What an outgoing connection attempt was for.
enum Dial {
    Peer(PeerId),
    Address(Multiaddr),
}

pub(crate) struct EventLoop {
    swarm: Swarm<Behaviour>,
    membership: Arc<Membership>,
    commands: mpsc::Receiver<Command>,
    shared: Arc<Shared>,
    limits: Limits,
    inbox: Inbox,
    news: VecDeque<Event>,
    links: link::Table<Stream>,
    running: BTreeMap<PeerId, oneshot::Sender<Stop>>,
    ended: mpsc::Receiver<Ended>,
    ended_sender: mpsc::Sender<Ended>,
    reachability: Reachability,
    bootstrap: Bootstrap,
    dials: HashMap<ConnectionId, Dial>,
    lookups: Lookups,
    listeners: Listeners,
    gossip: gossip::Waiting,
    openings: exchange::Openings,
    incoming: mpsc::Sender<(PeerId, Stream)>,
}

/// One thing that happened.
enum Input {
    Swarm(Box<libp2p::swarm::SwarmEvent<crate::behaviour::BehaviourEvent>>),
    Command(Option<Command>),
    Ended(Ended),
    Told,
    Time,
    CallerGone,
}

impl EventLoop {
    #[expect(clippy::too_many_arguments, reason = "called once, by the function that builds all of them")]
    pub(crate) fn new(
        swarm: Swarm<Behaviour>,
        membership: Arc<Membership>,
        listeners: Listeners,
        inbox: Inbox,
        commands: mpsc::Receiver<Command>,
        shared: Arc<Shared>,
        incoming: mpsc::Sender<(PeerId, Stream)>,
        config: &Config,
        now: Instant,
    ) -> Self {
        let me = membership.me();
        let (ended_sender, ended) = mpsc::channel(ENDED_MAX);
        let mut reachability = Reachability::new(me, config.limits.clone());
        for (peer, saved) in &config.known {
            reachability.expect(*peer, now);
            // Loopback is kept here: it was worth remembering, so the peer lives on this host.
            for address in saved.iter().filter_map(|address| addresses::usable(address, true)) {
                reachability.learn(*peer, address, Source::Saved, now);
            }
        }
        let mut bootstrap = Bootstrap::default();
        for address in &config.peers {
            if !bootstrap.add(address, now) {
                tracing::warn!(%address, "too many peer addresses, ignored");
            }
        }
        Self {
            swarm,
            membership,
            commands,
            shared,
            limits: config.limits.clone(),
            inbox,
            news: VecDeque::new(),
            links: link::Table::new(me),
            running: BTreeMap::new(),
            ended,
            ended_sender,
            reachability,
            bootstrap,
            dials: HashMap::new(),
            lookups: Lookups::new(config.limits.lookup_interval),
            listeners,
            gossip: gossip::Waiting::default(),
            openings: exchange::Openings::default(),
            incoming,
        }
    }

    /// Queues news for the caller.
    pub(crate) fn announce(&mut self, news: impl IntoIterator<Item = Event>) {
        for event in news {
            if self.news.len() < NEWS_MAX {
                self.news.push_back(event);
            } else {
                tracing::warn!(?event, "nobody reads the events, dropped");
            }
        }
    }

    pub(crate) async fn run(mut self) {
        loop {
            self.act(Instant::now());
            let input = self.next().await;
            let now = Instant::now();
            match input {
                Input::Swarm(event) => self.on_swarm(*event, now),
                Input::Ended(ended) => self.on_ended(&ended, now),
                Input::Told | Input::Time => {}
                Input::Command(Some(Command::Shutdown(done))) => {
                    self.shut_down().await;
                    // Nobody waits any more: as good as told.
                    let _ = done.send(());
                    return;
                }
                Input::Command(Some(command)) => self.on_command(command, now),
                Input::Command(None) | Input::CallerGone => return self.shut_down().await,
            }
        }
    }

    async fn next(&mut self) -> Input {
        let deadline = self.deadline();
        let Self { swarm, commands, ended, inbox, news, .. } = self;
        let timer = async {
            match deadline {
                Some(deadline) => sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            event = swarm.select_next_some() => Input::Swarm(Box::new(event)),
            Some(ended) = ended.recv() => Input::Ended(ended),
            command = commands.recv() => Input::Command(command),
            slot = inbox.slot(), if !news.is_empty() => match (slot, news.pop_front()) {
                (Ok(slot), Some(event)) => {
                    slot.send(event);
                    Input::Told
                }
                (Ok(_), None) => Input::Told,
                (Err(_), _) => Input::CallerGone,
            },
            () = inbox.closed() => Input::CallerGone,
            () = timer => Input::Time,
        }
    }

    /// Does everything that is due.
    fn act(&mut self, now: Instant) {
        self.listen(now);
        self.dial(now);
        self.look_up(now);
        self.publish(now);
    }

    fn deadline(&self) -> Option<Instant> {
        let dials = if self.may_dial() { [self.reachability.deadline(), self.bootstrap.deadline()] } else { [None; 2] };
        dials
            .into_iter()
            .chain([self.listeners.deadline(), self.lookups.deadline(), self.gossip.deadline()])
            .flatten()
            .min()
    }
}
