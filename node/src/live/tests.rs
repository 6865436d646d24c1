//! Two and three devices whose streams are pipes: who follows hears everything, copies outlive their source, and nobody else's copies
//! are taken.

use super::wire::{Frame, Request};
use super::*;
use crate::driver::WeakHandle;
use crate::handlers::Stream;
use async_trait::async_trait;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

const PATIENCE: Duration = Duration::from_secs(20);
const TASK: TaskId = TaskId([5; 16]);
const EPOCH: Epoch = Epoch(7);
const A: DeviceId = DeviceId([1; 16]);
const B: DeviceId = DeviceId([2; 16]);

/// Devices by their names; a stream to one that is not there fails.
#[derive(Default)]
struct Air(Mutex<HashMap<DeviceId, Live>>);

struct Wire(DeviceId, Arc<Air>);

#[async_trait]
impl Network for Wire {
    fn linked(&self) -> Vec<DeviceId> {
        locked(&self.1.0).keys().copied().collect()
    }
    async fn open(&self, device: DeviceId) -> io::Result<Box<dyn NetworkStream>> {
        let live = locked(&self.1.0).get(&device).cloned().ok_or(io::ErrorKind::NotConnected)?;
        let (near, mut far) = tokio::io::duplex(1000);
        let me = self.0;
        tokio::spawn(async move {
            use tokio::io::AsyncReadExt;
            assert_eq!(far.read_u8().await.unwrap(), SERVICE);
            live.serve_stream(me, Box::new(far));
        });
        Ok(Box::new(near))
    }
}

fn device(me: DeviceId, air: &Arc<Air>) -> Live {
    let live = Live::new(me, Arc::new(Wire(me, air.clone())));
    locked(&air.0).insert(me, live.clone());
    live
}

async fn follow(live: &Live, device: DeviceId, from: u64, stay: bool) -> Box<dyn NetworkStream> {
    live.open(device, Request::Follow { key: (TASK, EPOCH), from, stay }).await.unwrap()
}

/// Hears a stream to its end: what was written, and the last frame.
async fn hear(mut stream: Box<dyn NetworkStream>) -> (String, Frame) {
    let mut text = String::new();
    loop {
        match timeout(PATIENCE, Frame::read(&mut stream)).await.unwrap().unwrap() {
            Frame::Output(piece) => text.push_str(std::str::from_utf8(&piece.bytes).unwrap()),
            Frame::State(_) => {}
            last => return (text, last),
        }
    }
}

#[tokio::test]
async fn who_follows_from_the_beginning_or_late_hears_all_of_it() {
    let air = Arc::default();
    let (a, b) = (device(A, &air), device(B, &air));
    // Asked for before it has begun.
    let early = follow(&b, A, 0, true).await;
    let writer = a.begin(TASK, EPOCH);
    let here = follow(&a, A, 0, true).await;
    let early = tokio::spawn(hear(early));
    let here = tokio::spawn(hear(here));
    let mut all = String::new();
    for n in 0..5000 {
        let line = format!("line {n}\n");
        writer.output(if n / 10 % 3 == 0 { Stream::Stderr } else { Stream::Stdout }, line.as_bytes());
        all.push_str(&line);
        if n % 500 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let now = hear(follow(&b, A, 0, false).await).await;
    assert_eq!(now, (all.clone(), Frame::Open(all.len() as u64)));
    let late = hear(follow(&b, A, 1000, false).await).await;
    assert_eq!(late.0, all[1000..]);
    a.end(TASK, EPOCH);
    let end = Frame::End(all.len() as u64);
    assert_eq!(early.await.unwrap(), (all.clone(), end.clone()));
    assert_eq!(here.await.unwrap(), (all.clone(), end.clone()));
    assert_eq!(hear(follow(&b, A, 0, true).await).await, (all, end));
}

#[tokio::test]
async fn one_that_writes_nothing_ends_and_an_unknown_one_is_absent() {
    let air = Arc::default();
    let (a, b) = (device(A, &air), device(B, &air));
    a.ask(WeakHandle::that_says(B));
    let writer = a.begin(TASK, EPOCH);
    writer.usage(ResourceUsage { cpu_micros: Some(7), memory_bytes_max: None });
    writer.progress(40, "half");
    let mut state = follow(&b, A, u64::MAX, false).await;
    let said = Frame::read(&mut state).await.unwrap();
    let expected =
        LiveState { percent: Some(40), text: "half".to_owned(), cpu_micros: Some(7), memory_bytes_max: None };
    assert_eq!(said, Frame::State(expected));
    let stream = tokio::spawn(hear(follow(&b, A, 0, true).await));
    sleep(Duration::from_millis(50)).await;
    a.end(TASK, EPOCH);
    assert_eq!(stream.await.unwrap(), (String::new(), Frame::End(0)));
    assert_eq!(hear(follow(&b, A, 0, true).await).await.1, Frame::Absent);
    assert_eq!(hear(follow(&b, B, 0, false).await).await.1, Frame::Absent);
    assert!(locked(&a.0.due).is_empty(), "nothing was sent for nothing");
}

/// Waits until a device has so much of the attempt.
async fn until_copied(live: &Live, bytes: u64) {
    let deadline = Instant::now() + PATIENCE;
    while live.read((TASK, EPOCH), 0, 0).is_none_or(|reading| reading.end < bytes) {
        assert!(Instant::now() < deadline, "no copy of {bytes} bytes");
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_copy_outlives_its_source_and_is_taken_from_the_holder_alone() {
    let air = Arc::default();
    let (a, b) = (device(A, &air), device(B, &air));
    b.ask(WeakHandle::that_says(A));
    a.ask(WeakHandle::that_says(B));
    let writer = a.begin(TASK, EPOCH);
    writer.output(Stream::Stdout, b"one ");
    until_copied(&b, 4).await;
    // As long as it is away nothing comes; later all of it does.
    locked(&air.0).remove(&B);
    writer.output(Stream::Stderr, b"two ");
    locked(&air.0).insert(B, b.clone());
    writer.output(Stream::Stdout, b"three");
    until_copied(&b, 13).await;
    locked(&air.0).remove(&A);
    drop((a, writer));
    assert_eq!(hear(follow(&b, B, 0, false).await).await, ("one two three".to_owned(), Frame::Open(13)));

    let c = device(DeviceId([3; 16]), &air);
    let mut liar = c.open(B, Request::Copy).await.unwrap();
    let mut out = Vec::new();
    Frame::About((TASK, EPOCH)).encode(&mut out);
    let piece = journal::Piece { at: 13, stream: Stream::Stdout, offset: 9, bytes: b"lies".to_vec() };
    Frame::Output(piece).encode(&mut out);
    Frame::End(17).encode(&mut out);
    // Not a frame at all: the other end hangs up, having read what came before.
    out.push(99);
    liar.write_all(&out).await.unwrap();
    assert!(timeout(PATIENCE, Frame::read(&mut liar)).await.unwrap().is_err());
    assert_eq!(hear(follow(&b, B, 0, false).await).await.1, Frame::Open(13));
}
