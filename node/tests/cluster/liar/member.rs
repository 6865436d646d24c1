//! A member that speaks the protocol and keeps to none of its rules: it has the cluster's ticket, greets, beats, answers questions and
//! stores what it is sent; and then it says whatever a test wants it to.

use super::super::support::PATIENCE;
use rc_node::driver::Handle;
use rc_node::identity::device_id;
use rc_node::node::Node;
use rc_p2p::{Client, Event, Events, PeerId, Ticket};
use rc_scheduler::{
    Answer, Beat, Close, Closed, DeviceId, Epoch, Fact, Facts, Hello, Incarnation, Leased, Message, PROTOCOL_VERSION,
    Released, Stored, Submitted, TaskId, TaskSpec, wire,
};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const INC: Incarnation = Incarnation { boots: 1, wakes: 0 };

#[derive(Default)]
struct Seen {
    lives: BTreeMap<DeviceId, Incarnation>,
    facts: BTreeMap<TaskId, Vec<Fact>>,
}

/// The modified member.
pub(crate) struct Liar {
    pub(crate) id: DeviceId,
    client: Client,
    peers: BTreeMap<DeviceId, PeerId>,
    seen: Arc<Mutex<Seen>>,
    guards: Arc<AtomicBool>,
    frames: AtomicU64,
    leases: AtomicU64,
}

impl Liar {
    /// Joins the cluster of these nodes and is in session with all of them.
    pub(crate) async fn join(nodes: &[&Node]) -> Self {
        let ticket: Ticket = nodes[0].handle().invite().await.unwrap().parse().unwrap();
        let keypair = rc_p2p::identity::generate();
        let mut config = rc_p2p::Config::new(keypair, ticket.secret().clone());
        config.listen = vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()];
        config.peers = nodes.iter().flat_map(|node| node.listening()).collect();
        config.mdns = false;
        let (client, events) = rc_p2p::start(config).await.unwrap();
        let (id, seen, guards) = (device_id(&client.me()), Arc::default(), Arc::new(AtomicBool::new(true)));
        tokio::spawn(listen(client.clone(), events, Arc::clone(&seen), Arc::clone(&guards)));
        let (frames, leases) = (AtomicU64::new(1 << 32), AtomicU64::new(0));
        let mut liar = Self { id, client, peers: BTreeMap::new(), seen, guards, frames, leases };
        for node in nodes {
            super::super::support::until(&node.handle(), "the liar is a member", |peers| {
                peers.iter().any(|peer| peer.id == id && peer.state != "suspect" && peer.state != "dead")
            })
            .await;
        }
        let all = || liar.client.linked().len() == nodes.len() && liar.seen.lock().unwrap().lives.len() == nodes.len();
        eventually("it is linked with everybody", || all().then_some(())).await;
        liar.peers = liar.client.linked().into_iter().map(|peer| (device_id(&peer), peer)).collect();
        liar
    }

    /// From now on it is no guardian any more: others look after the tasks that it accepted.
    pub(crate) fn resign(&self) {
        self.guards.store(false, Ordering::Relaxed);
    }

    pub(crate) fn life_of(&self, device: DeviceId) -> Incarnation {
        self.seen.lock().unwrap().lives[&device]
    }

    /// A task that it pretends to have accepted.
    pub(crate) fn submitted(&self, spec: &TaskSpec, payload: &[u8]) -> (TaskId, Fact) {
        let (spec, nonce) = (wire::encode_spec(spec), self.leases.load(Ordering::Relaxed) + 77);
        let mut hasher = blake3::Hasher::new();
        for part in [&b"task"[..], &spec, payload, &self.id.0, &nonce.to_le_bytes()] {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        let wall_ms = 1_700_000_000_000;
        let task = TaskId::new(wall_ms, hasher.finalize().as_bytes());
        let payload = payload.into();
        (task, Fact::Submitted(Submitted { by: self.id, by_inc: INC, number: nonce, nonce, wall_ms, spec, payload }))
    }

    /// A lease of its own making, in the name of `by`.
    pub(crate) fn lease(&self, to: DeviceId, by: DeviceId) -> Fact {
        let n = u32::try_from(self.leases.fetch_add(1, Ordering::Relaxed)).unwrap();
        let by_inc = if by == self.id { INC } else { self.life_of(by) };
        let (epoch, to_inc) = (Epoch::new(9, n, 1), self.life_of(to));
        Fact::Leased(Leased { epoch, to, to_inc, by, by_inc, attempt: 1, losses: 0, score_ppm: 1, beside: None })
    }

    /// Sends a task with a lease of it, as if it were the guardian.
    pub(crate) fn leases_to(&self, to: DeviceId, by: DeviceId, spec: &TaskSpec, payload: &[u8]) -> TaskId {
        let (task, submitted) = self.submitted(spec, payload);
        self.says_facts(to, vec![(task, submitted), (task, self.lease(to, by))]);
        task
    }

    pub(crate) fn says_facts(&self, to: DeviceId, facts: Vec<(TaskId, Fact)>) {
        let frame = self.frames.fetch_add(1, Ordering::Relaxed) + 1;
        self.says(to, &Message::Facts(Facts { frame, first: frame, facts }));
    }

    pub(crate) fn says(&self, to: DeviceId, message: &Message) {
        self.says_bytes(to, wire::encode(message)).expect("the frame is queued");
    }

    pub(crate) fn says_bytes(&self, to: DeviceId, bytes: Vec<u8>) -> Result<(), rc_p2p::SendError> {
        self.client.send(self.peers[&to], bytes)
    }

    pub(crate) fn gossips(&self, bytes: Vec<u8>) {
        self.client.gossip(bytes).expect("the message is queued");
    }

    /// How a device let go of what it was leased.
    pub(crate) async fn refusal(&self, task: TaskId, by: DeviceId) -> Released {
        let find = || {
            self.seen.lock().unwrap().facts.get(&task)?.iter().find_map(|fact| match fact {
                Fact::Closed(Closed { by: holder, close: Close::Released(why), .. }) if *holder == by => Some(*why),
                Fact::Closed(Closed { by: holder, close: Close::Finished(outcome), .. }) if *holder == by => {
                    panic!("it ran: {outcome:?}")
                }
                _ => None,
            })
        };
        eventually("it is refused", find).await
    }

    pub(crate) async fn leave(self) {
        self.client.shutdown().await;
    }
}

/// Keeps the sessions up.
async fn listen(client: Client, mut events: Events, seen: Arc<Mutex<Seen>>, guards: Arc<AtomicBool>) {
    let me = device_id(&client.me());
    let hello = |known, reply| {
        Message::Hello(Hello {
            incarnation: INC,
            protocol: PROTOCOL_VERSION,
            members_hash: 0,
            given_up: None,
            known,
            reply,
        })
    };
    let mut beats = 0;
    while let Some(event) = events.next().await {
        let (from, message) = match event {
            Event::Up { peer, .. } => {
                let _ = client.send(peer, wire::encode(&hello(None, true)));
                continue;
            }
            Event::Frame { from, bytes } => match wire::decode(&bytes) {
                Ok(message) => (from, message),
                Err(_) => continue,
            },
            _ => continue,
        };
        let answer = match message {
            Message::Hello(theirs) => {
                seen.lock().unwrap().lives.insert(device_id(&from), theirs.incarnation);
                theirs.reply.then(|| hello(Some(theirs.incarnation), false))
            }
            Message::Beat(theirs) if !theirs.reply => {
                beats += 1;
                Some(Message::Beat(Beat {
                    incarnation: INC,
                    number: beats,
                    echo: theirs.number,
                    reply: true,
                    guard: guards.load(Ordering::Relaxed),
                    take: false,
                    synced: true,
                    held: 0,
                    held_hash: 0,
                }))
            }
            Message::Facts(frame) => {
                let mut seen = seen.lock().unwrap();
                for (task, fact) in frame.facts {
                    seen.facts.entry(task).or_default().push(fact);
                }
                Some(Message::Stored(Stored { upto: frame.frame }))
            }
            Message::Ask(ask) => Some(Message::Answer(Answer { round: ask.round, heard: Vec::new(), term: (0, me) })),
            _ => None,
        };
        if let Some(answer) = answer {
            let _ = client.send(from, wire::encode(&answer));
        }
    }
}

/// Waits until there is something.
pub(crate) async fn eventually<T>(what: &str, mut find: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until a device tells this of a task's history.
pub(crate) async fn told(handle: &Handle, task: TaskId, by: DeviceId, text: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let rows = handle.history(task).await.unwrap_or_default();
        if rows.iter().any(|row| row.by == Some(by) && row.text == text) {
            return;
        }
        assert!(Instant::now() < deadline, "never told: {text}; {rows:#?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
