//! The writer answers every batch once, in order, and flushes when it is closed.

use std::sync::mpsc;

use super::*;
use crate::storage::{CommitError, Event, SubmitError, Writer};

#[test]
fn everything_submitted_is_durable_when_the_writer_is_closed() {
    let dir = tempfile::tempdir().expect("dir");
    let (tell, told) = mpsc::channel();
    let writer =
        Writer::start(open_intact(dir.path()), 64, move |event| tell.send(event).expect("open")).expect("start");
    let mut waiting = Vec::new();
    for n in 1..=500u64 {
        let mut batches = vec![(n, put_batch(n, "a", &n.to_le_bytes()))];
        while let Err(SubmitError::Busy(back)) = writer.submit(batches) {
            batches = back;
            waiting.push(told.recv().expect("an event"));
        }
    }
    while let Err(SubmitError::Busy(_)) = writer.load(task(500)) {
        waiting.push(told.recv().expect("an event"));
    }
    let mut storage = writer.close().expect("no panic");
    assert_eq!(all(&mut storage).len(), 500);
    waiting.extend(told.try_iter());
    let mut highest = 0;
    let mut loaded = false;
    for event in waiting {
        match event {
            Event::Durable { upto } => {
                assert!(upto > highest, "numbers rise");
                highest = upto;
            }
            Event::Loaded { task: of, record } => {
                assert_eq!((of, highest), (task(500), 500), "a load sees what was submitted before");
                assert!(record.expect("readable").is_some());
                loaded = true;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((highest, loaded), (500, true));
    drop(storage);
    assert_eq!(all(&mut open_intact(dir.path())).len(), 500);
}

#[test]
fn a_refused_batch_comes_back_and_smaller_ones_go_on() {
    let dir = tempfile::tempdir().expect("dir");
    let options = Options { bytes_max: 1 << 20, ..Options::default() };
    let (tell, told) = mpsc::channel();
    let writer = Writer::start(open_with(dir.path(), options).0, 8, move |event| tell.send(event).expect("open"))
        .expect("start");
    let large = put_batch(1, "a", &vec![1; 2 << 20]);
    writer.submit(vec![(1, large.clone()), (2, put_batch(2, "a", b"small"))]).expect("queued");
    drop(writer);
    let events: Vec<Event> = told.iter().collect();
    let [Event::Refused { upto: 1, batch, error: CommitError::Full }, Event::Durable { upto: 2 }] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(*batch, large);
    assert_eq!(all(&mut open_intact(dir.path())).into_keys().collect::<Vec<_>>(), vec![task(2)]);
}
