//! Who belongs to the cluster: a grow-only map that every device holds. Homes are computed from it, so it does not depend on who is alive.

use crate::id::DeviceId;
use alloc::collections::BTreeMap;
use serde::{Deserialize, Serialize};

/// What is known of a member. Merging takes the larger of each field: joining, retiring and revoking are never undone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Member {
    /// Who.
    #[serde(rename = "d")]
    pub device: DeviceId,
    /// Grows each time the device changes `keeps` for itself.
    #[serde(rename = "v", default)]
    pub version: u32,
    /// It offers its disk to keep tasks of others.
    #[serde(rename = "k")]
    pub keeps: bool,
    /// It left for good.
    #[serde(rename = "r", default)]
    pub retired: bool,
    /// It was thrown out.
    #[serde(rename = "x", default)]
    pub revoked: bool,
}

/// The members, by device.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Members {
    map: BTreeMap<DeviceId, Member>,
    hash: u64,
}

/// Most members a cluster may have; more are ignored.
pub const MEMBERS_MAX: usize = 4_096;

impl Members {
    /// Merges what somebody knows; returns the merged entry if it says something new.
    pub fn merge(&mut self, other: Member) -> Option<Member> {
        let full = self.map.len() >= MEMBERS_MAX;
        let merged = match self.map.get(&other.device) {
            None if full => return None,
            None => other,
            Some(mine) => {
                let newer = if (other.version, other.keeps) > (mine.version, mine.keeps) { &other } else { mine };
                Member { retired: mine.retired || other.retired, revoked: mine.revoked || other.revoked, ..*newer }
            }
        };
        if self.map.get(&other.device) == Some(&merged) {
            return None;
        }
        // One member's part goes in and out by itself: with every member the whole map again would be much for a large cluster.
        self.hash ^= hash(&merged);
        if let Some(old) = self.map.insert(other.device, merged) {
            self.hash ^= hash(&old);
        }
        Some(merged)
    }

    /// Equal for equal maps.
    #[must_use]
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// Everybody, in order of id.
    pub fn iter(&self) -> impl Iterator<Item = &Member> {
        self.map.values()
    }

    /// What is known of `device`.
    #[must_use]
    pub fn get(&self, device: DeviceId) -> Option<&Member> {
        self.map.get(&device)
    }

    /// Those who have neither left nor been thrown out.
    pub fn present(&self) -> impl Iterator<Item = DeviceId> + '_ {
        self.map.values().filter(|member| !member.retired && !member.revoked).map(|member| member.device)
    }

    /// Those who keep tasks of others.
    pub fn keepers(&self) -> impl Iterator<Item = DeviceId> + '_ {
        self.map
            .values()
            .filter(|member| member.keeps && !member.retired && !member.revoked)
            .map(|member| member.device)
    }
}

fn hash(member: &Member) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&member.device.0);
    hasher.update(&member.version.to_le_bytes());
    hasher.update(&[u8::from(member.keeps), u8::from(member.retired), u8::from(member.revoked)]);
    let mut short = [0; 8];
    short.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(short)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(n: u8) -> Member {
        Member { device: DeviceId([n; 16]), version: 0, keeps: true, retired: false, revoked: false }
    }

    #[test]
    fn merging_is_idempotent_and_never_forgets_a_departure() {
        let mut members = Members::default();
        assert!(members.merge(member(1)).is_some());
        assert!(members.merge(member(1)).is_none());
        let before = members.hash();
        assert!(members.merge(Member { retired: true, ..member(1) }).is_some());
        assert_ne!(before, members.hash());
        assert!(members.merge(member(1)).is_none());
        assert_eq!(members.present().count(), 0);
    }

    #[test]
    fn order_of_merging_does_not_matter() {
        let entries = [
            member(1),
            Member { version: 1, keeps: false, ..member(1) },
            Member { revoked: true, ..member(2) },
            member(2),
        ];
        let mut forward = Members::default();
        let mut backward = Members::default();
        for entry in entries {
            forward.merge(entry);
        }
        for entry in entries.into_iter().rev() {
            backward.merge(entry);
        }
        assert_eq!(forward, backward);
    }
}
