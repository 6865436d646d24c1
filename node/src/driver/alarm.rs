//! Wakes the driver when the core asked for it, and at no other moment.
//!
//! The timers of the runtime sort deadlines into slots, and wake up to move them from a coarse slot to a finer one: two or three
//! wake-ups for one deadline. They also stand still while the device is suspended. Linux has timers of its own that do neither.
//! Elsewhere, or where the system refuses one, the runtime's do. Does not know what is due.

use crate::clock;
use rc_scheduler::Mono;
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// Longest sleep on a timer of the runtime, which does not notice a suspend.
const SLEEP_MAX: Duration = Duration::from_secs(30);

/// One deadline.
#[derive(Debug)]
pub(super) struct Alarm {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    kernel: Option<kernel::Timer>,
    sleep: std::pin::Pin<Box<Sleep>>,
    /// What it is set to; `None` if it has rung or was never set.
    armed: Option<Option<Mono>>,
}

impl Alarm {
    /// Not set to anything. Within a tokio runtime.
    pub(super) fn new() -> Self {
        Self {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            kernel: kernel::Timer::new()
                .inspect_err(|error| tracing::warn!(%error, "no timer that runs during suspend"))
                .ok(),
            sleep: Box::pin(tokio::time::sleep(Duration::ZERO)),
            armed: None,
        }
    }

    /// Rings at `wake`, in place of what was set before; never without one.
    pub(super) fn set(&mut self, wake: Option<Mono>) {
        if self.armed == Some(wake) {
            return;
        }
        self.armed = Some(wake);
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Some(timer) = &self.kernel {
            match timer.set(wake) {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(%error, "the timer that runs during suspend is gone");
                    self.kernel = None;
                }
            }
        }
        let left = wake.map_or(SLEEP_MAX, |wake| Duration::from_micros(wake.since(clock::now().mono).0));
        self.sleep.as_mut().reset(Instant::now() + left.min(SLEEP_MAX));
    }

    /// Returns when it rings; now and then also before. It must be set anew then. Cancel safe.
    pub(super) async fn ring(&mut self) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Some(timer) = &self.kernel {
            timer.ring().await;
            self.armed = None;
            return;
        }
        self.sleep.as_mut().await;
        self.armed = None;
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod kernel {
    use rc_scheduler::Mono;
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
    };
    use std::io;
    use std::os::fd::OwnedFd;
    use tokio::io::{Interest, unix::AsyncFd};

    /// On the clock that `clock::now` reads.
    #[derive(Debug)]
    pub(super) struct Timer(AsyncFd<OwnedFd>);

    impl Timer {
        pub(super) fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Boottime, flags)?;
            #[expect(
                deprecated,
                reason = "its successor is unsafe; nothing takes this descriptor out or closes it before its time"
            )]
            AsyncFd::with_interest(timer, Interest::READABLE).map(Self)
        }

        pub(super) fn set(&self, at: Option<Mono>) -> io::Result<()> {
            // Zero would turn it off.
            let us = at.map_or(0, |at| at.0.max(1));
            let time = |us: u64| Timespec {
                tv_sec: i64::try_from(us / 1_000_000).unwrap_or(i64::MAX),
                tv_nsec: (us % 1_000_000 * 1_000) as _,
            };
            let (it_interval, it_value) = (time(0), time(us));
            // Nobody reads how often it has run out: to set it anew forgets that.
            let spec = Itimerspec { it_interval, it_value };
            let set = timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::ABSTIME, &spec);
            set.map(drop).map_err(io::Error::from)
        }

        pub(super) async fn ring(&self) {
            match self.0.readable().await {
                Ok(mut ready) => ready.clear_ready(),
                // The runtime is ending.
                Err(_) => std::future::pending().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rc_scheduler::Span;

    #[tokio::test]
    async fn rings_when_due_and_each_time_it_is_set() {
        let mut alarm = Alarm::new();
        let begun = clock::now().mono;
        let mut rings = 0;
        for round in 1..=3 {
            let due = begun + Span::from_ms(20 * round);
            while clock::now().mono < due {
                alarm.set(Some(due));
                alarm.ring().await;
                rings += 1;
            }
        }
        // Whoever rings before its time rings all the time until then.
        assert!(rings <= 6, "{rings} rings for three deadlines");
        alarm.set(Some(Mono(1)));
        alarm.ring().await;
    }

    #[tokio::test]
    async fn the_last_word_counts() {
        let mut alarm = Alarm::new();
        alarm.set(Some(Mono(1)));
        tokio::task::yield_now().await;
        let later = clock::now().mono + Span::from_secs(3_600);
        alarm.set(Some(later));
        // What had rung before may still be heard, once.
        let heard = async {
            alarm.ring().await;
            alarm.set(Some(later));
            alarm.ring().await;
        };
        assert!(tokio::time::timeout(Duration::from_millis(50), heard).await.is_err());
        alarm.set(None);
        assert!(tokio::time::timeout(Duration::from_millis(20), alarm.ring()).await.is_err());
    }
}
