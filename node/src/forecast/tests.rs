//! The virtual cluster against what a person can work out.

use super::*;
use crate::driver::{PeerReport, TaskReport};
use rc_scheduler::{Capacity, DeviceRecord, Outcome, Span, Status, TaskSpec};

const NOW: u64 = 1_750_000_000_000;

fn device(number: u8, slots: u32) -> PeerReport {
    let id = DeviceId([number; 16]);
    let capacity = Capacity {
        name: format!("d{number}"),
        cpu_usage_ppm: Some(0),
        max_concurrent_tasks: slots,
        task_types: ["sleep".to_owned(), "rare".to_owned()].into(),
        ..Capacity::default()
    };
    let record = DeviceRecord { device: id, capacity, ..DeviceRecord::default() };
    PeerReport {
        id,
        me: number == 1,
        record: Some(record),
        state: "idle",
        incarnation: None,
        heard_ms_ago: None,
        address: None,
        twins: false,
    }
}

fn task(number: u8, task_type: &str) -> TaskReport {
    TaskReport {
        id: TaskId([number; 16]),
        spec: Some(TaskSpec { task_type: task_type.to_owned(), timeout: Span::from_secs(50), ..TaskSpec::default() }),
        payload: rc_scheduler::Bytes::default(),
        status: Status::Pending,
        reason: None,
        detail: None,
        acceptor: Some(DeviceId([1; 16])),
        submitted_wall_ms: NOW - 1_000 + u64::from(number),
        device: None,
        attempts: Vec::new(),
        decided: None,
        outcome: None,
        error: None,
        disks: 0,
        progress: None,
        progress_text: None,
    }
}

fn done(number: u8, seconds: u64, on: u8) -> TaskReport {
    let outcome = Outcome {
        error: None,
        body: rc_scheduler::Bytes::default(),
        started_wall_ms: NOW - 500_000,
        finished_wall_ms: NOW - 500_000 + seconds * 1_000,
        run: Span::from_secs(seconds),
    };
    let status = Status::Completed;
    let submitted_wall_ms = NOW - 600_000 + u64::from(number);
    TaskReport {
        status,
        submitted_wall_ms,
        device: Some(DeviceId([on; 16])),
        outcome: Some(outcome),
        ..task(number, "sleep")
    }
}

/// Within a second of it: leases take their time.
fn about(ms: u64, seconds: u64) -> bool {
    (seconds * 1_000..=seconds * 1_000 + 1_500).contains(&ms)
}

#[test]
fn six_tasks_of_ten_seconds_take_twenty_on_three_devices_and_thirty_on_two() {
    let peers = [device(1, 1), device(2, 1), device(3, 1)];
    let mut reports: Vec<_> = (1..=6).map(|number| task(number, "sleep")).collect();
    reports.extend((100..105).map(|number| done(number, 10, 2)));
    let all = forecast(&peers, &reports, &Asked::default(), NOW).unwrap();
    assert!(about(all.makespan_ms, 20), "{all:#?}");
    assert_eq!(all.tasks.len(), 6);
    assert!(all.tasks.iter().all(|task| matches!(task.basis, Basis::There(5) | Basis::Elsewhere(5))), "{all:#?}");
    let asked = Asked { without: vec![DeviceId([3; 16])], ..Asked::default() };
    let fewer = forecast(&peers, &reports, &asked, NOW).unwrap();
    assert!(about(fewer.makespan_ms, 30), "{fewer:#?}");
    let extra = Extra { capacity: device(9, 3).record.unwrap().capacity, like: Some(DeviceId([2; 16])) };
    let asked = Asked { add: vec![extra], ..Asked::default() };
    let more = forecast(&peers, &reports, &asked, NOW).unwrap();
    assert!(about(more.makespan_ms, 10), "{more:#?}");
    assert_eq!(forecast(&peers, &reports, &Asked::default(), NOW), Ok(all), "the same every time");
}

#[test]
fn what_has_no_record_is_bounded_by_its_timeout_and_what_fits_nowhere_is_named() {
    let peers = [device(1, 2)];
    let mut choosy = task(2, "sleep");
    choosy.spec.as_mut().unwrap().requirements.required_tags = ["moon".to_owned()].into();
    let reports = [task(1, "rare"), choosy, done(100, 10, 1)];
    let told = forecast(&peers, &reports, &Asked::default(), NOW).unwrap();
    assert_eq!(told.tasks[0].basis, Basis::Timeout);
    assert!(about(told.makespan_ms, 50), "{told:#?}");
    assert!(told.tasks[1].misfit.as_ref().is_some_and(|why| why.contains("moon")), "{told:#?}");
}

#[test]
fn a_device_that_is_paused_until_then_works_then() {
    let mut pausing = device(1, 1);
    let capacity = &mut pausing.record.as_mut().unwrap().capacity;
    capacity.blocked = [rc_scheduler::Blocked::Paused].into();
    capacity.blocked_until_wall_ms = [(rc_scheduler::Blocked::Paused, NOW + 3_600_000)].into();
    let reports = [task(1, "sleep"), done(100, 10, 1)];
    let told = forecast(&[pausing], &reports, &Asked::default(), NOW).unwrap();
    assert!(about(told.makespan_ms, 3_610), "{told:#?}");
}

#[test]
fn a_replay_takes_as_long_as_it_took_and_half_of_it_with_twice_the_devices() {
    let peers = [device(1, 1)];
    let reports: Vec<_> = (100..104).map(|number| done(number, 30, 1)).collect();
    let replay = Some(Span::from_secs(3_600));
    let again = forecast(&peers, &reports, &Asked { replay, ..Asked::default() }, NOW).unwrap();
    assert!(about(again.makespan_ms, 120), "{again:#?}");
    assert!(again.tasks.iter().all(|task| task.basis == Basis::Own));
    let extra = Extra { capacity: device(9, 1).record.unwrap().capacity, like: Some(DeviceId([1; 16])) };
    let twice = forecast(&peers, &reports, &Asked { replay, add: vec![extra], ..Asked::default() }, NOW).unwrap();
    assert!(about(twice.makespan_ms, 60), "{twice:#?}");
}

#[test]
fn what_waits_for_other_tasks_begins_when_they_have_ended() {
    let peers = [device(1, 4), device(2, 4)];
    let after = |number: u8, deps: &[u8]| {
        let mut report = task(number, "sleep");
        report.spec.as_mut().unwrap().after = deps.iter().map(|dep| TaskId([*dep; 16])).collect();
        report.reason = Some(rc_scheduler::Reason::WaitingDependency);
        report
    };
    let mut never = task(6, "sleep");
    never.spec.as_mut().unwrap().requirements.required_tags = ["moon".to_owned()].into();
    // 100 has ended, 1 is open, 9 is not known.
    let reports = [
        task(1, "sleep"),
        after(2, &[1, 100]),
        after(3, &[1]),
        after(4, &[2, 3]),
        after(5, &[9]),
        never,
        after(7, &[6]),
        after(8, &[7]),
        done(100, 10, 1),
    ];
    let told = forecast(&peers, &reports, &Asked::default(), NOW).unwrap();
    assert!(about(told.makespan_ms, 30), "{told:#?}");
    let of = |number: u8| told.tasks.iter().find(|task| task.task == TaskId([number; 16])).unwrap();
    for (number, seconds) in [(1, 0), (2, 10), (3, 10), (4, 20)] {
        assert!(about(of(number).runs.unwrap().1, seconds), "{number}: {told:#?}");
    }
    let why = |number: u8| of(number).misfit.clone().unwrap_or_default();
    assert!(why(5).starts_with("waits for ") && why(5).ends_with(", of which nothing is known here"), "{told:#?}");
    assert!(why(6).contains("moon"), "{told:#?}");
    for number in [7, 8] {
        assert_eq!(why(number), format!("waits for {}, which would not run", TaskId([number - 1; 16])));
    }
}
