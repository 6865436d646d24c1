//! Tasks and views made of a stream of numbers, so that one maker serves a seed and a property test that shrinks.
//!
//! Values come from few and telling ones (limits, extremes, neighbours), so that equal totals and exact fits are common.

use rc_scheduler::{Blocked, Candidate, DeviceId, DeviceRecord, PPM, Requirements, Role, TaskId, TaskSpec};
use std::collections::BTreeSet;

/// A task and what its guardian knows of the devices.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) task: TaskId,
    pub(crate) spec: TaskSpec,
    pub(crate) devices: Vec<Device>,
}

/// A device of a world.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    pub(crate) record: DeviceRecord,
    leased_unseen: u32,
    reachable: bool,
    refused: bool,
}

impl World {
    pub(crate) fn candidates(&self) -> impl DoubleEndedIterator<Item = Candidate<'_>> {
        self.devices.iter().map(|device| Candidate {
            record: &device.record,
            leased_unseen: device.leased_unseen,
            reachable: device.reachable,
            refused: device.refused,
        })
    }
}

/// Marsaglia's xorshift with 64 bits of state; the seed is not 0.
pub(crate) struct Xorshift(pub(crate) u64);

impl Iterator for Xorshift {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        Some(self.0)
    }
}

/// Draws from a stream; a stream that has ended goes on with 0, which always means the plainest choice.
pub(crate) struct Draw<I>(pub(crate) I);

impl<I: Iterator<Item = u64>> Draw<I> {
    pub(crate) fn world(&mut self) -> World {
        World {
            task: TaskId::new(0, blake3::hash(&self.word().to_le_bytes()).as_bytes()),
            spec: self.spec(),
            devices: self.devices(),
        }
    }

    fn word(&mut self) -> u64 {
        self.0.next().unwrap_or(0)
    }

    /// High bits: the low ones of a xorshift are poor.
    fn below(&mut self, bound: u64) -> u64 {
        (self.word() >> 16) % bound
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == n - 1
    }

    fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        let count = u64::try_from(values.len()).expect("few values");
        values[usize::try_from(self.below(count)).expect("few values")]
    }

    /// The words that a number's bits choose.
    fn words(&mut self, all: &[&str]) -> BTreeSet<String> {
        let bits = self.word() >> 16;
        let chosen = |n: usize| bits >> (2 * n) & 3 == 3;
        (0..all.len()).filter(|n| chosen(*n)).map(|n| all[n].into()).collect()
    }

    fn maybe<T>(&mut self, one_in: u64, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.one_in(one_in).then(|| value(self))
    }

    fn small(&mut self) -> u32 {
        self.one_of(&[1, 0, 2, 3, 4, 5, 1_000, 1_000_000, 999_999, u32::MAX])
    }

    fn share(&mut self) -> u32 {
        let plain = [PPM / 2, 0, 1, PPM / 4, PPM - 1, PPM, PPM + 1, u32::MAX];
        self.one_of(&plain)
    }

    fn large(&mut self) -> u64 {
        let gb = 1 << 30;
        let plain = [gb, 0, 1, gb - 1, gb + 1, 3 * gb, 1 << 50, u64::MAX];
        self.one_of(&plain)
    }

    fn device_ids(&mut self) -> BTreeSet<DeviceId> {
        let bits = self.word() >> 16;
        (0..7).filter(|n| bits >> (2 * n) & 3 == 3).map(device_id).collect()
    }

    fn spec(&mut self) -> TaskSpec {
        TaskSpec {
            task_type: self.one_of(&["echo", "sleep", "command"]).into(),
            required_permissions: if self.one_in(4) { self.words(&PERMISSIONS) } else { BTreeSet::new() },
            requirements: Requirements {
                min_cpu_cores_milli: self.maybe(8, Self::small),
                min_memory_bytes: self.maybe(4, Self::large),
                min_storage_bytes: self.maybe(8, Self::large),
                min_cpu_available_ppm: self.maybe(8, Self::share),
                required_platform: self.maybe(8, |draw| draw.one_of(&PLATFORMS).into()),
                required_arch: self.maybe(8, |draw| draw.one_of(&ARCHES).into()),
                required_role: self.maybe(8, |draw| draw.one_of(Role::ALL)),
                required_tags: self.maybe(8, |draw| draw.words(&TAGS)).unwrap_or_default(),
                max_cpu_usage_ppm: self.maybe(8, Self::share),
                max_memory_usage_ppm: self.maybe(8, Self::share),
                requires_gpu: self.one_in(8),
                requires_internet: self.one_in(8),
                bandwidth_kbps: self.maybe(8, Self::large),
                requires_sensors: self.maybe(8, |draw| draw.words(&SENSORS)).unwrap_or_default(),
                enforced: BTreeSet::new(),
                exclusive: self.one_in(8),
                exclude_devices: self.maybe(8, Self::device_ids).unwrap_or_default(),
                only_devices: self.maybe(8, Self::device_ids).unwrap_or_default(),
            },
            ..TaskSpec::default()
        }
    }

    /// Every other device is another's twin, as equal devices are what ties are about.
    fn devices(&mut self) -> Vec<Device> {
        let mut devices: Vec<Device> = Vec::new();
        for n in 0..=self.below(7) {
            let twin = devices.last().cloned().filter(|_| self.one_in(2));
            let mut device = twin.unwrap_or_else(|| self.device());
            device.record.device = device_id(n);
            devices.push(device);
        }
        devices
    }

    fn device(&mut self) -> Device {
        let mut record = DeviceRecord {
            sequence: self.large(),
            active_tasks: self.small(),
            queued_tasks: if self.one_in(8) { self.small() } else { 0 },
            latency_us: self.known(|draw| draw.one_of(&[0, 1, 1_000, 99_999, 100_000, 100_001, u32::MAX])),
            affinity: self.words(&TYPES),
            ..DeviceRecord::default()
        };
        let has = &mut record.capacity;
        has.role = self.known(|draw| draw.one_of(Role::ALL));
        has.tags = self.words(&TAGS);
        has.platform = self.one_of(&PLATFORMS).into();
        has.arch = self.one_of(&ARCHES).into();
        has.cpu_cores_milli = self.known(Self::small);
        has.cpu_usage_ppm = self.known(Self::share);
        has.memory_total_bytes = self.known(Self::large);
        has.memory_available_bytes = self.known(Self::large);
        has.storage_total_bytes = self.known(Self::large);
        has.storage_available_bytes = self.known(Self::large);
        has.gpu = self.known(|draw| draw.one_in(2));
        has.sensors = self.known(|draw| draw.words(&SENSORS));
        has.internet = self.known(|draw| draw.one_in(2));
        has.bandwidth_kbps = self.known(Self::large);
        has.max_concurrent_tasks = self.small();
        has.task_types = if self.one_in(8) { self.words(&TYPES) } else { TYPES.map(String::from).into() };
        has.permissions = self.words(&PERMISSIONS);
        if self.one_in(8) {
            // What came later would change all the worlds that are remembered.
            has.blocked = [self.one_of(&Blocked::ALL[..4]), self.one_of(&Blocked::ALL[..4])].into();
        }
        Device {
            record,
            leased_unseen: if self.one_in(4) { self.small() } else { 0 },
            reachable: !self.one_in(8),
            refused: self.one_in(8),
        }
    }

    fn known<T>(&mut self, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (!self.one_in(8)).then(|| value(self))
    }
}

fn device_id(n: u64) -> DeviceId {
    let mut id = [0; 16];
    id[8..].copy_from_slice(&n.to_be_bytes());
    DeviceId(id)
}

const TYPES: [&str; 3] = ["echo", "sleep", "command"];
const PERMISSIONS: [&str; 2] = ["read_files", "write_files"];
const PLATFORMS: [&str; 5] = ["linux", "android", "macos", "darwin", ""];
const ARCHES: [&str; 3] = ["x86_64", "aarch64", ""];
const TAGS: [&str; 3] = ["home", "ssd", "fast"];
const SENSORS: [&str; 2] = ["camera", "gps"];
