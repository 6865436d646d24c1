//! What holds for every task and every view.

use crate::worlds::{Draw, World};
use core::cmp::Reverse;
use proptest::prelude::*;
use rc_scheduler::{
    Candidate, Capacity, DeviceRecord, PPM, Requirements, TaskSpec, Terms, Unmet, explain, fits, pick, rank, score,
    unmet, view_hash,
};
use std::collections::BTreeSet;

fn worlds() -> impl Strategy<Value = World> {
    prop::collection::vec(any::<u64>(), 0..400).prop_map(|words| Draw(words.into_iter()).world())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn pick_is_the_first_of_rank_and_the_runner_up_the_second(world in worlds()) {
        let ranked = rank(world.task, &world.spec, world.candidates());
        let picked = pick(world.task, &world.spec, world.candidates());
        prop_assert_eq!(picked.map(|pick| (pick.device, pick.terms)), ranked.first().copied());
        prop_assert_eq!(picked.and_then(|pick| pick.runner_up), ranked.get(1).copied());
    }

    #[test]
    fn rank_goes_by_total_and_equals_by_the_hash_of_task_and_device(world in worlds()) {
        let ranked = rank(world.task, &world.spec, world.candidates());
        let in_order = ranked.is_sorted_by_key(|(device, terms)| {
            let ids = [world.task.0, device.0].concat();
            (Reverse(terms.total()), *blake3::hash(&ids).as_bytes())
        });
        prop_assert!(in_order);
    }

    #[test]
    fn explain_lists_all_devices_and_the_fitting_ones_as_rank_does(world in worlds()) {
        let rows = explain(world.task, &world.spec, world.candidates(), &BTreeSet::new());
        prop_assert_eq!(rows.len(), world.devices.len());
        let fit: Vec<_> = rows
            .iter()
            .filter(|row| row.unmet.is_empty())
            .map(|row| (row.device, row.terms))
            .collect();
        prop_assert_eq!(&fit, &rank(world.task, &world.spec, world.candidates()));
        let unfit: Vec<_> = rows[fit.len()..].iter().map(|row| row.device).collect();
        prop_assert!(unfit.is_sorted());
        for (place, row) in rows.iter().enumerate() {
            prop_assert_eq!(row.chosen, place == 0 && row.unmet.is_empty());
        }
    }

    #[test]
    fn the_order_of_candidates_does_not_matter(world in worlds(), turn in 0_usize..7) {
        let mut turned = world.clone();
        let turn = turn % turned.devices.len();
        turned.devices.rotate_left(turn);
        turned.devices.reverse();
        prop_assert_eq!(
            pick(world.task, &world.spec, world.candidates()),
            pick(world.task, &world.spec, turned.candidates())
        );
        prop_assert_eq!(
            explain(world.task, &world.spec, world.candidates(), &BTreeSet::new()),
            explain(world.task, &world.spec, turned.candidates(), &BTreeSet::new())
        );
        prop_assert_eq!(
            view_hash(world.devices.iter().map(|device| &device.record)),
            view_hash(turned.devices.iter().map(|device| &device.record))
        );
    }

    #[test]
    fn every_failing_requirement_is_named_and_no_other(world in worlds()) {
        for candidate in world.candidates() {
            let named: Vec<_> = unmet(&world.spec, &candidate)
                .iter()
                .map(ToString::to_string)
                .collect();
            let expected = failing(&world.spec, &candidate);
            prop_assert_eq!(named.len(), expected.len(), "{:?} {:?}", named, expected);
            for (text, start) in named.iter().zip(expected) {
                prop_assert!(text.starts_with(start), "{} is not {}", text, start);
            }
            prop_assert_eq!(fits(&world.spec, &candidate), named.is_empty());
        }
    }

    #[test]
    fn terms_and_totals_stay_in_range_and_add_up(world in worlds()) {
        for candidate in world.candidates() {
            let terms = score(&world.spec, &candidate);
            let parts = [
                (terms.cpu, 40_u64), (terms.memory, 30), (terms.load, 20), (terms.network, 10), (terms.affinity, 5),
            ];
            prop_assert!(parts.iter().all(|(term, _)| *term <= PPM));
            let sum: u64 = parts.iter().map(|(term, weight)| u64::from(*term) * weight).sum();
            prop_assert_eq!(u64::from(terms.total()), sum / 100);
            prop_assert!(terms.total() <= 1_050_000);
        }
    }

    #[test]
    fn a_changed_record_changes_the_view(world in worlds()) {
        let before = view_hash(world.devices.iter().map(|device| &device.record));
        let mut changed = world;
        changed.devices[0].record.sequence ^= 1;
        prop_assert_ne!(before, view_hash(changed.devices.iter().map(|device| &device.record)));
    }
}

#[test]
fn what_peers_write_is_shown_and_not_obeyed() {
    let unmet = Unmet::RequiredPlatform { needed: "linux".into(), actual: Some("l\u{1b}[2J".into()) };
    assert_eq!(unmet.to_string(), r"required_platform linux ≠ l\u{1b}[2J");
}

#[test]
fn terms_out_of_range_saturate() {
    let most = Terms { cpu: u32::MAX, memory: u32::MAX, load: u32::MAX, network: u32::MAX, affinity: u32::MAX };
    assert_eq!(most.total(), u32::MAX);
}

#[test]
fn extreme_numbers_are_answered_like_others() {
    for (needed, actual) in EXTREMES.into_iter().flat_map(|n| EXTREMES.map(|a| (n, a))) {
        let spec = TaskSpec {
            requirements: Requirements {
                min_cpu_cores_milli: Some(small(needed)),
                min_memory_bytes: Some(needed),
                min_storage_bytes: Some(needed),
                min_cpu_available_ppm: Some(small(needed)),
                max_cpu_usage_ppm: Some(small(needed)),
                max_memory_usage_ppm: Some(small(needed)),
                bandwidth_kbps: Some(needed),
                ..Requirements::default()
            },
            ..TaskSpec::default()
        };
        for total in EXTREMES {
            let record = DeviceRecord {
                active_tasks: small(actual),
                queued_tasks: small(actual),
                latency_us: Some(small(actual)),
                capacity: Capacity {
                    cpu_cores_milli: Some(small(actual)),
                    cpu_usage_ppm: Some(small(actual)),
                    memory_total_bytes: Some(total),
                    memory_available_bytes: Some(actual),
                    storage_available_bytes: Some(actual),
                    bandwidth_kbps: Some(actual),
                    max_concurrent_tasks: small(total),
                    ..Capacity::default()
                },
                ..DeviceRecord::default()
            };
            let candidate = Candidate { leased_unseen: u32::MAX, ..Candidate::new(&record) };
            assert!(score(&spec, &candidate).total() <= 1_050_000);
            let named = unmet(&spec, &candidate);
            assert_eq!(named.len(), failing(&spec, &candidate).len());
            for unmet in named {
                assert!(!unmet.to_string().is_empty());
            }
        }
    }
}

const EXTREMES: [u64; 6] = [0, 1, u64::MAX / 2, u64::MAX - 1, u64::MAX, 1_000_000];

fn small(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// How the lines of all that is not met begin, in order; written down again in the plainest way.
fn failing(spec: &TaskSpec, candidate: &Candidate<'_>) -> Vec<&'static str> {
    let needs = &spec.requirements;
    let record = candidate.record;
    let has = &record.capacity;
    let apple = |name: &str| name == "macos" || name == "darwin";
    let memory = has.memory_total_bytes.zip(has.memory_available_bytes);
    let rules = [
        ("not reachable", !candidate.reachable),
        ("gave this task back", candidate.refused),
        ("paused", blocked(candidate, "paused")),
        ("draining", blocked(candidate, "draining")),
        ("held back", blocked(candidate, "policy")),
        ("its disk", blocked(candidate, "storage")),
        ("too busy", blocked(candidate, "busy")),
        ("queue full", record.queued_tasks >= 1_000_000),
        ("task type", !has.task_types.contains(&spec.task_type)),
        ("required_permissions", !spec.required_permissions.iter().all(|p| has.permissions.contains(p))),
        ("sandbox", !needs.enforced.iter().all(|limit| has.enforces.contains(limit))),
        ("exclude_devices", needs.exclude_devices.contains(&record.device)),
        ("only_devices", !needs.only_devices.is_empty() && !needs.only_devices.contains(&record.device)),
        ("min_cpu_cores", fails(needs.min_cpu_cores_milli, has.cpu_cores_milli, |n, a| a >= n)),
        ("min_memory_gb", fails(needs.min_memory_bytes, has.memory_available_bytes, |n, a| a >= n)),
        ("min_storage_gb", fails(needs.min_storage_bytes, has.storage_available_bytes, |n, a| a >= n)),
        ("min_cpu_available", fails(needs.min_cpu_available_ppm, has.cpu_usage_ppm, |n, u| PPM.saturating_sub(u) >= n)),
        (
            "required_platform",
            needs
                .required_platform
                .as_ref()
                .is_some_and(|n| has.platform.is_empty() || !(*n == has.platform || apple(n) && apple(&has.platform))),
        ),
        ("required_arch", needs.required_arch.as_ref().is_some_and(|n| has.arch.is_empty() || *n != has.arch)),
        ("required_role", fails(needs.required_role, has.role, |n, a| a == n)),
        ("required_tags", !needs.required_tags.iter().all(|tag| has.tags.contains(tag))),
        ("max_cpu_usage", fails(needs.max_cpu_usage_ppm, has.cpu_usage_ppm, |max, u| u.min(PPM) <= max)),
        (
            "max_memory_usage",
            fails(needs.max_memory_usage_ppm, memory, |max, (total, free)| {
                let used = u128::from(total.saturating_sub(free));
                total > 0 && used * u128::from(PPM) <= u128::from(total) * u128::from(max)
            }),
        ),
        ("requires_gpu", needs.requires_gpu && has.gpu != Some(true)),
        ("requires_internet", needs.requires_internet && has.internet != Some(true)),
        ("bandwidth_mbps", fails(needs.bandwidth_kbps, has.bandwidth_kbps, |n, a| a >= n)),
        (
            "requires_sensors",
            !needs
                .requires_sensors
                .iter()
                .all(|sensor| has.sensors.as_ref().is_some_and(|sensors| sensors.contains(sensor))),
        ),
    ];
    rules.into_iter().filter(|(_, fail)| *fail).map(|(start, _)| start).collect()
}

/// Whether something is needed and what there is does not meet it, or is unknown.
fn fails<N, A>(needed: Option<N>, actual: Option<A>, meets: impl Fn(N, A) -> bool) -> bool {
    match (needed, actual) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(needed), Some(actual)) => !meets(needed, actual),
    }
}

fn blocked(candidate: &Candidate<'_>, word: &str) -> bool {
    candidate.record.capacity.blocked.iter().any(|blocked| blocked.word() == word)
}
