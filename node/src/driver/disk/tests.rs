use super::*;
use crate::storage::CommitError;
use rc_scheduler::{DeviceId, Member, Stable};
use std::cell::{Cell, RefCell};

#[derive(Default)]
struct Fake {
    got: RefCell<Vec<(u64, Batch)>>,
    loads: RefCell<Vec<TaskKey>>,
    busy: Cell<bool>,
    jobs: Cell<usize>,
}

impl Submit for Fake {
    fn submit(&self, batches: Numbered) -> Result<(), SubmitError<Numbered>> {
        if self.busy.get() {
            return Err(SubmitError::Busy(batches));
        }
        self.jobs.set(self.jobs.get() + 1);
        self.got.borrow_mut().extend(batches);
        Ok(())
    }

    fn load(&self, task: TaskKey) -> Result<(), SubmitError<TaskKey>> {
        if self.busy.get() {
            return Err(SubmitError::Busy(task));
        }
        self.loads.borrow_mut().push(task);
        Ok(())
    }
}

fn member(n: u8) -> Vec<Entry> {
    vec![Entry::Member(Member { device: DeviceId([n; 16]), version: 0, keeps: true, retired: false, revoked: false })]
}

fn refuse(disk: &mut Disk<Fake>, now: Mono) -> Told {
    let (upto, batch) = disk.writer.got.borrow_mut().remove(0);
    disk.handle(now, Event::Refused { upto, batch, error: CommitError::Full })
}

#[test]
fn a_write_is_confirmed_only_with_all_before_it() {
    let mut disk = Disk::new(Fake::default());
    let start = Mono(10);
    for upto in 1..=3 {
        disk.persist(upto, member(upto as u8));
    }
    disk.flush(Mono(0), false);
    assert_eq!(disk.writer.jobs.get(), 1, "what was written in one turn goes together");
    assert_eq!(refuse(&mut disk, start), Told { healthy: Some(false), persisted: None });
    // The two after it arrive; they must not be taken for the first.
    assert_eq!(disk.handle(start, Event::Durable { upto: 3 }), Told::default());
    disk.persist(4, member(4));
    disk.flush(Mono(0), false);
    assert_eq!(disk.writer.got.borrow().len(), 2, "what comes later waits behind what was refused");

    assert_eq!(disk.wake(), Some(start + RETRY));
    disk.retry(start);
    assert_eq!(disk.writer.got.borrow().len(), 2, "not yet");
    disk.retry(start + RETRY);
    assert_eq!(disk.writer.got.borrow()[2].0, 4, "under a new number");
    assert_eq!(disk.wake(), None);
    let told = disk.handle(start, Event::Durable { upto: 4 });
    assert_eq!(told, Told { healthy: Some(true), persisted: Some(3) });
    disk.flush(Mono(0), false);
    assert_eq!(disk.writer.got.borrow()[3].0, 5, "what waited follows");
    assert_eq!(disk.handle(start, Event::Durable { upto: 5 }), Told { healthy: None, persisted: Some(4) });
    assert!(disk.is_idle());
}

#[test]
fn a_probe_that_is_refused_waits_again() {
    let mut disk = Disk::new(Fake::default());
    disk.persist(1, member(1));
    disk.flush(Mono(0), false);
    refuse(&mut disk, Mono(0));
    disk.retry(Mono(0) + RETRY);
    let later = Mono(0) + RETRY;
    assert_eq!(refuse(&mut disk, later), Told::default(), "told once");
    assert_eq!(disk.wake(), Some(later + RETRY));
}

#[test]
fn a_busy_writer_gets_the_rest_after_its_next_event() {
    let mut disk = Disk::new(Fake::default());
    disk.persist(1, member(1));
    disk.flush(Mono(0), false);
    disk.writer.busy.set(true);
    disk.persist(2, member(2));
    disk.persist(3, member(3));
    disk.flush(Mono(0), false);
    disk.writer.busy.set(false);
    assert_eq!(disk.handle(Mono(0), Event::Durable { upto: 1 }).persisted, Some(1));
    disk.flush(Mono(0), false);
    assert_eq!(disk.writer.got.borrow()[1..].iter().map(|(number, _)| *number).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(disk.handle(Mono(0), Event::Durable { upto: 3 }).persisted, Some(3));
    assert!(disk.is_idle());
}

#[test]
fn a_read_waits_for_room_and_goes_on_while_the_disk_is_full() {
    let mut disk = Disk::new(Fake::default());
    disk.writer.busy.set(true);
    disk.load(TaskId([1; 16]));
    disk.flush(Mono(0), false);
    assert!(disk.writer.loads.borrow().is_empty());
    disk.writer.busy.set(false);
    disk.persist(1, member(1));
    disk.flush(Mono(0), false);
    assert_eq!(*disk.writer.loads.borrow(), [[1; 16]]);
    refuse(&mut disk, Mono(0));
    disk.load(TaskId([2; 16]));
    disk.flush(Mono(0), false);
    assert_eq!(*disk.writer.loads.borrow(), [[1; 16], [2; 16]]);
}

fn lease(n: u8) -> Vec<Entry> {
    let (task, me) = (TaskId([n; 16]), DeviceId([1; 16]));
    let stable = Stable { round: 0, term: 1, by: me, disks: 2 };
    vec![Entry::Fact(task, Fact::Stable(stable))]
}

#[test]
fn what_nobody_waits_for_is_gathered_for_a_moment() {
    let mut disk = Disk::new(Fake::default());
    let start = Mono(1_000_000);
    let jobs = |disk: &Disk<Fake>| disk.writer.jobs.get();
    disk.persist(1, lease(1));
    disk.flush(start, true);
    assert_eq!((jobs(&disk), disk.wake()), (1, None), "the first goes at once");
    disk.persist(2, lease(2));
    disk.flush(start + Span(1), true);
    disk.persist(3, lease(3));
    disk.flush(start + Span(2), true);
    assert_eq!((jobs(&disk), disk.wake()), (1, Some(start + GATHER)));
    disk.flush(start + GATHER, true);
    assert_eq!((jobs(&disk), disk.wake(), disk.writer.got.borrow().len()), (2, None, 3));

    disk.persist(4, lease(4));
    disk.persist(5, member(5));
    disk.flush(start + GATHER + Span(1), true);
    assert_eq!(jobs(&disk), 3, "somebody may wait for one of them");
    disk.persist(6, lease(6));
    disk.flush(start + GATHER + Span(2), true);
    disk.flush(start + GATHER + Span(3), false);
    assert_eq!((jobs(&disk), disk.wake()), (4, None), "there is nothing more to gather");
}
