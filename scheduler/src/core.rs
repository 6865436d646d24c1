//! The scheduler itself: takes an input, hands it to the part that knows about it, and collects what is to be done.

use crate::config::Config;
use crate::device::DeviceRecord;
use crate::disk::Disk;
use crate::effect::{Effect, Entry as DiskEntry, Event, Output};
use crate::entry::Entry;
use crate::guardian::{self, Awaits, Guardian};
use crate::handler::{BatchQueries, Gossiped, Queries, Submits};
use crate::holder::{Credits, Holder};
use crate::id::{DeviceId, Incarnation, TaskId, Term};
use crate::input::Input;
use crate::keeper::{Batches, ColdTable, Graves, Loads, Sums};
use crate::member::{Member, Members};
use crate::message::Message;
use crate::rng::Rng;
use crate::session::{Life, Peer, PendingAnswer, Sync};
use crate::time::{Mono, Now, Span};
use crate::timers::{Timer, Timers};
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

/// What was dropped, for the operator.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Inputs that made no sense: of a closed session, of an unknown attempt, of the wrong shape.
    pub dropped: u64,
    /// Facts that do not belong to the id they came under, or are absurd.
    pub refused_facts: u64,
    /// Keys that came with two values.
    pub conflicts: u64,
    /// Records that the disk could not give back.
    pub lost_records: u64,
}

/// The core of one device.
#[derive(Clone, Debug)]
pub struct Scheduler {
    pub(crate) me: DeviceId,
    pub(crate) config: Config,
    pub(crate) now: Now,
    pub(crate) inc: Incarnation,
    pub(crate) rng: Rng,
    pub(crate) timers: Timers,
    pub(crate) members: Members,
    /// When they last changed here; long ago if that was before this start.
    pub(crate) members_changed: Mono,
    pub(crate) tasks: BTreeMap<TaskId, Entry>,
    /// Those that have ended and are on disk only.
    pub(crate) cold: ColdTable,
    pub(crate) graves: Graves,
    /// They have changed; everybody is told when this write is safe.
    pub(crate) graves_out: Option<u64>,
    /// Who has sent something that is buried.
    pub(crate) graves_asked: BTreeSet<DeviceId>,
    /// Who has sent something, or lacks something, of which only a tombstone is left.
    pub(crate) tombs_asked: BTreeMap<DeviceId, BTreeSet<TaskId>>,
    /// Some of `keys` are of tasks that are gone.
    pub(crate) keys_stale: bool,
    pub(crate) batches: Batches,
    pub(crate) loads: Loads,
    pub(crate) sums: Sums,
    /// Records to look at when they have been quiet for a while, and since when they are watched.
    pub(crate) quiet: VecDeque<(Mono, TaskId)>,
    /// Those whose end cannot be told yet.
    pub(crate) open: BTreeSet<TaskId>,
    /// Those of them that ask for a way to the internet.
    pub(crate) online: BTreeSet<TaskId>,
    /// Those to look at before this input is done with.
    pub(crate) dirty: BTreeSet<TaskId>,
    pub(crate) keys: BTreeMap<alloc::string::String, TaskId>,
    pub(crate) peers: BTreeMap<DeviceId, Peer>,
    /// Those of whose outboxes something may be left.
    pub(crate) unsent: BTreeSet<DeviceId>,
    /// Those for whom something is gathered.
    pub(crate) gathering: BTreeSet<DeviceId>,
    /// Those of whose frames some may have to be acknowledged.
    pub(crate) unacked: BTreeSet<DeviceId>,
    pub(crate) devices: BTreeMap<DeviceId, DeviceRecord>,
    pub(crate) own: DeviceRecord,
    pub(crate) gossiped: (Mono, Gossiped),
    /// The highest term known, and whose it is: pairs, so that two devices that pick a term at once need not outbid each other for ever.
    pub(crate) seen_term: (Term, DeviceId),
    /// The highest of those whose owner this device knows nothing else of.
    pub(crate) stranger_term: (Term, DeviceId),
    pub(crate) term: Term,
    pub(crate) sync: Sync,
    pub(crate) answers: Vec<PendingAnswer>,
    pub(crate) disk: Disk,
    pub(crate) guardian: Guardian,
    pub(crate) holder: Holder,
    pub(crate) credits: Credits,
    pub(crate) submits: Submits,
    pub(crate) awaits: Awaits,
    pub(crate) queries: Queries,
    pub(crate) batch_queries: BatchQueries,
    pub(crate) accepted: u64,
    pub(crate) newest_accepted: Option<TaskId>,
    pub(crate) effects: VecDeque<Effect>,
    pub(crate) counters: Counters,
    /// How long this device has run in all its lives, in microseconds and seconds; sleep does not count.
    pub(crate) ran_us: u64,
    pub(crate) ran_s: u32,
    pub(crate) ran_saved_s: u64,
    /// The upper half of the numbers under which this device accepts tasks.
    pub(crate) series: u32,
    planned: Option<Mono>,
}

impl Scheduler {
    /// A core with nothing in it; `restore` fills it.
    pub(crate) fn empty(me: DeviceId, config: Config, seed: [u8; 32], inc: Incarnation, now: Now) -> Self {
        let own = DeviceRecord {
            device: me,
            incarnation: inc,
            latency_us: Some(0),
            protocol: crate::message::PROTOCOL_VERSION,
            ..DeviceRecord::default()
        };
        Self {
            me,
            config,
            now,
            inc,
            rng: Rng::new(seed),
            timers: Timers::default(),
            members: Members::default(),
            members_changed: Mono(0),
            tasks: BTreeMap::new(),
            cold: ColdTable::new(me),
            graves: Graves::default(),
            graves_out: None,
            graves_asked: BTreeSet::new(),
            tombs_asked: BTreeMap::new(),
            keys_stale: false,
            batches: Batches::default(),
            loads: Loads::default(),
            sums: Sums::default(),
            quiet: VecDeque::new(),
            open: BTreeSet::new(),
            online: BTreeSet::new(),
            dirty: BTreeSet::new(),
            keys: BTreeMap::new(),
            peers: BTreeMap::new(),
            unsent: BTreeSet::new(),
            gathering: BTreeSet::new(),
            unacked: BTreeSet::new(),
            devices: BTreeMap::new(),
            gossiped: (Mono(0), Gossiped::default()),
            own,
            seen_term: (0, DeviceId::default()),
            stranger_term: (0, DeviceId::default()),
            term: 0,
            sync: Sync::default(),
            answers: Vec::new(),
            disk: Disk::default(),
            guardian: Guardian::default(),
            holder: Holder::default(),
            credits: Credits::default(),
            submits: Submits::default(),
            awaits: Awaits::default(),
            queries: Queries::default(),
            batch_queries: BatchQueries::default(),
            accepted: 0,
            newest_accepted: None,
            effects: VecDeque::new(),
            counters: Counters::default(),
            ran_us: 0,
            ran_s: 0,
            ran_saved_s: 0,
            series: 0,
            planned: None,
        }
    }

    /// Takes one input. Infallible: what a peer sends and makes no sense is counted and dropped, a bad command is answered.
    /// `poll` must have been drained to `Idle` since the input before.
    pub fn handle(&mut self, now: Now, input: Input) {
        let overslept = self.planned.is_some_and(|planned| now.mono > planned + self.config.isolated);
        let until = self.planned.filter(|_| overslept).unwrap_or(now.mono);
        self.ran_us += until.since(self.now.mono).0;
        self.ran_s = u32::try_from(self.ran_us / 1_000_000).unwrap_or(u32::MAX);
        self.now = Now { mono: self.now.mono.max(now.mono), wall_ms: now.wall_ms };
        if overslept && self.peers.values().any(|peer| peer.inc.is_some()) {
            self.wake();
        }
        while let Some(timer) = self.timers.pop_due(self.now.mono) {
            self.timer_due(timer);
        }
        match input {
            Input::Tick => {}
            Input::PeerUp(device) => self.peer_up(device),
            Input::PeerDown(device) => self.peer_down(device),
            Input::PeerRefused(device) => self.peer_refused(device),
            Input::Message { from, message } => self.handle_message(from, message),
            Input::Device(record) => self.handle_device(None, *record),
            Input::Command { id, command } => self.handle_command(id, command),
            Input::Attempt { task, epoch, event } => self.handle_attempt(task, epoch, event),
            Input::Capacity(capacity) => self.handle_capacity(*capacity),
            Input::GiveUp => self.give_up(),
            Input::Persisted { upto } => self.handle_persisted(upto),
            Input::Loaded { task, facts } => self.handle_loaded(task, facts),
            Input::Storage { healthy } => self.handle_storage(healthy),
        }
        self.finish();
    }

    /// What to do next. Effects may be carried out in any order, except that `Persist` keep their order, and `Send` to one device theirs.
    pub fn poll(&mut self) -> Output {
        if let Some(effect) = self.effects.pop_front() {
            return Output::Effect(effect);
        }
        self.planned = self.timers.next();
        Output::Idle { wake: self.planned }
    }

    /// Draws the conclusions of an input.
    pub(crate) fn finish(&mut self) {
        self.settle_dirty();
        self.place();
        self.start_next();
        self.settle_dirty();
        self.settle_quiet();
        self.bury_surplus();
        self.flush_grants();
        if let Some(effect) = self.disk.flush(self.now.mono) {
            self.effects.push_back(effect);
        }
        self.flush_graves();
        self.pass_on_if_awaited();
        self.flush_outboxes();
        self.flush_acks();
        self.flush_asks();
        self.flush_answers();
        self.flush_submits();
        self.flush_awaits();
        self.flush_loads();
        self.flush_gossip();
    }

    /// Looks at every task that something happened to.
    pub(crate) fn settle_dirty(&mut self) {
        while let Some(task) = self.dirty.pop_first() {
            self.submits.touch(task);
            let Some(entry) = self.tasks.get_mut(&task) else { continue };
            for key in entry.normalise() {
                self.disk.stage(DiskEntry::Forget(task, key));
            }
            self.refresh_home(task);
            self.hold(task);
            // Who is about to have it may be the one that acts.
            self.push(task);
            self.guard(task);
            self.announce(task);
            self.watch_quiet(task);
        }
    }

    fn announce(&mut self, task: TaskId) {
        let Some(entry) = self.tasks.get_mut(&task) else { return };
        if entry.record.resolve().is_reportable() {
            self.open.remove(&task);
            self.online.remove(&task);
            if !core::mem::replace(&mut entry.announced, true) {
                entry.ended = self.ran_s;
                entry.live = None;
                let alert = guardian::alert(self.me, task, &entry.record);
                self.timers.clear(Timer::Task(task));
                self.notify(Event::Settled { task });
                alert.into_iter().for_each(|alert| self.notify(alert));
                self.dependency_ended(task);
            }
        } else {
            if entry.spec.requirements.requires_internet {
                self.online.insert(task);
            }
            // It may have been begun again.
            let again = core::mem::replace(&mut entry.announced, false);
            self.open.insert(task);
            if again {
                self.dependency_reopened(task);
            }
        }
    }

    fn timer_due(&mut self, timer: Timer) {
        match timer {
            Timer::Beat(device) => self.beat_due(device),
            Timer::Silence(device) => self.silence_due(device),
            Timer::Reserve(_) => self.dirty_open(),
            Timer::Digest(device) => self.digest_due(device),
            Timer::Compare(device) => self.end_compare(device),
            Timer::Gather(device) => self.pass_on(device),
            Timer::Sync => self.sync_due(),
            Timer::Task(task) => {
                self.dirty.insert(task);
            }
            Timer::Ack => self.submits.touch_late(self.now.mono),
            Timer::Gossip | Timer::Quiet | Timer::Recall => {}
            Timer::Copies => self.guardian.copies.look_again(),
            Timer::Query => self.query_due(),
            Timer::Place => self.guardian.anew = true,
            Timer::Moving => self.move_waiting(),
            Timer::Bury => self.bury_due(),
            Timer::Await => self.await_due(),
        }
    }

    fn handle_message(&mut self, from: DeviceId, message: Message) {
        match message {
            Message::Hello(hello) if from != self.me => return self.handle_hello(from, hello),
            Message::Members(members) => {
                members.into_iter().for_each(|member| self.learn_member(member));
                return;
            }
            _ => {}
        }
        if !self.peers.get(&from).is_some_and(|peer| peer.session) {
            self.counters.dropped += 1;
            return;
        }
        match message {
            Message::Hello(_) | Message::Members(_) => {}
            Message::Beat(beat) => self.handle_beat(from, beat),
            Message::Facts(facts) => self.handle_facts(from, facts),
            Message::Stored(stored) => self.handle_stored(from, stored),
            Message::Ask(ask) => self.handle_ask(from, ask),
            Message::Answer(answer) => self.handle_answer(from, answer),
            Message::Want(want) => self.handle_want(from, want),
            Message::Grant(grant) => self.handle_grant(from, grant),
            Message::Move(back) => self.handle_move(from, back),
            Message::Digest(digest) => self.handle_digest(from, digest),
            Message::Summary(summary) => self.handle_summary(from, summary),
            Message::Lack(lack) => self.handle_lack(from, lack),
            Message::Strays(strays) => self.handle_strays(from, strays),
            Message::Strayed(strayed) => self.handle_strayed(from, strayed),
            Message::Graves(rows) => self.handle_graves(Some(from), rows),
            Message::Buried(buried) => self.handle_buried(buried),
            Message::Resend(_) => self.resend(from),
            Message::Query(query) => self.handle_query(from, query),
            Message::Reply(reply) => self.handle_query_reply(from, reply),
            Message::BatchReply(reply) => self.handle_batch_reply(from, reply),
            Message::Live(live) => self.handle_live(from, live),
            Message::Await(asked) => self.handle_await(from, asked),
            Message::Awaited(told) => self.handle_awaited(from, told),
            Message::Record(record) => {
                // Of a stranger nothing would be kept: who sends many of them gains nothing.
                if self.members.get(record.device).is_some() {
                    self.hear_of(Some(from), record.device, record.incarnation);
                }
                self.handle_device(Some(from), *record);
            }
        }
    }

    fn handle_storage(&mut self, healthy: bool) {
        if self.disk.healthy != healthy {
            self.disk.healthy = healthy;
            self.able_changed();
        }
    }

    /// The disk works again, or does not: others take over while it does not, so what goes on afterwards is a new life.
    pub(crate) fn able_changed(&mut self) {
        if self.is_able() && self.peers.values().any(|peer| peer.inc.is_some()) {
            self.wake();
        }
        self.dirty_open();
        self.view_changed();
        self.beat_all();
    }

    /// Learns of a member.
    pub(crate) fn learn_member(&mut self, member: Member) {
        let Some(merged) = self.members.merge(member) else { return };
        self.members_changed = self.now.mono;
        self.disk.stage(DiskEntry::Member(merged));
        // Homes depend on it, so nobody should learn of it late.
        let sessions: Vec<_> = self.peers.iter().filter(|(_, peer)| peer.session).map(|(id, _)| *id).collect();
        sessions.into_iter().for_each(|device| self.send(device, Message::Members(Vec::from([merged]))));
        if merged.revoked && merged.device != self.me {
            self.throw_out(merged.device);
        }
        if merged.device != self.me && self.peer_mut(merged.device).life == Life::Unknown {
            self.timers.set_earlier(Timer::Silence(merged.device), self.now.mono + self.config.patience);
        }
        self.dirty_open();
    }

    pub(crate) fn send_members(&mut self, to: DeviceId) {
        let members = self.members.iter().copied().collect();
        self.send(to, Message::Members(members));
    }

    /// What is known of a peer, to be changed.
    pub(crate) fn peer_mut(&mut self, device: DeviceId) -> &mut Peer {
        let (now, first_frame) = (self.now.mono, u64::from(self.inc.boots) << 32 | 1);
        self.peers.entry(device).or_insert_with(|| Peer::new(now, first_frame))
    }

    /// Through whom a device that is not heard here is reached.
    pub(crate) fn relay_to(&self, device: DeviceId) -> Option<DeviceId> {
        match self.peers.get(&device)?.life {
            Life::Vetoed { by, .. } => Some(by),
            _ => None,
        }
    }

    /// This device's disk works: without it nothing may be decided or taken on.
    pub(crate) fn is_able(&self) -> bool {
        self.disk.is_able(self.now.mono, self.config.patience)
    }

    pub(crate) fn dirty_open(&mut self) {
        self.dirty.extend(self.open.iter().copied());
    }

    /// Something changed that may let a waiting task be placed.
    pub(crate) fn view_changed(&mut self) {
        self.guardian.anew = true;
    }

    pub(crate) fn send(&mut self, to: DeviceId, message: Message) {
        self.effects.push_back(Effect::Send { to, message });
    }

    pub(crate) fn notify(&mut self, event: Event) {
        self.effects.push_back(Effect::Notify(event));
    }

    /// How long a command waits for other devices.
    pub(crate) fn query_patience(&self) -> Span {
        self.config.ack_timeout
    }
}
