//! Group commit: one thread that owns the store and makes everything that arrived meanwhile durable with one sync.
//!
//! Knows nothing of what it writes. No timer and no sleep: a lone batch is written at once, and what arrives during its
//! sync shares the next one. When nothing arrives, the thread sleeps in `recv`.

use std::{
    io,
    sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel},
    thread::{Builder, JoinHandle},
};

use super::{
    batch::{Batch, TaskKey},
    chain::TaskRecord,
    error::{CommitError, ReadError},
    store::Storage,
};

/// What the writer tells, from its own thread.
#[derive(Debug)]
pub enum Event {
    /// Every batch up to this number is on disk, except those that were refused.
    Durable {
        /// The highest number.
        upto: u64,
    },
    /// This batch is not on disk, and no later `Durable` will cover it. It can be submitted again, under a new number.
    Refused {
        /// Its number.
        upto: u64,
        /// The batch.
        batch: Batch,
        /// Why.
        error: CommitError,
    },
    /// The answer to [`Writer::load`].
    Loaded {
        /// The task.
        task: TaskKey,
        /// Its record; `None` if there is none.
        record: Result<Option<TaskRecord>, ReadError>,
    },
    /// Housekeeping met a failed disk: later batches will be refused.
    Failed(CommitError),
}

/// The queue did not take it.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError<T> {
    /// The disk is behind. Try again after the next event.
    #[error("the queue to the disk is full")]
    Busy(T),
    /// The writer has stopped.
    #[error("the writer has stopped")]
    Stopped(T),
}

/// Who wants to know of several records, in the order asked.
type Told = Box<dyn FnOnce(Vec<Result<Option<TaskRecord>, ReadError>>) + Send>;

/// Batches, each with its number.
pub type Numbered = Vec<(u64, Batch)>;

enum Job {
    Commit(Numbered),
    Load(TaskKey),
    Read(Vec<TaskKey>, Told),
}

/// A handle to the thread. Dropping it flushes and waits, as [`Writer::close`] does.
#[derive(Debug)]
pub struct Writer {
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<Storage>>,
}

impl Writer {
    /// Starts the thread. `queue` bounds the jobs that wait; `tell` must not block for long, the disk waits for it.
    pub fn start(storage: Storage, queue: usize, tell: impl FnMut(Event) + Send + 'static) -> io::Result<Writer> {
        let (jobs, received) = sync_channel(queue);
        let worker = Worker { storage, received, tell };
        let thread = Builder::new().name("storage".to_owned()).spawn(move || worker.run())?;
        Ok(Writer { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Queues batches, all or none, which share a sync as far as they fit into one. Numbers must rise.
    pub fn submit(&self, batches: Numbered) -> Result<(), SubmitError<Numbered>> {
        self.send(Job::Commit(batches)).map_err(|error| match error {
            TrySendError::Full(Job::Commit(batches)) => SubmitError::Busy(batches),
            TrySendError::Disconnected(Job::Commit(batches)) => SubmitError::Stopped(batches),
            TrySendError::Full(_) | TrySendError::Disconnected(_) => SubmitError::Stopped(Vec::new()),
        })
    }

    /// Asks for a task's record; the answer is an [`Event::Loaded`] and sees every batch submitted before.
    pub fn load(&self, task: TaskKey) -> Result<(), SubmitError<TaskKey>> {
        self.send(Job::Load(task)).map_err(|error| match error {
            TrySendError::Full(_) => SubmitError::Busy(task),
            TrySendError::Disconnected(_) => SubmitError::Stopped(task),
        })
    }

    /// Reads several records, and calls `told` with them on the writer's own thread: the disk waits for it. False, and it is not called,
    /// if the queue has no room.
    pub fn read(
        &self,
        tasks: Vec<TaskKey>,
        told: impl FnOnce(Vec<Result<Option<TaskRecord>, ReadError>>) + Send + 'static,
    ) -> bool {
        self.send(Job::Read(tasks, Box::new(told))).is_ok()
    }

    fn send(&self, job: Job) -> Result<(), TrySendError<Job>> {
        match &self.jobs {
            Some(jobs) => jobs.try_send(job),
            None => Err(TrySendError::Disconnected(job)),
        }
    }

    /// Writes all that was submitted, stops the thread and gives the store back; `None` if the thread panicked.
    pub fn close(mut self) -> Option<Storage> {
        self.finish()
    }

    fn finish(&mut self) -> Option<Storage> {
        self.jobs = None;
        self.thread.take().and_then(|thread| thread.join().ok())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.finish();
    }
}

struct Worker<F> {
    storage: Storage,
    received: Receiver<Job>,
    tell: F,
}

/// Batches that share a sync.
#[derive(Default)]
struct Group {
    batches: Numbered,
    bytes: usize,
}

impl<F: FnMut(Event)> Worker<F> {
    fn run(mut self) -> Storage {
        while let Some(job) = self.next() {
            self.handle(job);
        }
        self.storage
    }

    /// Waits for a job, with housekeeping while none is there.
    fn next(&mut self) -> Option<Job> {
        loop {
            match self.received.try_recv() {
                Ok(job) => return Some(job),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => {}
            }
            match self.storage.maintain() {
                Ok(true) => {}
                Ok(false) => return self.received.recv().ok(),
                Err(error) => (self.tell)(Event::Failed(error)),
            }
        }
    }

    fn handle(&mut self, job: Job) {
        let mut group = Group::default();
        let mut next = Some(job);
        while let Some(job) = next.take() {
            match job {
                Job::Commit(batches) => {
                    for (upto, batch) in batches {
                        if group.bytes + batch.bytes() > super::batch::BATCH_BYTES_MAX {
                            self.commit(std::mem::take(&mut group));
                        }
                        group.bytes += batch.bytes();
                        group.batches.push((upto, batch));
                    }
                }
                Job::Load(task) => {
                    self.commit(std::mem::take(&mut group));
                    let record = self.storage.get_task(&task);
                    (self.tell)(Event::Loaded { task, record });
                }
                Job::Read(tasks, told) => {
                    self.commit(std::mem::take(&mut group));
                    told(tasks.iter().map(|task| self.storage.get_task(task)).collect());
                }
            }
            next = self.received.try_recv().ok();
        }
        self.commit(group);
    }

    fn commit(&mut self, group: Group) {
        let Some(upto) = group.batches.last().map(|(upto, _)| *upto) else {
            return;
        };
        match self.storage.commit_all(group.batches.iter().map(|(_, batch)| batch)) {
            Ok(()) => (self.tell)(Event::Durable { upto }),
            // Together they do not fit, or some may not: each gets its own answer. Slow, and rare.
            Err(_) => {
                for (upto, batch) in group.batches {
                    let event = match self.storage.commit(&batch) {
                        Ok(()) => Event::Durable { upto },
                        Err(error) => Event::Refused { upto, batch, error },
                    };
                    (self.tell)(event);
                }
            }
        }
    }
}
