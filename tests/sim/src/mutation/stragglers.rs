//! Rules about copies of stragglers.

use super::Place::Scene;
use super::mutations;

mutations! {
    "stragglers get no copy" breaks "28c" in Scene("stragglers") => {
        "guardian/straggler.rs": "} else { Duty::Copy { since, until } }" => "} else if MUTANT { Duty::Wait(until) } else { Duty::Copy { since, until } }";
    }

    "a copy is made of what did not ask for it" breaks "28c" in Scene("stragglers-of-all-kinds") => {
        "guardian/straggler.rs": "        entry.spec.may_be_copied()" => "        (MUTANT || entry.spec.may_be_copied())";
        "holder/run.rs": "lease.beside.is_some() && !entry.spec.may_be_copied()" => "lease.beside.is_some() && !MUTANT && !entry.spec.may_be_copied()";
    }

    "a copy goes to a device that lives off its battery" breaks "28c" in Scene("stragglers") => {
        "guardian/straggler.rs": "            record.capacity.mains" => "            (MUTANT || record.capacity.mains)";
        "holder/run.rs": "if is_copy && !capacity.mains {" => "if is_copy && !MUTANT && !capacity.mains {";
    }

    "a copy goes on when its device lives off its battery" breaks "28c" in Scene("stragglers-of-all-kinds") => {
        "handler/capacity.rs": "if unplugged {" => "if unplugged && !MUTANT {";
    }

    "an attempt gets another copy when the first one is over" breaks "28c" in Scene("stragglers-of-all-kinds") => {
        "guardian/straggler.rs": "&& !had_one()" => "&& (MUTANT && (state.copy.is_none() || state.copy_closed.is_some()) || !had_one())";
    }

    "a copy ends the lease beside which it runs" breaks "12, 28c" in Scene("stragglers-of-all-kinds") => {
        "record/resolve.rs": "&& lease.beside.is_none());" => "&& (MUTANT || lease.beside.is_none()));";
    }

    "a copy uses up an attempt" breaks "24, 28c" in Scene("stragglers") => {
        "guardian/lease.rs": "_ if is_copy => (last.attempt," => "_ if is_copy => (last.attempt + u32::from(MUTANT),";
    }

    "a retry does not wait for the copy" breaks "23, 28c" in Scene("stragglers-of-all-kinds") => {
        "guardian/duty.rs": "let Some(copy) = state.copy else" => "let Some(copy) = state.copy.filter(|_| !MUTANT) else";
    }

    "the slower one is not stopped" breaks "26, 28c" in Scene("stragglers") => {
        "holder/run.rs": "state.settled.is_some() || state.cancel_asked;" => "state.settled.is_some() && !(MUTANT && entry.spec.speculative) || state.cancel_asked;";
    }

    "a cancel waits for one of two" breaks "24, 28c" in Scene("stragglers-of-all-kinds") => {
        "guardian/duty.rs": "        if state.cancel_asked {
            return match end {" => "        let end = if MUTANT && state.copy_closed.is_some() && matches!(end, End::Open(_)) { End::Over } else { end };
        if state.cancel_asked {
            return match end {";
    }

    "two that failed are two attempts" breaks "24, 28c" in Scene("stragglers-of-all-kinds") => {
        "guardian/lease.rs": "_ if state.failure().is_some() => (last.attempt.saturating_add(1)," => "_ if state.failure().is_some() => (last.attempt.saturating_add(1 + u32::from(MUTANT && state.closed.is_some() && state.copy_closed.is_some())),";
    }
}
