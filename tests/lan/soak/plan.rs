//! What happens when, drawn from a seed. Knows hosts by number and nothing of how a fault is made.

use std::time::Duration;

/// The hosts of the soak.
pub const HOSTS: usize = 6;
/// How long a suspended device is away.
const FROZEN: Duration = Duration::from_secs(30);

/// A stream of numbers that depends on its seed alone (SplitMix64).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to `bound` - 1.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// Milliseconds from `low` to `high`.
    pub fn millis(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_millis(low + self.next() % (high - low + 1))
    }

    /// Some hosts in random order.
    pub fn hosts(&mut self) -> Vec<usize> {
        let mut hosts: Vec<_> = (0..HOSTS).collect();
        self.shuffle(&mut hosts);
        hosts
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// Something that is done to the LAN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `kill -9`, and a start after so long.
    Kill { host: usize, away: Duration },
    /// All its processes stand still for so long.
    Freeze { host: usize, away: Duration },
    /// Its cable is out for so long.
    Unplug { host: usize, away: Duration },
    /// It does not hear these others, which hear it, for so long.
    Deafen { host: usize, to: Vec<usize>, away: Duration },
    /// These and the rest do not hear each other for so long.
    Split { left: Vec<usize>, away: Duration },
    /// Every device loses 5 % of what reaches it, for so long.
    Loss { away: Duration },
    /// `kill -9` of all, and all start at once.
    RestartAll,
    /// Everything is well again, at once.
    Heal,
}

/// A fault and when it happens, from the beginning.
#[derive(Clone, Debug)]
pub struct Step {
    pub at: Duration,
    pub fault: Fault,
}

/// Every few seconds something, until `length` is over. Every kind comes up before one comes up twice as often.
pub fn plan(random: &mut Random, length: Duration) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut deck: Vec<usize> = Vec::new();
    let mut at = Duration::from_secs(3);
    while at < length {
        if deck.is_empty() {
            // Kills are what happens most.
            deck = vec![0, 0, 1, 2, 3, 4, 5, 6, 7];
            random.shuffle(&mut deck);
        }
        let kind = deck.pop().expect("just filled");
        steps.push(Step { at, fault: draw(random, kind) });
        at += random.millis(2_000, 6_000);
    }
    steps
}

fn draw(random: &mut Random, kind: usize) -> Fault {
    let hosts = random.hosts();
    let host = hosts[0];
    match kind {
        0 => {
            // As often at once, as by a supervisor, as later.
            let away = if random.below(2) == 0 { Duration::ZERO } else { random.millis(500, 15_000) };
            Fault::Kill { host, away }
        }
        1 => Fault::Freeze { host, away: FROZEN },
        2 => Fault::Unplug { host, away: random.millis(1_000, 25_000) },
        3 => {
            let others = [1, 2, HOSTS - 1][random.below(3)];
            Fault::Deafen { host, to: hosts[1..=others].to_vec(), away: random.millis(3_000, 20_000) }
        }
        4 => {
            let left = HOSTS / 2 + random.below(2);
            Fault::Split { left: hosts[..left].to_vec(), away: random.millis(3_000, 25_000) }
        }
        5 => Fault::Loss { away: random.millis(8_000, 20_000) },
        6 => Fault::RestartAll,
        _ => Fault::Heal,
    }
}

#[test]
fn a_plan_depends_on_its_seed_and_has_every_kind_of_fault() {
    let of = |seed| plan(&mut Random::new(seed), Duration::from_secs(65));
    let text = |seed| format!("{:?}", of(seed));
    assert_eq!(text(1), text(1));
    assert_ne!(text(1), text(2));
    for seed in 0..20 {
        let kinds: std::collections::HashSet<_> =
            of(seed).iter().map(|step| std::mem::discriminant(&step.fault)).collect();
        assert_eq!(kinds.len(), 8, "seed {seed}");
    }
}
