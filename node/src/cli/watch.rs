//! Waits for tasks and tells how it goes. Knows when to give up, and what to say then.

use super::error::{CliError, Exit};
use super::progress::Progress;
use crate::api::Problem;
use crate::api::model::{ResultView, TaskDetail, status_filter};
use crate::client::{Client, path_part};
use crate::config::units::show_duration;
use serde::Deserialize;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior};

const POLL: Duration = Duration::from_millis(500);
/// One request waits so long; then it is asked again.
const ASK_SECONDS: u32 = 3_600;
/// Devices are found, and device records arrive, within this time; who fits by then, fits.
pub(super) const NO_FIT_AFTER: Duration = Duration::from_secs(5);

/// When to stop waiting.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Limits {
    /// After so long.
    pub(super) timeout: Option<Duration>,
    /// When no device has fit for so long.
    pub(super) no_fit_after: Option<Duration>,
}

/// How the wait ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// With the task.
    Settled(Box<ResultView>),
    /// It took too long; where the task stands, in words.
    TimedOut(String),
    /// No device fits; why, in words.
    NoFit(String),
    /// Ctrl-C.
    Interrupted,
}

/// Ctrl-C. Armed before anything is sent, so that none is missed: from then on it ends nothing by itself.
pub(super) struct Interrupt(Signal);

impl Interrupt {
    /// Listens from now on.
    pub(super) fn arm() -> Result<Self, CliError> {
        let armed = signal(SignalKind::interrupt());
        armed.map(Self).map_err(|error| CliError::new(Exit::Failed, "cannot listen to Ctrl-C", error.to_string(), ""))
    }

    pub(super) async fn hit(&mut self) {
        self.0.recv().await;
    }
}

/// The status is an end.
pub(super) fn is_end(status: &str) -> bool {
    status_filter(status).is_some_and(rc_scheduler::Status::is_terminal)
}

/// Waits for one task.
pub(super) async fn one(
    client: &mut Client,
    id: &str,
    limits: Limits,
    interrupt: &mut Interrupt,
    progress: &mut Progress,
) -> Result<Ended, CliError> {
    let start = Instant::now();
    let id = path_part(id);
    let mut poll = client.another();
    let asked = async {
        loop {
            let path = format!("/v1/tasks/{id}/result?wait={ASK_SECONDS}");
            let view: ResultView = client.get(&path).await?;
            if is_end(&view.status) {
                return Ok::<_, CliError>(view);
            }
        }
    };
    tokio::pin!(asked);
    let mut tick = tokio::time::interval(POLL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut no_fit_since = None;
    let mut standing = String::from("its state is not known");
    let mut no_fit = None;
    loop {
        let deadline = sleep_until(limits.timeout.map(|timeout| start + timeout));
        tokio::select! {
            biased;
            view = &mut asked => {
                progress.clear();
                return Ok(Ended::Settled(Box::new(view?)));
            }
            () = interrupt.hit() => return Ok(Ended::Interrupted),
            () = deadline => {
                progress.clear();
                return Ok(no_fit.map_or(Ended::TimedOut(standing), Ended::NoFit));
            }
            _ = tick.tick() => {}
        }
        let task: TaskDetail = poll.get(&format!("/v1/tasks/{id}?live=false")).await?;
        if is_end(&task.status) {
            // Not reported yet: it is on one disk only.
            continue;
        }
        standing = describe(&task);
        progress.tell(&format!("{} {standing}", task.task_id), &format!("({})", show_duration(start.elapsed())));
        if task.reason.as_deref() == Some("NoEligibleDevice") {
            let since = *no_fit_since.get_or_insert_with(Instant::now);
            let why = task.detail.unwrap_or_else(|| "no device meets its requirements".to_owned());
            if limits.no_fit_after.is_some_and(|after| since.elapsed() >= after) {
                progress.clear();
                return Ok(Ended::NoFit(why));
            }
            no_fit = Some(why);
        } else {
            (no_fit, no_fit_since) = (None, None);
        }
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn describe(task: &TaskDetail) -> String {
    let mut text = task.status.clone();
    if let Some(device) = &task.device {
        text.push_str(&format!(" on {device}"));
    }
    if let Some(progress) = task.progress {
        text.push_str(&format!(", {progress} % done"));
    }
    if let Some(said) = &task.progress_text {
        text.push_str(&format!(" ({said})"));
    }
    match (&task.detail, &task.reason) {
        (Some(why), _) | (None, Some(why)) => text.push_str(&format!(": {why}")),
        (None, None) => {}
    }
    text
}

/// A task whose end cannot be told.
#[derive(Debug, Deserialize)]
pub(super) struct Untold {
    /// Which.
    pub(super) task_id: String,
    /// Why.
    pub(super) problem: Problem,
}

/// How the wait for many ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ManyEnded {
    /// Every one was told.
    All,
    /// It took too long.
    TimedOut,
    /// Ctrl-C.
    Interrupted,
}

/// Waits for many tasks; `settled` gets each as it ends.
pub(super) async fn many(
    client: &mut Client,
    ids: &[String],
    timeout: Option<Duration>,
    interrupt: &mut Interrupt,
    progress: &mut Progress,
    mut settled: impl FnMut(Result<ResultView, Untold>),
) -> Result<ManyEnded, CliError> {
    let body = serde_json::to_vec(&serde_json::json!({ "ids": ids }))
        .map_err(|error| CliError::new(Exit::Failed, "cannot ask", error.to_string(), ""))?;
    let start = Instant::now();
    let total = ids.len();
    let mut done = 0;
    let mut nonsense = None;
    let stream = client.post_lines("/v1/wait", body, |line| {
        let view = serde_json::from_slice(line).map(Ok);
        match view.or_else(|_| serde_json::from_slice(line).map(Err)) {
            Ok(view) => settled(view),
            Err(error) => nonsense = Some(error.to_string()),
        }
        done += 1;
        let elapsed = format!("({})", show_duration(start.elapsed()));
        if done == total || done % 100 == 0 {
            progress.tell(&format!("{done} of {total} done"), &elapsed);
        }
        nonsense.is_none()
    });
    let ended = tokio::select! {
        ended = stream => ended.map(|()| ManyEnded::All)?,
        () = interrupt.hit() => ManyEnded::Interrupted,
        () = sleep_until(timeout.map(|timeout| start + timeout)) => ManyEnded::TimedOut,
    };
    progress.clear();
    if let Some(why) = nonsense {
        return Err(CliError::new(Exit::Failed, "the node cannot be understood", why, ""));
    }
    if ended == ManyEnded::All && done < total {
        return Err(CliError::new(
            Exit::NoDaemon,
            "the node went away",
            format!("{done} of {total} tasks were told"),
            "start it again and wait again: what was accepted is not lost",
        ));
    }
    Ok(ended)
}
