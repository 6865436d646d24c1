//! Whether a device may be given a task: every requirement of SPEC section 2, and the rules of the device's owner.
//!
//! Written once: [`fits`] stops at the first thing that is missing and builds nothing, [`unmet`] collects all of it. What is
//! unknown never satisfies a requirement. A device whose slots are all taken still fits: it counts in the score, and leases wait
//! for the device's credit.

use super::candidate::Candidate;
use super::score::{PPM, share_ppm};
use super::unmet::Unmet;
use crate::device::Capacity;
use crate::task::TaskSpec;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::ControlFlow;

/// Leases that wait on a device before it counts as full.
pub const QUEUE_MAX: u32 = 1_000_000;

/// All that keeps the task from this device, in a fixed order; empty if it fits.
#[must_use]
pub fn unmet(spec: &TaskSpec, candidate: &Candidate<'_>) -> Vec<Unmet> {
    let mut all = Vec::new();
    let _: ControlFlow<()> = check(spec, candidate, &mut all);
    all
}

/// Whether nothing keeps the task from this device.
#[must_use]
pub fn fits(spec: &TaskSpec, candidate: &Candidate<'_>) -> bool {
    check(spec, candidate, &mut StopAtFirst).is_continue()
}

/// What keeps a device from a task by what its owner grants and what it can enforce, if anything does. A device asks this of itself
/// right before it starts an attempt, whatever others believed of it.
#[must_use]
pub fn refusal(spec: &TaskSpec, has: &Capacity) -> Option<Unmet> {
    let mut all = Vec::new();
    let _: ControlFlow<()> = owner(spec, has, &mut all);
    let _: ControlFlow<()> = sandbox(spec, has, &mut all);
    all.into_iter().next()
}

/// Where unmet requirements go. Takes a closure, so that who only wants to know whether there is one pays for no text.
trait Sink {
    fn add(&mut self, unmet: impl FnOnce() -> Unmet) -> ControlFlow<()>;
}

struct StopAtFirst;

impl Sink for StopAtFirst {
    fn add(&mut self, _: impl FnOnce() -> Unmet) -> ControlFlow<()> {
        ControlFlow::Break(())
    }
}

impl Sink for Vec<Unmet> {
    fn add(&mut self, unmet: impl FnOnce() -> Unmet) -> ControlFlow<()> {
        self.push(unmet());
        ControlFlow::Continue(())
    }
}

fn check(spec: &TaskSpec, candidate: &Candidate<'_>, sink: &mut impl Sink) -> ControlFlow<()> {
    state(candidate, sink)?;
    owner(spec, &candidate.record.capacity, sink)?;
    sandbox(spec, &candidate.record.capacity, sink)?;
    choice(spec, candidate, sink)?;
    amounts(spec, &candidate.record.capacity, sink)?;
    kind(spec, &candidate.record.capacity, sink)?;
    usage(spec, &candidate.record.capacity, sink)?;
    extras(spec, &candidate.record.capacity, sink)
}

/// Whether it takes work at all now.
fn state(candidate: &Candidate<'_>, sink: &mut impl Sink) -> ControlFlow<()> {
    if !candidate.reachable {
        sink.add(|| Unmet::Unreachable)?;
    }
    if candidate.refused {
        sink.add(|| Unmet::Refused)?;
    }
    let has = &candidate.record.capacity;
    for by in &has.blocked {
        sink.add(|| Unmet::Blocked { by: *by, why: has.blocked_why.get(by).cloned().unwrap_or_default() })?;
    }
    let queued = candidate.record.queued_tasks;
    if queued >= QUEUE_MAX {
        sink.add(|| Unmet::QueueFull { limit: QUEUE_MAX, queued })?;
    }
    ControlFlow::Continue(())
}

/// What its owner grants.
fn owner(spec: &TaskSpec, has: &Capacity, sink: &mut impl Sink) -> ControlFlow<()> {
    if !has.task_types.contains(&spec.task_type) {
        sink.add(|| {
            let why = has.lacks.get(&spec.task_type).copied();
            Unmet::TaskType { needed: spec.task_type.clone(), why }
        })?;
    }
    if !spec.required_permissions.is_subset(&has.permissions) {
        sink.add(|| Unmet::Permissions { missing: missing(&spec.required_permissions, &has.permissions) })?;
    }
    ControlFlow::Continue(())
}

/// What it can hold the task to.
fn sandbox(spec: &TaskSpec, has: &Capacity, sink: &mut impl Sink) -> ControlFlow<()> {
    let needs = &spec.requirements.enforced;
    if !needs.is_subset(&has.enforces) {
        sink.add(|| Unmet::Sandbox { missing: missing(needs, &has.enforces), level: has.sandbox_level })?;
    }
    ControlFlow::Continue(())
}

/// What the task says of devices by name.
fn choice(spec: &TaskSpec, candidate: &Candidate<'_>, sink: &mut impl Sink) -> ControlFlow<()> {
    let needs = &spec.requirements;
    let device = &candidate.record.device;
    if needs.exclude_devices.contains(device) {
        sink.add(|| Unmet::ExcludeDevices)?;
    }
    if !needs.only_devices.is_empty() && !needs.only_devices.contains(device) {
        sink.add(|| Unmet::OnlyDevices)?;
    }
    ControlFlow::Continue(())
}

/// How much there must be.
fn amounts(spec: &TaskSpec, has: &Capacity, sink: &mut impl Sink) -> ControlFlow<()> {
    let needs = &spec.requirements;
    if let Some(needed_milli) = below(needs.min_cpu_cores_milli, has.cpu_cores_milli) {
        sink.add(|| Unmet::MinCpuCores { needed_milli, actual_milli: has.cpu_cores_milli })?;
    }
    if let Some(needed_bytes) = below(needs.min_memory_bytes, has.memory_available_bytes) {
        sink.add(|| Unmet::MinMemory {
            needed_bytes,
            actual_bytes: has.memory_available_bytes,
            total_bytes: has.memory_total_bytes,
        })?;
    }
    if let Some(needed_bytes) = below(needs.min_storage_bytes, has.storage_available_bytes) {
        sink.add(|| Unmet::MinStorage { needed_bytes, actual_bytes: has.storage_available_bytes })?;
    }
    let idle = has.cpu_usage_ppm.map(|usage| PPM.saturating_sub(usage));
    if let Some(needed_ppm) = below(needs.min_cpu_available_ppm, idle) {
        sink.add(|| Unmet::MinCpuAvailable { needed_ppm, actual_ppm: idle })?;
    }
    ControlFlow::Continue(())
}

/// What it must be.
fn kind(spec: &TaskSpec, has: &Capacity, sink: &mut impl Sink) -> ControlFlow<()> {
    let needs = &spec.requirements;
    if let Some(needed) = &needs.required_platform
        && (has.platform.is_empty() || one_name(needed) != one_name(&has.platform))
    {
        sink.add(|| Unmet::RequiredPlatform { needed: needed.clone(), actual: known(&has.platform) })?;
    }
    if let Some(needed) = &needs.required_arch
        && (has.arch.is_empty() || *needed != has.arch)
    {
        sink.add(|| Unmet::RequiredArch { needed: needed.clone(), actual: known(&has.arch) })?;
    }
    if let Some(needed) = needs.required_role
        && has.role != Some(needed)
    {
        sink.add(|| Unmet::RequiredRole { needed, actual: has.role })?;
    }
    if !needs.required_tags.is_subset(&has.tags) {
        sink.add(|| Unmet::RequiredTags { missing: missing(&needs.required_tags, &has.tags) })?;
    }
    ControlFlow::Continue(())
}

/// How busy it may be.
fn usage(spec: &TaskSpec, has: &Capacity, sink: &mut impl Sink) -> ControlFlow<()> {
    let needs = &spec.requirements;
    let cpu = has.cpu_usage_ppm.map(|usage| usage.min(PPM));
    if let Some(max_ppm) = above(needs.max_cpu_usage_ppm, cpu) {
        sink.add(|| Unmet::MaxCpuUsage { max_ppm, actual_ppm: cpu })?;
    }
    if needs.max_memory_usage_ppm.is_some() {
        let memory = memory_usage_ppm(has);
        if let Some(max_ppm) = above(needs.max_memory_usage_ppm, memory) {
            sink.add(|| Unmet::MaxMemoryUsage { max_ppm, actual_ppm: memory })?;
        }
    }
    ControlFlow::Continue(())
}

/// What else it must have.
fn extras(spec: &TaskSpec, has: &Capacity, sink: &mut impl Sink) -> ControlFlow<()> {
    let needs = &spec.requirements;
    if needs.requires_gpu && has.gpu != Some(true) {
        sink.add(|| Unmet::RequiresGpu { actual: has.gpu })?;
    }
    if needs.requires_internet && has.internet != Some(true) {
        sink.add(|| Unmet::RequiresInternet { actual: has.internet })?;
    }
    if let Some(needed_kbps) = below(needs.bandwidth_kbps, has.bandwidth_kbps) {
        sink.add(|| Unmet::Bandwidth { needed_kbps, actual_kbps: has.bandwidth_kbps })?;
    }
    let sensors = &needs.requires_sensors;
    match &has.sensors {
        Some(has) if sensors.is_subset(has) => {}
        None if sensors.is_empty() => {}
        Some(has) => sink.add(|| Unmet::RequiresSensors { missing: missing(sensors, has), known: true })?,
        None => sink.add(|| Unmet::RequiresSensors { missing: sensors.iter().cloned().collect(), known: false })?,
    }
    ControlFlow::Continue(())
}

/// The minimum, if it is not reached.
fn below<T: Ord + Copy>(min: Option<T>, actual: Option<T>) -> Option<T> {
    min.filter(|min| actual.is_none_or(|actual| actual < *min))
}

/// The maximum, if it may be exceeded.
fn above<T: Ord + Copy>(max: Option<T>, actual: Option<T>) -> Option<T> {
    max.filter(|max| actual.is_none_or(|actual| actual > *max))
}

/// The used share of the memory, rounded up.
fn memory_usage_ppm(has: &Capacity) -> Option<u32> {
    let total = has.memory_total_bytes.filter(|bytes| *bytes > 0)?;
    Some(PPM - share_ppm(has.memory_available_bytes?, total))
}

/// Apple's system has two names.
fn one_name(platform: &str) -> &str {
    match platform {
        "darwin" => "macos",
        other => other,
    }
}

fn known(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.into())
}

fn missing(needed: &BTreeSet<String>, has: &BTreeSet<String>) -> Vec<String> {
    needed.difference(has).cloned().collect()
}
