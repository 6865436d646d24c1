//! Rules about the order in which work begins, and where it waits.

use super::Place::Scene;
use super::mutations;

mutations! {
    "leases that wait are not asked back for a device that is free" breaks "28a" in Scene("long-work-behind-short") => {
        "guardian/moving.rs": "let count = free.min(*waiting);" => "let count = free.min(*waiting) * u32::from(!MUTANT);";
    }

    "who is asked for leases that wait hands none back" breaks "28a" in Scene("long-work-behind-short") => {
        "holder/moving.rs": "if going.len() >= back.count as usize {" => "if MUTANT || going.len() >= back.count as usize {";
    }
}
