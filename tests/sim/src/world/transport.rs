//! Links as the transport gives them to the driver: ordered, without loss while they are up, closed without notice to the other
//! side when nothing gets through.

use super::World;
use super::event::Event;
use crate::clock::{MS, Micros, SECOND};
use crate::digest;
use rc_scheduler::{Input, Message, wire};

/// More hellos on one way in one second are a loop.
const HELLOS_A_SECOND: u32 = 60;

impl World {
    pub(crate) fn send(&mut self, from: usize, to: usize, message: Message) {
        let Some(link) = self.net.conn(from, to) else {
            return;
        };
        self.stats.frames += 1;
        self.count_hello(from, to, &message);
        let Some(message) = self.over_the_wire(from, message) else { return };
        if self.dice.net.chance(self.weather.frame_loss) {
            self.trace.line(self.now, || format!("d{from}     lost on the way to d{to}"));
            return;
        }
        if self.dice.net.chance(self.weather.frame_loss / 4) {
            self.travel(from, to, Event::Frame { from, to, link, message: Box::new(message.clone()) });
        }
        self.travel(from, to, Event::Frame { from, to, link, message: Box::new(message) });
    }

    /// Two devices that cannot agree on who they are must not say so as fast as the link allows.
    fn count_hello(&mut self, from: usize, to: usize, message: &Message) {
        if !matches!(message, Message::Hello(_)) {
            return;
        }
        let second = self.now / SECOND;
        let count = self.hellos.entry((from, to)).or_insert((second, 0));
        *count = if count.0 == second { (second, count.1 + 1) } else { (second, 1) };
        if count.1 > HELLOS_A_SECOND {
            self.fail("hellos_come_to_an_end", format!("d{from} says hello to d{to} without end"));
        }
    }

    /// The message as it is read on the other side, and its bytes counted.
    fn over_the_wire(&mut self, from: usize, message: Message) -> Option<Message> {
        if !self.wire {
            self.stats.bytes += digest::message_bytes(&message) as u64;
            return Some(message);
        }
        let mut message = message;
        if let (Message::Hello(hello), true) = (&mut message, self.newer[from]) {
            hello.protocol += 1;
        }
        let bytes = wire::encode(&message);
        self.stats.bytes += bytes.len() as u64;
        match wire::decode(&bytes) {
            Ok(read) if read == message => Some(read),
            other => {
                self.fail("messages_survive_the_wire", format!("d{from} sent {message:?} and it is read as {other:?}"));
                None
            }
        }
    }

    /// Sends something over a path, in order.
    pub(crate) fn travel(&mut self, from: usize, to: usize, event: Event) {
        let usual = self.dice.net.skewed(150, 4 * MS);
        let now = self.now;
        let path = self.net.path(from, to);
        if path.cuts > 0 {
            path.stuck.push(event);
            return;
        }
        let extra = if path.slow > 0 { self.dice.net.between(0, path.slow) } else { 0 };
        path.last_arrival = path.last_arrival.max(now + usual + extra) + 1;
        self.queue.push(path.last_arrival, event);
    }

    pub(crate) fn frame_arrives(&mut self, from: usize, to: usize, link: u64, message: Box<Message>) {
        if !self.net.is_open(from, to) {
            let event = Event::Frame { from, to, link, message };
            self.net.path(from, to).stuck.push(event);
            return;
        }
        let current = self.net.conn(to, from);
        let stale = self.weather.stale_frames && current.is_some_and(|current| link < current);
        if current == Some(link) || stale {
            let from = self.devices[from].id;
            self.feed(to, Input::Message { from, message: *message });
        }
    }

    pub(crate) fn fin_arrives(&mut self, from: usize, to: usize, link: u64) {
        if !self.net.is_open(from, to) {
            self.net.path(from, to).stuck.push(Event::Fin { from, to, link });
            return;
        }
        self.link_down(to, from, link);
    }

    pub(crate) fn link_up(&mut self, device: usize, peer: usize, link: u64) {
        if self.devices[device].core.is_none() || self.net.conn(device, peer).is_some_and(|current| current >= link) {
            return;
        }
        // Two hosts with one key are one peer, and the newest link to it counts.
        if let Some((twin, old)) = self.twin(peer).and_then(|twin| Some((twin, self.net.conn(device, twin)?))) {
            self.link_down(device, twin, old);
            self.travel(device, twin, Event::Fin { from: device, to: twin, link: old });
        }
        let id = self.devices[peer].id;
        if self.net.conn(device, peer).is_some() && !self.weather.no_down {
            self.feed(device, Input::PeerDown(id));
        }
        self.net.set_conn(device, peer, Some(link));
        *self.net.refused(device, peer) = false;
        self.touch(device);
        self.feed(device, Input::PeerUp(id));
    }

    /// A link ends for one side.
    pub(crate) fn link_down(&mut self, device: usize, peer: usize, link: u64) {
        if self.net.conn(device, peer) != Some(link) {
            return;
        }
        self.net.set_conn(device, peer, None);
        self.touch(device);
        if self.devices[device].core.is_some() {
            if !self.weather.no_down {
                let id = self.devices[peer].id;
                self.feed(device, Input::PeerDown(id));
            }
            self.redial(device, peer);
        }
    }

    pub(crate) fn link_refused(&mut self, device: usize, peer: usize) {
        if self.net.conn(device, peer).is_none() && self.devices[device].core.is_some() {
            let id = self.devices[peer].id;
            self.feed(device, Input::PeerRefused(id));
        }
    }

    /// The core does not hear the peer any more: what there is of a link is closed, and dialled again.
    pub(crate) fn give_up(&mut self, device: usize, peer: usize) {
        match self.net.conn(device, peer) {
            Some(link) => {
                self.queue.push(self.now + MS, Event::Down { device, peer, link });
                self.travel(device, peer, Event::Fin { from: device, to: peer, link });
            }
            None => self.redial(device, peer),
        }
    }

    pub(crate) fn redial(&mut self, a: usize, b: usize) {
        if a != b && self.twin(a) != Some(b) && !std::mem::replace(self.net.dialing(a, b), true) {
            let wait = self.dice.net.between(5 * MS, 100 * MS);
            self.queue.push(self.now + wait, Event::Dial { a, b });
        }
    }

    pub(crate) fn dial(&mut self, a: usize, b: usize) {
        *self.net.dialing(a, b) = false;
        if !self.devices[a].joined || !self.devices[b].joined {
            return;
        }
        let newest = self.net.newest(a, b);
        let linked = |device, peer| self.net.conn(device, peer) == Some(newest);
        if newest > 0 && linked(a, b) && linked(b, a) {
            return;
        }
        let open = self.net.is_open_both(a, b);
        if open && self.devices[a].is_awake() && self.devices[b].is_awake() {
            let link = self.net.open(a, b);
            self.travel(b, a, Event::Up { device: a, peer: b, link });
            self.travel(a, b, Event::Up { device: b, peer: a, link });
        } else if open {
            for (device, peer) in [(a, b), (b, a)] {
                let dead = self.devices[peer].core.is_none() && self.devices[peer].host_up;
                let asks = self.devices[device].is_awake() && self.net.conn(device, peer).is_none();
                if dead && asks && !std::mem::replace(self.net.refused(device, peer), true) {
                    self.queue.push(self.now + MS, Event::Refused { device, peer });
                }
            }
        }
        if !self.healed || (self.devices[a].core.is_some() && self.devices[b].core.is_some()) {
            let wait = self.dice.net.between(200 * MS, SECOND);
            *self.net.dialing(a, b) = true;
            self.queue.push(self.now + wait, Event::Dial { a, b });
        }
    }

    /// The transport's own keep-alive: a link that carries nothing is closed after a while, on each side by itself.
    pub(crate) fn probe_later(&mut self, device: usize, peer: usize) {
        if let Some(link) = self.net.conn(device, peer) {
            let wait: Micros = self.dice.net.between(15 * SECOND, 30 * SECOND);
            self.queue.push(self.now + wait, Event::Probe { device, peer, link });
        }
    }

    pub(crate) fn probe(&mut self, device: usize, peer: usize, link: u64) {
        let carries = self.net.is_open_both(device, peer)
            && self.devices[peer].is_awake()
            && self.net.conn(peer, device) == Some(link);
        if !carries {
            self.link_down(device, peer, link);
        }
    }

    /// Notes who of a device's peers it is in contact with now.
    pub(crate) fn touch(&mut self, device: usize) {
        for peer in (0..self.n()).filter(|peer| *peer != device) {
            let newest = self.net.newest(device, peer);
            let touching = self.devices[device].is_awake()
                && self.devices[peer].is_awake()
                && newest > 0
                && self.net.is_open_both(device, peer)
                && !self.net.is_slow(device, peer)
                && self.net.conn(device, peer) == Some(newest)
                && self.net.conn(peer, device) == Some(newest);
            self.net.note_contact(device, peer, self.now, touching);
        }
    }
}
