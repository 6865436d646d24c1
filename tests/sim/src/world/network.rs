//! Paths and links between devices. A path carries bytes or does not; a link is a connection over two paths, which each side may
//! believe in longer than the other.

use super::event::Event;
use crate::clock::Micros;

/// One direction between two devices.
#[derive(Clone, Debug, Default)]
pub struct Path {
    /// How many cuts lie on it.
    pub cuts: u32,
    /// Longest extra time on the way.
    pub slow: Micros,
    /// When the last thing sent arrives: nothing overtakes.
    pub last_arrival: Micros,
    /// Sent while it was cut: arrives if it is mended before the link is given up.
    pub stuck: Vec<Event>,
}

/// All paths and links of `n` devices.
#[derive(Clone, Debug)]
pub struct Network {
    n: usize,
    paths: Vec<Path>,
    /// The link a device believes to have to a peer.
    conns: Vec<Option<u64>>,
    /// The newest link of a pair; kept at `a < b`.
    newest: Vec<u64>,
    dialing: Vec<bool>,
    /// Both ends awake, linked, and nothing cut or slow between them, since then.
    contact: Vec<Option<Micros>>,
    refused: Vec<bool>,
    next_link: u64,
    /// When the last split was mended.
    reunited: Option<Micros>,
}

impl Network {
    /// No links yet.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self {
            n,
            paths: vec![Path::default(); n * n],
            conns: vec![None; n * n],
            newest: vec![0; n * n],
            dialing: vec![false; n * n],
            contact: vec![None; n * n],
            refused: vec![false; n * n],
            next_link: 0,
            reunited: None,
        }
    }

    /// The path from one device to another.
    pub fn path(&mut self, from: usize, to: usize) -> &mut Path {
        &mut self.paths[from * self.n + to]
    }

    /// Whether bytes get from one to the other.
    #[must_use]
    pub fn is_open(&self, from: usize, to: usize) -> bool {
        self.paths[from * self.n + to].cuts == 0
    }

    /// Whether bytes get both ways.
    #[must_use]
    pub fn is_open_both(&self, a: usize, b: usize) -> bool {
        self.is_open(a, b) && self.is_open(b, a)
    }

    /// Whether the way is so slow that the peers may give each other up.
    #[must_use]
    pub fn is_slow(&self, a: usize, b: usize) -> bool {
        self.paths[a * self.n + b].slow + self.paths[b * self.n + a].slow > 500_000
    }

    /// Takes one cut off a path.
    pub fn mend(&mut self, from: usize, to: usize, now: Micros) {
        if self.is_split() {
            self.reunited = Some(now);
        }
        let path = self.path(from, to);
        path.cuts = path.cuts.saturating_sub(1);
    }

    /// Whether the devices are in groups that cannot reach each other both ways, not even through others.
    #[must_use]
    fn is_split(&self) -> bool {
        let mut reached = vec![false; self.n];
        let mut from = vec![0];
        while let Some(device) = from.pop() {
            if !std::mem::replace(&mut reached[device], true) {
                from.extend((0..self.n).filter(|peer| !reached[*peer] && self.is_open_both(device, *peer)));
            }
        }
        reached.contains(&false)
    }

    /// Whether there is a split now or has been one since then.
    #[must_use]
    pub fn was_split(&self, since: Micros) -> bool {
        self.is_split() || self.reunited.is_some_and(|at| at >= since)
    }

    /// The link `device` believes to have to `peer`.
    #[must_use]
    pub fn conn(&self, device: usize, peer: usize) -> Option<u64> {
        self.conns[device * self.n + peer]
    }

    /// Changes what `device` believes.
    pub fn set_conn(&mut self, device: usize, peer: usize, link: Option<u64>) {
        self.conns[device * self.n + peer] = link;
    }

    /// The newest link of a pair.
    #[must_use]
    pub fn newest(&self, a: usize, b: usize) -> u64 {
        self.newest[a.min(b) * self.n + a.max(b)]
    }

    /// A new link for a pair.
    pub fn open(&mut self, a: usize, b: usize) -> u64 {
        self.next_link += 1;
        self.newest[a.min(b) * self.n + a.max(b)] = self.next_link;
        self.next_link
    }

    /// Whether somebody of the pair is dialling.
    pub fn dialing(&mut self, a: usize, b: usize) -> &mut bool {
        &mut self.dialing[a.min(b) * self.n + a.max(b)]
    }

    /// Whether `device` was told that `peer`'s host refuses.
    pub fn refused(&mut self, device: usize, peer: usize) -> &mut bool {
        &mut self.refused[device * self.n + peer]
    }

    /// Since when the two are in undisturbed contact.
    #[must_use]
    pub fn contact(&self, a: usize, b: usize) -> Option<Micros> {
        self.contact[a.min(b) * self.n + a.max(b)]
    }

    /// Notes whether the two are in contact now.
    pub fn note_contact(&mut self, a: usize, b: usize, now: Micros, touching: bool) {
        let slot = &mut self.contact[a.min(b) * self.n + a.max(b)];
        *slot = touching.then_some(slot.unwrap_or(now));
    }
}
