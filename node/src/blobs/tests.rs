//! Stores that talk to each other over pipes in memory, some of which damage, cut or stop what passes.

use super::*;
use async_trait::async_trait;
use rc_scheduler::{BlobRef, DeviceId, TaskId};
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::{Instant, sleep};

const MIB: usize = 1 << 20;
const GRACE: Duration = Duration::from_secs(3600);

/// What happens to the bytes that a device sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// The byte at this place of every stream is another one.
    Flip(usize),
    /// Every stream ends there.
    Cut(usize),
}

/// Who can be reached, and how well.
#[derive(Clone, Default)]
struct Lan(Arc<Mutex<HashMap<DeviceId, (Blobs, Fault)>>>);

struct Port {
    me: DeviceId,
    lan: Lan,
}

#[async_trait]
impl Network for Port {
    fn linked(&self) -> Vec<DeviceId> {
        let lan = self.lan.0.lock().unwrap();
        let mut linked: Vec<_> = lan.keys().copied().filter(|id| *id != self.me).collect();
        linked.sort();
        linked
    }

    async fn open(&self, device: DeviceId) -> io::Result<Box<dyn Stream>> {
        let peer = self.lan.0.lock().unwrap().get(&device).cloned();
        let (blobs, fault) = peer.ok_or(io::ErrorKind::NotConnected)?;
        let (client, near) = tokio::io::duplex(64 << 10);
        let (far, server) = tokio::io::duplex(64 << 10);
        blobs.serve_stream(self.me, Box::new(server));
        tokio::spawn(relay(near, far, fault));
        Ok(Box::new(client))
    }
}

async fn relay(near: DuplexStream, far: DuplexStream, fault: Fault) {
    let (mut near_in, mut near_out) = tokio::io::split(near);
    let (mut far_in, mut far_out) = tokio::io::split(far);
    let there = async {
        let _ = tokio::io::copy(&mut near_in, &mut far_out).await;
        let _ = far_out.shutdown().await;
    };
    let back = async {
        let mut at = 0;
        let mut buffer = vec![0; 10_000];
        while let Ok(read @ 1..) = far_in.read(&mut buffer).await {
            let part = &mut buffer[..read];
            match fault {
                Fault::Flip(place) if (at..at + read).contains(&place) => part[place - at] ^= 1,
                Fault::Cut(place) if at + read > place => return,
                _ => {}
            }
            at += read;
            if near_out.write_all(part).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = back => {}
        () = async { there.await; std::future::pending().await } => {}
    }
}

fn device(n: u8) -> DeviceId {
    DeviceId([n; 16])
}

fn data(bytes: usize, seed: usize) -> Vec<u8> {
    (0..bytes).map(|n| (n * 31 + n / 251 + seed) as u8).collect()
}

fn open(lan: &Lan, n: u8, dir: &Path, bytes_max: u64) -> Blobs {
    let port = Port { me: device(n), lan: lan.clone() };
    let blobs =
        Blobs::open(dir, StoreLimits { bytes_max, grace: GRACE, ..StoreLimits::default() }, Arc::new(port)).unwrap();
    lan.0.lock().unwrap().insert(device(n), (blobs.clone(), Fault::None));
    blobs
}

impl Lan {
    fn fault(&self, n: u8, fault: Fault) {
        self.0.lock().unwrap().get_mut(&device(n)).unwrap().1 = fault;
    }

    fn leave(&self, n: u8) {
        self.0.lock().unwrap().remove(&device(n));
    }
}

/// Some stores on one network.
fn stores<const N: usize>() -> (Lan, [Blobs; N], TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let lan = Lan::default();
    let stores = std::array::from_fn(|n| open(&lan, n as u8, &dir.path().join(n.to_string()), 64 << 20));
    (lan, stores, dir)
}

async fn put(blobs: &Blobs, data: &[u8]) -> BlobRef {
    blobs.put(data, Some(data.len() as u64), u64::MAX).await.unwrap()
}

async fn load(blobs: &Blobs, blob: BlobRef) -> Vec<u8> {
    blobs.load(blob, u64::MAX).await.unwrap()
}

async fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !check() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

fn submitted(blob: BlobRef) -> rc_scheduler::Fact {
    let spec = rc_scheduler::TaskSpec { payload_blob: Some(blob), ..Default::default() };
    rc_scheduler::Fact::Submitted(rc_scheduler::Submitted {
        by: device(1),
        by_inc: rc_scheduler::Incarnation::default(),
        number: 1,
        nonce: 1,
        wall_ms: 1,
        spec: rc_scheduler::wire::encode_spec(&spec),
        payload: rc_scheduler::Bytes::default(),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_is_fetched_from_whoever_has_it() {
    let (_, [a, b, c], _dir) = stores();
    for bytes in [0, 1, GROUP_BYTES, GROUP_BYTES + 1, 3 * MIB + 7] {
        let data = data(bytes, 0);
        let blob = put(&c, &data).await;
        assert_eq!(load(&a, blob).await, data, "{bytes}");
        // By its hash alone.
        let mut reader = b.open_blob(blob.hash, None).await.unwrap().part(1..bytes as u64 + 9);
        let mut part = Vec::new();
        while let Some(more) = reader.next().await.unwrap() {
            part.extend_from_slice(&more);
        }
        assert_eq!(part, data[1.min(bytes)..], "{bytes}");
    }
    let absent = BlobRef { hash: rc_scheduler::BlobHash([7; 32]), bytes: 100 };
    assert!(matches!(a.ensure(absent.hash, Some(100)).await, Err(BlobError::Missing { asked: 2, .. })));
    assert!(matches!(a.ensure(absent.hash, None).await, Err(BlobError::Missing { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_byte_anywhere_is_refused_and_the_rest_comes_from_another() {
    let (lan, [a, liar, honest], _dir) = stores();
    // In the length, the list, and the first, a middle and the last group, each after a head of 9 bytes and 13 entries.
    let bytes = 3 * MIB + 7;
    let groups = 9 + 13 * 32;
    let places = [3, 9 + 5, groups + 4 + 77, groups + 5 * (4 + GROUP_BYTES) + 4, groups + 13 * 4 + bytes - 1];
    for (seed, place) in places.into_iter().enumerate() {
        let data = data(bytes, seed);
        let blob = put(&liar, &data).await;
        assert_eq!(put(&honest, &data).await, blob);
        lan.fault(1, Fault::Flip(place));
        let before = a.stats();
        assert_eq!(load(&a, blob).await, data);
        let after = a.stats();
        assert_eq!(after.refused - before.refused, 1, "{place}");
        assert_eq!(after.bytes_in - before.bytes_in, bytes as u64, "{place}: what was right is not fetched twice");
        assert!(a.avoids(blob.hash, device(1)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_only_a_liar_has_is_missing_and_not_wrong() {
    let (lan, [a, liar], _dir) = stores();
    let blob = put(&liar, &data(MIB, 0)).await;
    lan.fault(1, Fault::Flip(500_000));
    let error = a.ensure(blob.hash, Some(blob.bytes)).await.unwrap_err();
    assert!(error.to_string().contains("sent something else"), "{error}");
    assert_eq!(a.here(&blob.hash), None);
    // For this blob it is not asked again at once, for others it is.
    lan.fault(1, Fault::None);
    assert!(a.ensure(blob.hash, Some(blob.bytes)).await.is_err());
    let other = put(&liar, &data(MIB, 1)).await;
    assert_eq!(load(&a, other).await, data(MIB, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_goes_on_after_the_peer_vanished_and_after_a_start() {
    let (lan, [b], dir) = stores();
    let data = data(8 * MIB, 0);
    let blob = put(&b, &data).await;
    let home = dir.path().join("home");
    let a = open(&lan, 9, &home, 64 << 20);
    lan.fault(0, Fault::Cut(3 * MIB));
    assert!(a.ensure(blob.hash, Some(blob.bytes)).await.is_err());
    let first = a.stats().bytes_in;
    assert!(first >= 2 * MIB as u64 && first < 4 * MIB as u64, "{first}");
    lan.leave(9);
    drop(a);
    let a = open(&lan, 9, &home, 64 << 20);
    lan.fault(0, Fault::None);
    assert_eq!(load(&a, blob).await, data);
    assert_eq!(a.stats().bytes_in, data.len() as u64 - first, "only what was not there yet");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_want_the_same_fetch_it_once() {
    let (_, [a, b], _dir) = stores();
    let data = data(4 * MIB, 0);
    let blob = put(&b, &data).await;
    let all = futures_util::future::join_all((0..10).map(|_| load(&a, blob))).await;
    assert!(all.iter().all(|one| *one == data));
    assert_eq!((a.stats().fetched, a.stats().bytes_in), (1, data.len() as u64));
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_are_made_where_they_are_wanted_and_the_count_is_true() {
    let (lan, [a, b, c, d], dir) = stores();
    let blobs = [put(&a, &data(2 * MIB, 0)).await, put(&a, &data(MIB, 1)).await];
    let within = Duration::from_secs(20);
    let holders = a.replicate(&blobs, 1, &[device(3)], within).await;
    assert_eq!(holders, [device(3)].into());
    assert!(blobs.iter().all(|blob| d.here(&blob.hash).is_some() && b.here(&blob.hash).is_none()));
    // One is too small for it: the next is asked, and no more copies are promised than there are.
    let small = open(&lan, 4, &dir.path().join("small"), MIB as u64);
    let holders = a.replicate(&blobs, 9, &[device(4)], within).await;
    assert_eq!(holders, [1, 2, 3].map(device).into());
    assert!(c.here(&blobs[1].hash).is_some());
    assert_eq!((small.stats().usage.blobs, small.stats().usage.used), (0, 0));
    for n in 1..5 {
        lan.leave(n);
    }
    assert_eq!(a.replicate(&blobs, 1, &[device(1)], within).await, [].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_follow_the_records_that_name_them() {
    let (lan, [a, b], _dir) = stores();
    let blob = put(&a, &data(2 * MIB, 0)).await;
    let task = TaskId([1; 16]);
    b.refer(task, &submitted(blob));
    eventually("it came by itself", || b.here(&blob.hash).is_some()).await;
    assert_eq!(b.stats().missing, 0);
    // Nobody has it: it is looked for again when somebody comes.
    let late = put(&a, &data(2 * MIB, 1)).await;
    lan.leave(0);
    b.refer(TaskId([2; 16]), &submitted(late));
    eventually("it was looked for", || b.next_pause(&late.hash).is_some()).await;
    assert_eq!(b.stats().missing, 1);
    lan.0.lock().unwrap().insert(device(0), (a.clone(), Fault::None));
    b.peer_up();
    eventually("it came when its holder did", || b.here(&late.hash).is_some()).await;
    // What is damaged on a disk is fetched anew by a reader.
    b.forget(task);
    assert_eq!(b.list(10).iter().map(|row| row.tasks).sum::<usize>(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_on_a_disk_is_not_passed_on_and_comes_back_from_another() {
    let (_, [a, b, c], dir) = stores();
    let data = data(2 * MIB, 0);
    let blob = put(&a, &data).await;
    put(&b, &data).await;
    a.refer(TaskId([1; 16]), &submitted(blob));
    let name = blob.hash.to_string();
    let file = dir.path().join("0/objects").join(&name[..2]).join(&name);
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[MIB] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    // The first that c asks is the one whose disk forgot.
    assert_eq!(load(&c, blob).await, data);
    assert_eq!(c.stats().refused, 0, "it said so itself");
    assert_eq!(load(&a, blob).await, data);
    assert_eq!(std::fs::read(&file).unwrap(), data);
}
