//! Makes faults and takes them back, and remembers who could reach whom when.

use crate::clock::wall_ms;
use crate::lan::{Lan, NAMES, note};
use crate::soak::plan::{Fault, HOSTS};
use std::collections::BTreeSet;
use std::time::Instant;

/// Of a hundred packets.
const LOSS: u32 = 5;

/// Who hears whom: `[a][b]` if what `b` sends reaches `a`.
type Hears = [[bool; HOSTS]; HOSTS];

/// The LAN and what is wrong with it. A moment is when that is over.
pub struct World {
    pub lan: Lan,
    began: Instant,
    down: [Option<Instant>; HOSTS],
    frozen: [Option<Instant>; HOSTS],
    unplugged: [Option<Instant>; HOSTS],
    /// Who does not hear whom.
    deaf: Vec<(usize, usize, Instant)>,
    lossy: Option<Instant>,
    /// Who could hear whom from when on.
    pub past: Past,
}

/// Who could hear whom, and when that changed, in milliseconds since 1970: the hosts share a clock.
#[derive(Clone, Debug, Default)]
pub struct Past(Vec<(u64, Hears)>);

impl Past {
    /// The most devices that were out of `host`'s reach at once between two moments, it included if it was down itself.
    /// A device counts as out of reach for `after_ms` longer: it has to be found, and asked, again.
    pub fn out_of_reach_max(&self, host: usize, from_ms: u64, to_ms: u64, after_ms: u64) -> usize {
        let until = |at: usize| self.0.get(at + 1).map_or(u64::MAX, |(next, _)| *next);
        // Whoever was out of reach at the moment `at`, or shortly before.
        let out_at = |moment: u64| {
            let states = self.0.iter().enumerate();
            let near = states.filter(|(at, (from, _))| *from <= moment && until(*at).saturating_add(after_ms) > moment);
            let mut out = [false; HOSTS];
            for (_, (_, hears)) in near {
                for (other, out) in out.iter_mut().enumerate() {
                    *out |= !(hears[host][other] && hears[other][host]);
                }
            }
            out.iter().filter(|out| **out).count()
        };
        let changes = self.0.iter().map(|(from, _)| *from).filter(|from| (from_ms..=to_ms).contains(from));
        changes.chain([from_ms, to_ms]).map(out_at).max().unwrap_or(0)
    }
}

impl World {
    pub fn new(lan: Lan) -> Self {
        let mut world = Self {
            lan,
            began: Instant::now(),
            down: [None; HOSTS],
            frozen: [None; HOSTS],
            unplugged: [None; HOSTS],
            deaf: Vec::new(),
            lossy: None,
            past: Past::default(),
        };
        world.remember();
        world
    }

    /// Does what a fault is, unless it makes no sense now.
    pub fn apply(&mut self, fault: &Fault) {
        let now = Instant::now();
        self.note(&match fault {
            Fault::Kill { host, away } => format!("kill -9 {}, started after {away:?}", NAMES[*host]),
            Fault::Freeze { host, away } => format!("freeze {} for {away:?}", NAMES[*host]),
            Fault::Unplug { host, away } => format!("unplug {} for {away:?}", NAMES[*host]),
            Fault::Deafen { host, to, away } => format!("{} deaf to {} for {away:?}", NAMES[*host], names(to)),
            Fault::Split { left, away } => format!("split off {} for {away:?}", names(left)),
            Fault::Loss { away } => format!("{LOSS} % loss for {away:?}"),
            Fault::RestartAll => "kill -9 and start all".to_owned(),
            Fault::Heal => "heal".to_owned(),
        });
        match fault {
            Fault::Kill { host, away } => self.kill(*host, now + *away),
            Fault::Freeze { host, away } => {
                if self.down[*host].is_none() && self.frozen[*host].is_none() {
                    self.lan.freeze(*host);
                    self.frozen[*host] = Some(now + *away);
                }
            }
            Fault::Unplug { host, away } => {
                self.lan.net.link_down(*host);
                self.unplugged[*host] = Some(now + *away);
            }
            Fault::Deafen { host, to, away } => {
                self.deaf.extend(to.iter().map(|other| (*host, *other, now + *away)));
                self.filter();
            }
            Fault::Split { left, away } => {
                let right: Vec<_> = (0..HOSTS).filter(|host| !left.contains(host)).collect();
                let pairs = left.iter().flat_map(|l| right.iter().map(|r| (*l, *r)));
                let both = pairs.flat_map(|(l, r)| [(l, r), (r, l)]);
                self.deaf.extend(both.map(|(host, other)| (host, other, now + *away)));
                self.filter();
            }
            Fault::Loss { away } => {
                self.lossy = Some(now + *away);
                self.filter();
            }
            Fault::RestartAll => (0..HOSTS).for_each(|host| self.kill(host, now)),
            Fault::Heal => self.heal(),
        }
        self.remember();
    }

    fn kill(&mut self, host: usize, back: Instant) {
        if self.down[host].is_none() {
            self.lan.devices[host].kill();
        }
        self.frozen[host] = None;
        self.down[host] = Some(back);
    }

    /// Takes back what is over at this moment.
    pub fn tick(&mut self, now: Instant) {
        let is_over = |until: &Option<Instant>| until.is_some_and(|until| until <= now);
        let mut changed = false;
        for (host, name) in NAMES.iter().enumerate() {
            if is_over(&self.down[host]) {
                self.down[host] = None;
                self.lan.devices[host].spawn();
                changed = true;
            }
            if is_over(&self.frozen[host]) {
                self.frozen[host] = None;
                self.lan.thaw(host);
                self.note(&format!("{name} thaws"));
                changed = true;
            }
            if is_over(&self.unplugged[host]) {
                self.unplugged[host] = None;
                self.lan.net.link_up(host);
                changed = true;
            }
        }
        let (deaf, lossy) = (self.deaf.len(), self.lossy);
        self.deaf.retain(|(_, _, until)| *until > now);
        self.lossy = lossy.filter(|until| *until > now);
        if self.deaf.len() != deaf || self.lossy != lossy {
            self.filter();
            changed = true;
        }
        if changed {
            self.remember();
        }
    }

    /// Takes everything back.
    pub fn heal(&mut self) {
        let now = Instant::now();
        let slots = [&mut self.down, &mut self.frozen, &mut self.unplugged];
        slots.into_iter().flatten().flatten().for_each(|until| *until = now);
        self.deaf.clear();
        self.lossy = None;
        self.filter();
        self.tick(now);
        self.remember();
    }

    fn filter(&self) {
        for host in 0..HOSTS {
            let of = self.deaf.iter().filter(|(deaf, _, _)| *deaf == host);
            let to: BTreeSet<_> = of.map(|(_, to, _)| *to).collect();
            let to: Vec<_> = to.into_iter().collect();
            self.lan.net.impair(host, &to, if self.lossy.is_some() { LOSS } else { 0 });
        }
    }

    fn remember(&mut self) {
        let mut hears = [[true; HOSTS]; HOSTS];
        let away = |host: usize| self.down[host].is_some() || self.frozen[host].is_some();
        for (host, row) in hears.iter_mut().enumerate() {
            for (other, hears) in row.iter_mut().enumerate() {
                let cut = host != other && (self.unplugged[host].is_some() || self.unplugged[other].is_some());
                *hears = !(away(host) || away(other) || cut);
            }
        }
        for (host, other, _) in &self.deaf {
            hears[*host][*other] = false;
        }
        self.past.0.push((wall_ms(), hears));
    }

    fn note(&self, text: &str) {
        note(&format!("{:6.1} s: {text}", self.began.elapsed().as_secs_f64()));
    }
}

fn names(hosts: &[usize]) -> String {
    hosts.iter().map(|host| NAMES[*host]).collect::<Vec<_>>().join(", ")
}

#[test]
fn who_was_out_of_reach_is_remembered() {
    let all = [[true; HOSTS]; HOSTS];
    let mut split = all;
    (split[0][1], split[2][0]) = (false, false);
    let past = Past(vec![(100, all), (200, split), (300, all)]);
    assert_eq!(past.out_of_reach_max(0, 100, 199, 50), 0);
    assert_eq!(past.out_of_reach_max(0, 100, 200, 50), 2);
    assert_eq!(past.out_of_reach_max(1, 210, 220, 50), 1);
    assert_eq!(past.out_of_reach_max(3, 0, 1_000, 50), 0);
    assert_eq!((past.out_of_reach_max(0, 340, 400, 50), past.out_of_reach_max(0, 360, 400, 50)), (2, 0));
}
