//! Handing tasks in: what is too large for a fact becomes a blob, and every blob that a task names is on as many disks as were asked for
//! before the task is accepted.

use super::handle::{Accepted, DriverError, Handle};
use super::request::Request;
use crate::blobs::{Pinned, copy_time};
use crate::clock;
use crate::telemetry::otlp::of_submit;
use crate::trace::{self, Trace, Traceparent};
use rc_scheduler::{BlobRef, Bytes, NewTask, PAYLOAD_BYTES_MAX};
use std::collections::BTreeSet;

/// Disks that a task is on before the answer, if nobody says how many.
const DISKS_DEFAULT: usize = 2;

impl Handle {
    /// Puts tasks into the trace of whoever submits them, or each into one of its own. [`Handle::submit`] does the latter to those that
    /// are in none.
    pub fn trace(&self, tasks: &mut [NewTask], context: Option<Traceparent>) {
        let now = clock::now().wall_ms;
        for task in tasks {
            trace::stamp(task, || context.map_or_else(|| Trace::new(self.traces.next(now)), Trace::from));
        }
    }

    /// Accepts tasks, all or none; answers when `disks` devices (`None`: the default) have stored them, or after 2 s with the true count.
    ///
    /// A payload above [`PAYLOAD_BYTES_MAX`] becomes a blob; blobs are copied first, which is waited for in proportion to their size.
    ///
    /// # Errors
    /// See [`DriverError`]; nothing was accepted.
    pub async fn submit(&self, mut tasks: Vec<NewTask>, disks: Option<usize>) -> Result<Accepted, DriverError> {
        self.trace(&mut tasks, None);
        let Some(spans) = &self.spans else { return Ok(self.hand_in(tasks, disks).await?.0) };
        let traces: Vec<_> = tasks.iter().map(|task| trace::named(&task.spec.extra)).collect();
        let begun = clock::now().wall_ms;
        let (accepted, staged) = self.hand_in(tasks, disks).await?;
        let times = [begun, staged, clock::now().wall_ms];
        for (task, trace) in accepted.tasks.iter().zip(traces) {
            let trace = trace.unwrap_or_else(|| Trace::of(*task, None));
            if trace.sampled {
                spans.take(of_submit(*task, trace, accepted.disks.len(), times));
            }
        }
        Ok(accepted)
    }

    /// Also when all that the tasks work with was here, milliseconds since 1970.
    async fn hand_in(&self, mut tasks: Vec<NewTask>, disks: Option<usize>) -> Result<(Accepted, u64), DriverError> {
        let (named, _pins) = self.stage(&mut tasks).await?;
        let staged = clock::now().wall_ms;
        if named.is_empty() {
            return Ok((self.ask(|answer| Request::Submit { tasks, disks, answer }).await?, staged));
        }
        let blobs = self.blobs();
        let time = copy_time(named.iter().map(|blob| blob.bytes).sum());
        let copies = disks.unwrap_or(DISKS_DEFAULT).saturating_sub(1);
        let mut holders = blobs.replicate(&named, copies, &[], time).await;
        let mut accepted = self.ask(|answer| Request::Submit { tasks, disks, answer }).await?;
        // Those that took the task need not be those that took its blobs first.
        let me = accepted.disks.first().copied();
        let others: Vec<_> = accepted.disks.iter().skip(1).copied().filter(|id| !holders.contains(id)).collect();
        holders.extend(blobs.replicate_to(&named, &others, time).await);
        accepted.disks.retain(|device| Some(*device) == me || holders.contains(device));
        Ok((accepted, staged))
    }

    /// Makes blobs of long payloads, and sees to it that all blobs named are here. Returns them, kept until a record names them.
    async fn stage(&self, tasks: &mut [NewTask]) -> Result<(Vec<BlobRef>, Vec<Pinned>), DriverError> {
        let blobs = self.blobs();
        let limit = blobs.payload_bytes_max();
        let long = |(index, task): (usize, &NewTask)| {
            let bytes = task.payload.len() as u64;
            (bytes > limit).then_some(DriverError::PayloadTooLarge { index, bytes, limit })
        };
        if let Some(error) = tasks.iter().enumerate().find_map(long) {
            return Err(error);
        }
        let (mut named, mut pins) = (BTreeSet::new(), Vec::new());
        for task in tasks {
            if task.payload.len() > PAYLOAD_BYTES_MAX {
                let payload = std::mem::take(&mut task.payload);
                let bytes = Some(payload.len() as u64);
                task.spec.payload_blob = Some(blobs.put(&payload[..], bytes, limit).await.map_err(DriverError::blob)?);
                task.payload = Bytes::default();
            }
            for blob in task.spec.payload_blob.iter_mut().chain(&mut task.spec.blobs) {
                // Whoever names it may not know its length; here it is known.
                pins.push(blobs.pin([blob.hash]));
                *blob = blobs.ensure(blob.hash, None).await.map_err(DriverError::blob)?;
                named.insert(*blob);
            }
        }
        Ok((named.into_iter().collect(), pins))
    }
}
