//! Reads `*.txt` beside this file: lines of devices and tasks, and under each task what `explain` must say of it.
//!
//! ```text
//! device NAME KEY=VALUE…     keys as in `device`; what is not there is unknown, or none
//! task NAME KEY=VALUE…       keys as in `task`
//! = NAME cpu memory load network affinity total [chosen]
//!   - unmet requirement      one line each, below the device's, with the word for it and what would help
//! ```
//!
//! A device's and a task's id is its name in bytes. Shares are in parts per million. `# ` begins a comment.
//! `UPDATE_TABLES=1 cargo test` writes what the code says; read the difference before you believe it.

use rc_scheduler::{
    Blocked, Candidate, Capacity, DeviceId, DeviceRecord, Remedy, Role, TaskId, TaskSpec, Unmet, WhyNot, explain, pick,
    refusal,
};
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn amounts() {
    check("amounts");
}

#[test]
fn kinds() {
    check("kinds");
}

#[test]
fn owners() {
    check("owners");
}

#[test]
fn score() {
    check("score");
}

/// A device line.
struct Device {
    name: String,
    record: DeviceRecord,
    leased_unseen: u32,
    reachable: bool,
    refused: bool,
}

impl Device {
    fn candidate(&self) -> Candidate<'_> {
        Candidate {
            record: &self.record,
            leased_unseen: self.leased_unseen,
            reachable: self.reachable,
            refused: self.refused,
        }
    }
}

fn check(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/placement").join(name).with_extension("txt");
    let table = std::fs::read_to_string(&path).expect("the table is there");
    let said = evaluate(&table);
    if std::env::var_os("UPDATE_TABLES").is_some() {
        std::fs::write(&path, said).expect("the table can be written");
        return;
    }
    for (number, (table, said)) in table.lines().zip(said.lines()).enumerate() {
        assert_eq!(table, said, "{}:{}", path.display(), number + 1);
    }
    assert_eq!(table.len(), said.len(), "lines missing or too many");
}

/// The table with its expectations replaced by what the code says.
fn evaluate(table: &str) -> String {
    let mut devices: Vec<Device> = Vec::new();
    let mut out = String::new();
    for line in table.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            ["=" | "-", ..] => continue,
            ["device", name, ref keys @ ..] => devices.push(device(name, keys)),
            ["devices", "end"] => devices.clear(),
            _ => {}
        }
        out.push_str(line);
        out.push('\n');
        if let ["task", name, ref keys @ ..] = words[..] {
            describe(&mut out, &devices, TaskId(id(name)), &task(keys));
        }
    }
    out
}

fn describe(out: &mut String, devices: &[Device], task: TaskId, spec: &TaskSpec) {
    let rows = explain(task, spec, devices.iter().map(Device::candidate), &BTreeSet::new());
    let picked = pick(task, spec, devices.iter().map(Device::candidate));
    let chosen = rows.iter().find(|row| row.chosen).map(|row| row.device);
    assert_eq!(picked.map(|pick| pick.device), chosen);
    for row in rows {
        let device = devices.iter().find(|device| device.record.device == row.device).expect("a row is of a candidate");
        let t = row.terms;
        let terms = [t.cpu, t.memory, t.load, t.network, t.affinity, row.total];
        out.push_str(&format!("= {:<9}", device.name));
        out.extend(terms.map(|term| format!(" {term:>7}")));
        out.push_str(if row.chosen { "  chosen\n" } else { "\n" });
        for (unmet, remedy) in row.unmet.iter().zip(&row.remedies) {
            out.push_str(&format!("  - {unmet}  [{}]  {}\n", unmet.reason(), words(remedy)));
        }
    }
}

/// What would help.
fn words(remedy: &Remedy) -> String {
    match remedy {
        Remedy::Ask(flag) => flag.clone(),
        Remedy::At(wall_ms) => format!("at {wall_ms}"),
        Remedy::When(what) => format!("when {what}"),
        Remedy::Owner(what) => format!("owner: {what}"),
        Remedy::Never => "never".to_owned(),
    }
}

fn id(name: &str) -> [u8; 16] {
    let mut id = [0; 16];
    id[..name.len()].copy_from_slice(name.as_bytes());
    id
}

fn device(name: &str, keys: &[&str]) -> Device {
    let mut device = Device {
        name: name.into(),
        record: DeviceRecord { device: DeviceId(id(name)), ..DeviceRecord::default() },
        leased_unseen: 0,
        reachable: true,
        refused: false,
    };
    device.record.capacity.task_types = set("echo,sleep");
    device.record.capacity.max_concurrent_tasks = 5;
    for key in keys {
        let record = &mut device.record;
        let has = &mut record.capacity;
        match pair(key) {
            ("platform", v) => has.platform = v.into(),
            ("arch", v) => has.arch = v.into(),
            ("role", v) => has.role = Some(role(v)),
            ("tags", v) => has.tags = set(v),
            ("cores", v) => has.cpu_cores_milli = Some(small(scaled(v, 1_000))),
            ("cpu", v) => has.cpu_usage_ppm = Some(small(scaled(v, 10_000))),
            ("memory", v) => (has.memory_available_bytes, has.memory_total_bytes) = space(v),
            ("storage", v) => (has.storage_available_bytes, has.storage_total_bytes) = space(v),
            ("gpu", v) => has.gpu = Some(yes(v)),
            ("internet", v) => has.internet = Some(yes(v)),
            ("mbps", v) => has.bandwidth_kbps = Some(scaled(v, 1_000)),
            ("sensors", v) => has.sensors = Some(set(v)),
            ("types", v) => has.task_types = set(v),
            ("grants", v) => has.permissions = set(v),
            ("enforces", v) => has.enforces = set(v),
            ("level", v) => has.sandbox_level = u8::try_from(scaled(v, 1)).expect("a small number"),
            ("why", v) => {
                has.blocked_why = has.blocked.iter().map(|by| (*by, v.replace('_', " "))).collect();
            }
            ("until_ms", v) => {
                has.blocked_until_wall_ms = has.blocked.iter().map(|by| (*by, scaled(v, 1))).collect();
            }
            ("blocked", v) => {
                has.blocked = v.split(',').map(|w| Blocked::from_word(w).expect("why it is blocked")).collect();
            }
            ("slots", v) => has.max_concurrent_tasks = small(scaled(v, 1)),
            ("active", v) => record.active_tasks = small(scaled(v, 1)),
            ("queued", v) => record.queued_tasks = small(scaled(v, 1)),
            ("latency_ms", v) => record.latency_us = Some(small(scaled(v, 1_000))),
            ("affinity", v) => record.affinity = set(v),
            ("unseen", v) => device.leased_unseen = small(scaled(v, 1)),
            ("reachable", v) => device.reachable = yes(v),
            ("refused", v) => device.refused = yes(v),
            (key, _) => panic!("a device has no {key}"),
        }
    }
    device
}

fn task(keys: &[&str]) -> TaskSpec {
    let mut spec = TaskSpec { task_type: "echo".into(), ..TaskSpec::default() };
    for key in keys {
        let needs = &mut spec.requirements;
        match pair(key) {
            ("type", v) => spec.task_type = v.into(),
            ("permissions", v) => spec.required_permissions = set(v),
            ("enforced", v) => needs.enforced = set(v),
            ("min_cpu_cores", v) => needs.min_cpu_cores_milli = Some(small(scaled(v, 1_000))),
            ("min_memory_gb", v) => needs.min_memory_bytes = Some(scaled(v, 1 << 30)),
            ("min_storage_gb", v) => needs.min_storage_bytes = Some(scaled(v, 1 << 30)),
            ("min_storage_bytes", v) => needs.min_storage_bytes = Some(scaled(v, 1)),
            ("min_cpu_available", v) => {
                needs.min_cpu_available_ppm = Some(small(scaled(v, 10_000)));
            }
            ("required_platform", v) => needs.required_platform = Some(v.into()),
            ("required_arch", v) => needs.required_arch = Some(v.into()),
            ("required_role", v) => needs.required_role = Some(role(v)),
            ("required_tags", v) => needs.required_tags = set(v),
            ("max_cpu_usage", v) => needs.max_cpu_usage_ppm = Some(small(scaled(v, 10_000))),
            ("max_memory_usage", v) => {
                needs.max_memory_usage_ppm = Some(small(scaled(v, 10_000)));
            }
            ("requires_gpu", v) => needs.requires_gpu = yes(v),
            ("requires_internet", v) => needs.requires_internet = yes(v),
            ("bandwidth_mbps", v) => needs.bandwidth_kbps = Some(scaled(v, 1_000)),
            ("requires_sensors", v) => needs.requires_sensors = set(v),
            ("exclusive", v) => needs.exclusive = yes(v),
            ("exclude_devices", v) => needs.exclude_devices = devices(v),
            ("only_devices", v) => needs.only_devices = devices(v),
            (key, _) => panic!("a task has no {key}"),
        }
    }
    spec
}

fn pair<'a>(key: &&'a str) -> (&'a str, &'a str) {
    key.split_once('=').expect("KEY=VALUE")
}

fn set(words: &str) -> BTreeSet<String> {
    words.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn devices(names: &str) -> BTreeSet<DeviceId> {
    names.split(',').map(|name| DeviceId(id(name))).collect()
}

fn role(word: &str) -> Role {
    Role::from_word(word).expect("a role")
}

fn yes(word: &str) -> bool {
    match word {
        "yes" => true,
        "no" => false,
        other => panic!("{other} is neither yes nor no"),
    }
}

/// `AVAILABLE/TOTAL` in GB; `?` is unknown.
fn space(text: &str) -> (Option<u64>, Option<u64>) {
    let (available, total) = text.split_once('/').expect("AVAILABLE/TOTAL");
    let bytes = |text| (text != "?").then(|| scaled(text, 1 << 30));
    (bytes(available), bytes(total))
}

/// A decimal number times `unit`, rounded down.
fn scaled(text: &str, unit: u64) -> u64 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: u128 = format!("{whole}{fraction}").parse().expect("a number");
    let scaled = digits * u128::from(unit) / 10_u128.pow(u32::try_from(fraction.len()).expect("few digits"));
    u64::try_from(scaled).expect("fits in 64 bits")
}

fn small(value: u64) -> u32 {
    u32::try_from(value).expect("fits in 32 bits")
}

#[test]
fn a_device_that_lacks_a_type_says_why() {
    for (why, words) in [
        (Some(WhyNot::NotBuilt), "is not in the device's program"),
        (Some(WhyNot::NotHere), "is not possible on the device's system"),
        (Some(WhyNot::NotAllowed), "is not allowed by the device's owner"),
        (None, "is unknown to the device"),
    ] {
        let lacks = why.map(|why| ("wasm".to_owned(), why)).into_iter().collect();
        let spec = TaskSpec { task_type: "wasm".to_owned(), ..TaskSpec::default() };
        let unmet = refusal(&spec, &Capacity { lacks, ..Capacity::default() }).expect("it does not fit");
        assert_eq!(unmet.to_string(), format!("task type wasm {words}"));
    }
}

#[test]
fn the_nearest_is_never_one_that_the_task_leaves_out() {
    let few = [Unmet::OnlyDevices];
    let many = [Unmet::RequiresGpu { actual: None }, Unmet::RequiresSensors { missing: vec![], known: false }];
    let away = [Unmet::Unreachable];
    let mut rows = [&few[..], &away, &many];
    rows.sort_by_key(|unmet| Unmet::distance(unmet));
    assert_eq!(rows, [&many[..], &away, &few]);
    assert!(Unmet::distance(&many[..1]) < Unmet::distance(&many));
}

#[test]
fn a_type_that_a_device_does_not_know_is_not_its_owners_to_allow() {
    let needed = || "render".to_owned();
    let remedy = |why| Unmet::TaskType { needed: needed(), why }.remedy(&DeviceRecord::default());
    assert_eq!(remedy(None), Remedy::Owner("[handlers.render] in its configuration".to_owned()));
    assert_eq!(remedy(Some(WhyNot::NotAllowed)), Remedy::Owner("--allow render there".to_owned()));
    assert_eq!(remedy(Some(WhyNot::NotBuilt)), Remedy::Never);
}
