//! A task that nobody can run names what is missing, holds up no other however urgent it is, and begins by itself when its device is
//! what it asks for, or when one comes that is.

use super::*;
use std::collections::BTreeSet;

fn words(word: &str) -> BTreeSet<String> {
    [word.to_owned()].into()
}

/// What a task asks.
type Ask = fn(&mut TaskSpec);

/// What a task asks, and what makes a device fit it that has been plain so far.
type Case = (&'static str, Ask, fn(&mut Capacity));

const CASES: &[Case] = &[
    ("min_cpu_cores 2.5", |t| t.requirements.min_cpu_cores_milli = Some(2_500), |d| d.cpu_cores_milli = Some(4_000)),
    (
        "min_memory_gb 3",
        |t| t.requirements.min_memory_bytes = Some(3 << 30),
        |d| d.memory_available_bytes = Some(4 << 30),
    ),
    (
        "min_storage_gb 0.5",
        |t| t.requirements.min_storage_bytes = Some(1 << 29),
        |d| d.storage_available_bytes = Some(1 << 30),
    ),
    (
        "min_cpu_available 50",
        |t| t.requirements.min_cpu_available_ppm = Some(500_000),
        |d| d.cpu_usage_ppm = Some(100_000),
    ),
    ("max_cpu_usage 30", |t| t.requirements.max_cpu_usage_ppm = Some(300_000), |d| d.cpu_usage_ppm = Some(100_000)),
    (
        "max_memory_usage 60",
        |t| t.requirements.max_memory_usage_ppm = Some(600_000),
        |d| d.memory_available_bytes = Some(5 << 30),
    ),
    (
        "required_platform macos",
        |t| t.requirements.required_platform = Some("macos".to_owned()),
        |d| d.platform = "darwin".to_owned(),
    ),
    (
        "required_arch armv7",
        |t| t.requirements.required_arch = Some("armv7".to_owned()),
        |d| d.arch = "armv7".to_owned(),
    ),
    ("required_role mobile", |t| t.requirements.required_role = Some(Role::Mobile), |d| d.role = Some(Role::Mobile)),
    ("required_tags ssd", |t| t.requirements.required_tags = words("ssd"), |d| d.tags = words("ssd")),
    ("requires_gpu", |t| t.requirements.requires_gpu = true, |d| d.gpu = Some(true)),
    ("requires_internet", |t| t.requirements.requires_internet = true, |d| d.internet = Some(true)),
    ("bandwidth_mbps 20", |t| t.requirements.bandwidth_kbps = Some(20_000), |d| d.bandwidth_kbps = Some(50_000)),
    ("requires_sensors gps", |t| t.requirements.requires_sensors = words("gps"), |d| d.sensors = Some(words("gps"))),
    ("sandbox", |t| t.requirements.enforced = words("cpu"), |d| d.enforces = words("cpu")),
    ("read_files", |t| t.required_permissions = words("read_files"), |d| d.permissions = words("read_files")),
    ("task type rare", |t| t.task_type = "rare".to_owned(), |d| _ = d.task_types.insert("rare".to_owned())),
];

/// One that measures little and is busy.
fn plain() -> Capacity {
    Capacity {
        max_concurrent_tasks: 4,
        task_types: words("echo"),
        platform: "linux".to_owned(),
        arch: "x86_64".to_owned(),
        cpu_cores_milli: Some(2_000),
        cpu_usage_ppm: Some(800_000),
        memory_total_bytes: Some(8 << 30),
        memory_available_bytes: Some(1 << 30),
        storage_available_bytes: Some(1 << 28),
        bandwidth_kbps: Some(1_000),
        ..Capacity::default()
    }
}

impl Core {
    /// Goes on, with a quick disk, until something begins here; how often something did.
    pub(crate) fn starts_within(&mut self, seconds: u64) -> usize {
        let mut starts = 0;
        for _ in 0..seconds * 4 {
            self.now.mono = self.now.mono + Span::from_ms(250);
            self.now.wall_ms += 250;
            let lines = [self.does(Input::Tick), self.persisted()].concat();
            starts += lines.iter().filter(|line| line.starts_with("start attempt")).count();
            if starts > 0 {
                break;
            }
        }
        starts
    }

    /// Why what waits here waits.
    fn reasons(&self) -> Vec<String> {
        let view = self.core.view();
        let waits = view.tasks().filter(|task| view.status(*task) == Some(Status::Pending));
        waits.filter_map(|task| Some(view.waiting_reason(task)?.1)).collect()
    }

    /// How often something begins in its place.
    fn ends_what_runs(&mut self) -> usize {
        let mut lines = Vec::new();
        for (task, epoch) in self.core.view().running().collect::<Vec<_>>() {
            lines.extend(self.does(Input::Attempt { task, epoch, event: AttemptEvent::Ended(outcome(None)) }));
        }
        lines.iter().filter(|line| line.starts_with("start attempt")).count()
    }
}

fn waiting(change: impl FnOnce(&mut TaskSpec)) -> Core {
    let mut core = Core::new();
    core.does(Input::Capacity(Box::new(plain())));
    let mut spec = TaskSpec { priority: Priority::Urgent, ..echo() };
    change(&mut spec);
    assert_eq!(core.submit(spec), ["persist submitted"]);
    core.persisted();
    core
}

#[test]
fn whatever_a_device_lacks_is_named_and_a_change_of_it_is_enough() {
    for (word, ask, change) in CASES {
        let mut core = waiting(ask);
        let reasons = core.reasons();
        assert!(reasons.len() == 1 && reasons[0].contains(word), "{word}: {reasons:?}");
        let behind = core.submit(TaskSpec { priority: Priority::Background, ..echo() });
        assert_eq!(behind, ["persist submitted, leased"], "{word}: the one before it is in nobody's way");
        assert!(core.persisted().contains(&"start attempt 1".to_owned()), "{word}");
        core.ends_what_runs();
        assert_eq!(core.starts_within(30), 0, "{word}: nothing has changed");

        let mut better = plain();
        change(&mut better);
        let at_once = core.does(Input::Capacity(Box::new(better)));
        let begun = [at_once, core.persisted()].concat().contains(&"start attempt 1".to_owned());
        assert!(begun || core.starts_within(10) == 1, "{word}: {:?}", core.reasons());
        assert_eq!(core.reasons(), [""; 0], "{word}");
    }
}

#[test]
fn a_task_that_wants_a_device_for_itself_has_it_when_that_is_free_and_nothing_joins_it() {
    let mut core = Core::new();
    core.does(Input::Capacity(Box::new(plain())));
    core.submit(echo());
    assert!(core.persisted().contains(&"start attempt 1".to_owned()));
    let mut alone = TaskSpec { priority: Priority::Urgent, ..echo() };
    alone.requirements.exclusive = true;
    core.submit(alone);
    core.persisted();
    assert_eq!(core.core.view().running().count(), 1, "something runs already");
    assert_eq!(core.ends_what_runs() + core.starts_within(30), 1);
    core.submit(echo());
    core.persisted();
    assert_eq!(core.starts_within(30), 0, "nothing begins beside it");
    assert_eq!(core.ends_what_runs() + core.starts_within(30), 1);
}

#[test]
fn a_task_for_another_device_begins_there_when_it_comes() {
    let cases: [(&str, Ask); 2] = [
        ("only_devices", |t| t.requirements.only_devices = [device(PEER)].into()),
        ("exclude_devices", |t| t.requirements.exclude_devices = [device(ME)].into()),
    ];
    for (word, ask) in cases {
        let mut core = waiting(ask);
        assert!(core.reasons()[0].contains(word), "{word}: {:?}", core.reasons());
        assert_eq!(core.starts_within(5), 0);
        let mut lines = core.meets_peer();
        let record = DeviceRecord {
            device: device(PEER),
            incarnation: INC,
            sequence: 1,
            capacity: Capacity { cpu_usage_ppm: Some(0), ..plain() },
            ..DeviceRecord::default()
        };
        lines.extend(core.does(Input::Device(Box::new(record))));
        lines.extend(core.persisted());
        assert!(lines.iter().any(|line| line.starts_with("send Want")), "{word}: it is asked for room: {lines:?}");
        lines.extend(core.says(Message::Grant(Grant { limit: 4 })));
        let leased = lines.iter().any(|line| line.contains("persist leased"));
        assert!(leased, "{word}: {lines:?} {:?}", core.reasons());
    }
}
