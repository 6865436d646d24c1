//! What a device tells the others about itself, and what it is willing to do. Gossiped; may be stale or lost, so nothing that
//! must be right depends on it.

use crate::id::{DeviceId, Incarnation};
use crate::task::Role;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// Longest text in a device record that is accepted from a peer, bytes.
pub const TEXT_BYTES_MAX: usize = 256;
/// Most entries of a list in a device record that are accepted from a peer.
pub const LIST_MAX: usize = 256;

/// A device whose processor is busier than this, parts per million, in [`OVERLOAD_LOOKS`] measurements in a row takes no new work until
/// one is not.
pub const OVERLOAD_PPM: u32 = 850_000;
/// So many measurements in a row.
pub const OVERLOAD_LOOKS: u8 = 3;

/// What the machine is and has. Measured by the driver; `None` is unknown.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the names are SPEC's, with the unit last")]
pub struct Capacity {
    #[serde(rename = "n")]
    pub name: String,
    #[serde(rename = "r")]
    pub role: Option<Role>,
    #[serde(rename = "t")]
    pub tags: BTreeSet<String>,
    #[serde(rename = "p")]
    pub platform: String,
    #[serde(rename = "a")]
    pub arch: String,
    #[serde(rename = "o")]
    pub os_version: String,
    #[serde(rename = "c")]
    pub cpu_cores_milli: Option<u32>,
    #[serde(rename = "u")]
    pub cpu_usage_ppm: Option<u32>,
    #[serde(rename = "l")]
    pub load_milli: Option<u32>,
    #[serde(rename = "m")]
    pub memory_total_bytes: Option<u64>,
    #[serde(rename = "f")]
    pub memory_available_bytes: Option<u64>,
    #[serde(rename = "s")]
    pub storage_total_bytes: Option<u64>,
    #[serde(rename = "d")]
    pub storage_available_bytes: Option<u64>,
    #[serde(rename = "g")]
    pub gpu: Option<bool>,
    #[serde(rename = "e")]
    pub sensors: Option<BTreeSet<String>>,
    #[serde(rename = "b")]
    pub battery_ppm: Option<u32>,
    #[serde(rename = "h")]
    pub charging: Option<bool>,
    /// It is known not to live off a battery: it has none, or power comes from outside. What is unknown is not.
    #[serde(rename = "P", skip_serializing_if = "core::ops::Not::not")]
    pub mains: bool,
    #[serde(rename = "k")]
    pub temperature_milli_c: Option<i32>,
    #[serde(rename = "i")]
    pub internet: Option<bool>,
    #[serde(rename = "w")]
    pub bandwidth_kbps: Option<u64>,
    /// Tasks it runs at once.
    #[serde(rename = "x")]
    pub max_concurrent_tasks: u32,
    /// Task types its owner lets it run.
    #[serde(rename = "y")]
    pub task_types: BTreeSet<String>,
    /// Task types of its program that it does not run, and why.
    #[serde(rename = "G", skip_serializing_if = "BTreeMap::is_empty")]
    pub lacks: BTreeMap<String, WhyNot>,
    /// Permissions its owner grants to tasks.
    #[serde(rename = "q")]
    pub permissions: BTreeSet<String>,
    /// What the device can enforce on a task: 0 limits only, 1 system-call and path filters, 2 namespaces.
    #[serde(rename = "z")]
    pub sandbox_level: u8,
    /// The limits of a task's sandbox that it can enforce on what it did not write itself: `network filesystem file_size memory cpu`.
    #[serde(rename = "j", skip_serializing_if = "BTreeSet::is_empty")]
    pub enforces: BTreeSet<String>,
    /// Why it takes no new work now; empty when it does.
    #[serde(rename = "v")]
    pub blocked: BTreeSet<Blocked>,
    /// More about it for people, where there is more to say: which rule, and until when.
    #[serde(rename = "W", skip_serializing_if = "BTreeMap::is_empty")]
    pub blocked_why: BTreeMap<Blocked, String>,
    /// When that ends by itself, milliseconds since 1970, where it is known.
    #[serde(rename = "U", skip_serializing_if = "BTreeMap::is_empty")]
    pub blocked_until_wall_ms: BTreeMap<Blocked, u64>,
}

crate::task::words! {
    /// Why a device does not run a task type that others have.
    WhyNot {
        /// It could, and its owner does not allow it.
        NotAllowed = 0 "not allowed by its owner",
        /// Its program was built without.
        NotBuilt = 1 "not in its program",
        /// There is no such thing on its system.
        NotHere = 2 "not possible on its system",
    }
}

crate::task::words! {
    /// Why a device takes no new work.
    Blocked {
        /// Its owner paused it, or a rule of its owner did.
        Paused = 0 "paused",
        /// It is being emptied.
        Draining = 1 "draining",
        /// Too hot, too little battery, too busy with its owner: the owner's policy.
        Policy = 2 "policy",
        /// Its disk does not take new facts.
        Storage = 3 "storage",
        /// Its processor has too much to do, whoever's work it is: see [`OVERLOAD_PPM`].
        Busy = 4 "busy",
    }
}

/// A device as the others see it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DeviceRecord {
    /// Who.
    #[serde(rename = "D")]
    pub device: DeviceId,
    /// In which life.
    #[serde(rename = "I")]
    pub incarnation: Incarnation,
    /// Grows with every record of an incarnation; the latest wins.
    #[serde(rename = "S")]
    pub sequence: u64,
    /// What it is and has.
    #[serde(rename = "C")]
    pub capacity: Capacity,
    /// Attempts that run.
    #[serde(rename = "A")]
    pub active_tasks: u32,
    /// Leases that wait for their turn.
    #[serde(rename = "Q")]
    pub queued_tasks: u32,
    /// Median round trip to its peers, microseconds.
    #[serde(rename = "L")]
    pub latency_us: Option<u32>,
    /// Types it lately completed.
    #[serde(rename = "F")]
    pub affinity: BTreeSet<String>,
    /// The protocol it speaks.
    #[serde(rename = "V")]
    pub protocol: u16,
    /// It keeps a task that waits for a device with a way to the internet: a reason for all others to find out whether they have one.
    #[serde(rename = "N", skip_serializing_if = "core::ops::Not::not")]
    pub asks_internet: bool,
}

impl DeviceRecord {
    /// Whether this record is newer than `other`, which is of the same device.
    #[must_use]
    pub fn supersedes(&self, other: &Self) -> bool {
        (self.incarnation, self.sequence) > (other.incarnation, other.sequence)
    }

    /// Whether texts and lists are of a size that a peer may send.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        let c = &self.capacity;
        let texts = [&c.name, &c.platform, &c.arch, &c.os_version];
        let lists = [&c.tags, &c.task_types, &c.permissions, &c.enforces, &self.affinity];
        let sensors = c.sensors.as_ref();
        texts.into_iter().chain(c.blocked_why.values()).all(|text| text.len() <= TEXT_BYTES_MAX)
            && c.lacks.len() <= LIST_MAX
            && c.lacks.keys().all(|text| text.len() <= TEXT_BYTES_MAX)
            && lists
                .into_iter()
                .chain(sensors)
                .all(|list| list.len() <= LIST_MAX && list.iter().all(|text| text.len() <= TEXT_BYTES_MAX))
    }
}
