//! Members that lie: a device runs nothing that it did not offer, says so where others see it, and lives on.

mod member;

use super::support::{config, result, stop, task, until, wait};
use async_trait::async_trait;
use member::{Liar, eventually, told};
use rc_node::handlers::{TaskContext, TaskError, TaskHandler};
use rc_node::identity;
use rc_node::node::{Hooks, Node};
use rc_scheduler::{
    Capacity, Close, Closed, DeviceId, DeviceRecord, Fact, Grounds, Message, Released, Requirements, Status, Submitted,
    TaskId, TaskSpec, wire,
};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A task that leaves a mark: it writes the device's name into the file that the payload names.
struct Mark(&'static str);

#[async_trait]
impl TaskHandler for Mark {
    fn task_type(&self) -> &str {
        "mark"
    }

    async fn execute(&self, _: TaskContext, payload: Value) -> Result<Value, TaskError> {
        std::fs::write(payload["file"].as_str().unwrap(), self.0).unwrap();
        Ok(Value::from(self.0))
    }
}

/// What was started on a device.
#[derive(Default)]
struct Starts(Mutex<Vec<TaskId>>);

impl Hooks for Starts {
    fn on_start(&self, task: TaskId) {
        self.0.lock().unwrap().push(task);
    }
}

/// A device that offers `echo` and `mark` and grants nothing, and one that grants to read files; and the liar.
struct Street {
    dirs: Vec<TempDir>,
    victim: Node,
    friend: Node,
    starts: Arc<Starts>,
    liar: Liar,
}

impl Street {
    async fn new() -> Self {
        let dirs: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
        let starts = Arc::new(Starts::default());
        let mut first = config(dirs[0].path(), "victim", &[]);
        first.handlers = vec![Arc::new(Mark("victim"))];
        first.hooks = Some(Arc::<Starts>::clone(&starts));
        let victim = Node::start(first).await.unwrap();
        identity::join(dirs[1].path(), &victim.handle().invite().await.unwrap().parse().unwrap()).unwrap();
        let mut second = config(dirs[1].path(), "friend", &[]);
        second.handlers = vec![Arc::new(Mark("friend"))];
        second.allow.insert("read_files".to_owned());
        let friend = Node::start(second).await.unwrap();
        for node in [&victim, &friend] {
            until(&node.handle(), "both are up", |peers| peers.len() == 2 && peers.iter().all(|p| p.record.is_some()))
                .await;
        }
        let liar = Liar::join(&[&victim, &friend]).await;
        Self { dirs, victim, friend, starts, liar }
    }

    fn ids(&self) -> (DeviceId, DeviceId) {
        (self.victim.id(), self.friend.id())
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.dirs[2].path().join(name)
    }

    fn started(&self, task: TaskId) -> bool {
        self.starts.0.lock().unwrap().contains(&task)
    }

    async fn end(self) {
        self.liar.leave().await;
        stop(vec![self.victim, self.friend]).await;
    }
}

fn spec(task_type: &str) -> TaskSpec {
    TaskSpec { task_type: task_type.to_owned(), ..TaskSpec::default() }
}

fn one(word: &str) -> std::collections::BTreeSet<String> {
    [word.to_owned()].into()
}

fn at(file: &Path) -> Vec<u8> {
    json!({ "file": file }).to_string().into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_runs_nothing_that_it_does_not_offer_even_if_a_peer_leases_it() {
    let street = Street::new().await;
    let (victim, friend) = street.ids();
    let liar = street.liar.id;
    let limits = Requirements { enforced: one("cpu"), ..Requirements::default() };
    for (n, (spec, by, grounds, text)) in [
        (spec("command"), liar, Grounds::TaskType, "refused: task type not allowed there"),
        (spec("file_operation"), liar, Grounds::TaskType, "refused: task type not allowed there"),
        (spec("../../mark"), liar, Grounds::TaskType, "refused: task type not allowed there"),
        (
            TaskSpec { required_permissions: one("system_commands"), ..spec("mark") },
            liar,
            Grounds::Permissions,
            "refused: permission not granted there",
        ),
        (
            TaskSpec { requirements: limits, ..spec("mark") },
            liar,
            Grounds::Sandbox,
            "refused: limit not enforceable there",
        ),
        // In the name of an honest device, and of the one that shall run it.
        (spec("command"), friend, Grounds::TaskType, "refused: task type not allowed there"),
        (spec("command"), victim, Grounds::TaskType, "refused: task type not allowed there"),
    ]
    .into_iter()
    .enumerate()
    {
        let file = street.file(&n.to_string());
        let mut payload: Value = serde_json::from_slice(&at(&file)).unwrap();
        payload["argv"] = json!(["touch", file]);
        let task = street.liar.leases_to(victim, by, &spec, payload.to_string().as_bytes());
        let Released::Refused { grounds: said, .. } = street.liar.refusal(task, victim).await else {
            panic!("{n}: let go for another reason");
        };
        assert_eq!(said, grounds, "{n}");
        told(&street.friend.handle(), task, victim, text).await;
        assert!(!file.exists() && !street.started(task), "{n}: it ran");
    }
    // The same words, of what it does offer: the rig can lease, and a lease can run.
    let file = street.file("offered");
    let task = street.liar.leases_to(victim, liar, &spec("mark"), &at(&file));
    eventually("what it offers runs", || file.exists().then_some(())).await;
    eventually("and is seen to run", || street.started(task).then_some(())).await;
    street.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_device_refuses_goes_to_another() {
    let street = Street::new().await;
    let (victim, _) = street.ids();
    let file = street.file("elsewhere");
    let needs = TaskSpec { required_permissions: one("read_files"), ..spec("mark") };
    let task = street.liar.leases_to(victim, street.liar.id, &needs, &at(&file));
    street.liar.refusal(task, victim).await;
    street.liar.resign();
    let report = wait(&street.friend.handle(), task).await;
    assert_eq!((report.status, result(&report)), (Status::Completed, json!("friend")));
    assert_eq!(std::fs::read_to_string(file).unwrap(), "friend");
    assert!(!street.started(task));
    street.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_offered_to_nobody_else_is_withdrawn_when_somebody_comes() {
    let dir = tempfile::tempdir().unwrap();
    let mut alone = config(dir.path(), "alone", &[]);
    alone.allow_alone = one("command");
    alone.worker_program = Some(env!("CARGO_BIN_EXE_rc-node").into());
    let node = Node::start(alone).await.unwrap();
    let handle = node.handle();
    let done = wait(&handle, submit(&handle, task("command", r#"{"argv":["true"]}"#)).await).await;
    assert_eq!(done.status, Status::Completed, "{done:#?}");
    let liar = Liar::join(&[&node]).await;
    let task = liar.leases_to(node.id(), liar.id, &spec("command"), br#"{"argv":["true"]}"#);
    let released = liar.refusal(task, node.id()).await;
    assert!(matches!(released, Released::Refused { grounds: Grounds::TaskType, .. }), "{released:?}");
    liar.leave().await;
    stop(vec![node]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_device_record_makes_nobody_run_anything_and_is_forgotten() {
    let street = Street::new().await;
    let (victim, friend) = (street.victim.handle(), street.friend.handle());
    let ids = street.ids();
    let honest = friend.peers().await.unwrap().into_iter().find(|peer| peer.id == ids.0).unwrap().record.unwrap();
    let offers =
        Capacity { task_types: ["command", "echo", "ghost"].map(str::to_owned).into(), ..honest.capacity.clone() };
    let record = |sequence| DeviceRecord { sequence, capacity: offers.clone(), ..honest.clone() };
    // A number that the device will not reach, a later life; in the open and over the liar's link.
    let later = rc_scheduler::Incarnation { boots: 900, wakes: 0 };
    for forged in [record(u64::MAX), DeviceRecord { incarnation: later, ..record(1) }] {
        street.liar.gossips(wire::encode_record(&forged));
        street.liar.says(ids.1, &Message::Record(Box::new(forged)));
    }
    street.liar.says(ids.1, &Message::Record(Box::new(record(honest.sequence + 50))));
    // One that cannot be told from the device's own.
    street.liar.gossips(wire::encode_record(&record(honest.sequence + 100)));
    until(&friend, "the forged record is believed", |peers| {
        let of_victim = peers.iter().find(|peer| peer.id == ids.0).and_then(|peer| peer.record.as_ref());
        of_victim.is_some_and(|record| record.capacity.task_types.contains("ghost"))
    })
    .await;
    let id = submit(&friend, task("ghost", "{}")).await;
    told(&friend, id, ids.0, "refused: task type not allowed there").await;
    until(&friend, "the device has contradicted", |peers| {
        let of_victim = peers.iter().find(|peer| peer.id == ids.0).and_then(|peer| peer.record.as_ref());
        of_victim.is_some_and(|record| !record.capacity.task_types.contains("ghost"))
    })
    .await;
    let report = friend.task(id).await.unwrap();
    assert_eq!(report.status, Status::Pending, "{report:#?}");
    assert!(!street.started(id));
    let echo = wait(&victim, submit(&friend, task("echo", "7")).await).await;
    assert_eq!(result(&echo), json!(7));
    street.end().await;
}

async fn submit(handle: &rc_node::driver::Handle, task: rc_scheduler::NewTask) -> TaskId {
    handle.submit(vec![task], None).await.unwrap().tasks[0]
}

/// Memory of this process, bytes.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_dropped_and_leaves_nothing_behind() {
    let street = Street::new().await;
    let (victim, _) = street.ids();
    let (liar, handle) = (&street.liar, street.victim.handle());
    let file = street.file("nonsense");
    let kept = handle.status().await.unwrap().tasks_kept;

    // A specification that is not what the id is a hash of; another payload; another acceptor.
    let (task_id, honest) = liar.submitted(&spec("mark"), &at(&file));
    let Fact::Submitted(honest) = honest else { unreachable!("it was just made") };
    let forged = [
        Submitted { spec: wire::encode_spec(&spec("echo")), ..honest.clone() },
        Submitted { payload: b"{}".as_slice().into(), ..honest.clone() },
        Submitted { by: victim, ..honest.clone() },
        Submitted { spec: b"\xff\xff".as_slice().into(), ..honest },
    ];
    for forged in forged {
        liar.says_facts(victim, vec![(task_id, Fact::Submitted(forged)), (task_id, liar.lease(victim, liar.id))]);
    }
    // Leases, ends and cancels of tasks that are not there.
    let strangers = (0..4_000_u32).map(|n| {
        let mut id = [0xee; 16];
        id[..4].copy_from_slice(&n.to_be_bytes());
        let epoch = rc_scheduler::Epoch::new(1, n, 1);
        let close = Close::Released(Released::Stale);
        let by_inc = liar.life_of(victim);
        (TaskId(id), Fact::Closed(Closed { epoch, by: victim, by_inc, close }))
    });
    liar.says_facts(victim, strangers.collect());
    // Bytes that are no message, and messages that no version knows.
    for kind in 0..=255_u8 {
        liar.says_bytes(victim, [&[kind][..], &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]].concat())
            .unwrap();
        liar.says_bytes(victim, vec![kind; 3_000]).unwrap();
    }
    // Specifications of three megabytes: each is refused, and none is kept.
    let before = resident();
    let large = TaskSpec { extra: vec![b' '; 3 << 20].into(), ..spec("echo") };
    for _ in 0..60 {
        let lease = liar.lease(victim, liar.id);
        let (id, submitted) = liar.submitted(&large, b"{}");
        let facts = Message::Facts(rc_scheduler::Facts {
            frame: u64::MAX,
            first: 0,
            facts: vec![(id, submitted), (id, lease)],
        });
        let bytes = wire::encode(&facts);
        let deadline = Instant::now() + super::support::PATIENCE;
        while liar.says_bytes(victim, bytes.clone()).is_err() {
            assert!(Instant::now() < deadline, "the link does not take it");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    // Behind all of that in the same queue: once it is refused, everything before it was looked at.
    let last = liar.leases_to(victim, liar.id, &spec("ghost"), b"{}");
    liar.refusal(last, victim).await;
    let grown = resident().saturating_sub(before);
    assert!(grown < 96 << 20, "{} MiB more", grown >> 20);
    assert_eq!(handle.status().await.unwrap().tasks_kept, kept + 1);
    assert!(!file.exists());
    let echo = wait(&handle, submit(&handle, task("echo", "1")).await).await;
    assert_eq!(result(&echo), json!(1));
    street.end().await;
}
