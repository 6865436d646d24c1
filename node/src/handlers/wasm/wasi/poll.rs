//! `poll_oneoff`: sleeping, and asking whether a stream is ready, which the three always are.

use std::time::{Duration, Instant};

use super::guest::Guest;
use super::{Clock, FAULT, INVAL, Wasi};

/// What can be waited for at once.
const SUBSCRIPTIONS_MAX: u32 = 64;
const SUBSCRIPTION_BYTES: u32 = 48;
const EVENT_BYTES: u32 = 32;

/// Before a sleep as long as this whoever reads along is told what was written.
const SLEEP_TOLD_NANOS: u64 = 20_000_000;

/// The call is done.
pub(super) struct Slept;

/// Why it is not.
pub(super) enum Stop {
    Errno(i32),
    TimeUp,
}

impl From<i32> for Stop {
    fn from(errno: i32) -> Self {
        Self::Errno(errno)
    }
}

/// Something waited for.
struct Subscription {
    userdata: u64,
    kind: u8,
    /// From now, of a clock; a stream is ready at once.
    nanos: u64,
}

pub(super) fn poll(
    guest: &mut Guest<'_>,
    wasi: &mut Wasi,
    list: u32,
    events: u32,
    n: u32,
    out: u32,
) -> Result<Slept, Stop> {
    if n == 0 || n > SUBSCRIPTIONS_MAX {
        return Err(INVAL.into());
    }
    let subscriptions: Vec<_> = (0..n).map(|index| read(guest, wasi, list, index)).collect::<Result<_, _>>()?;
    let nanos = subscriptions.iter().map(|subscription| subscription.nanos).min().unwrap_or(0);
    // Before the sleep: whoever gives no room for the answer need not wait for it.
    guest.slice_mut(events, n * EVENT_BYTES)?;
    if nanos >= SLEEP_TOLD_NANOS {
        wasi.tell_now();
    }
    sleep(wasi, nanos)?;
    let mut count = 0;
    for subscription in subscriptions.iter().filter(|subscription| subscription.nanos <= nanos) {
        let event = guest.slice_mut(events + count * EVENT_BYTES, EVENT_BYTES)?;
        event.fill(0);
        event[..8].copy_from_slice(&subscription.userdata.to_le_bytes());
        event[10] = subscription.kind;
        count += 1;
    }
    guest.put_u32(out, count)?;
    Ok(Slept)
}

fn read(guest: &Guest<'_>, wasi: &mut Wasi, list: u32, index: u32) -> Result<Subscription, i32> {
    /// The time is a moment, not a distance.
    const ABSOLUTE: u16 = 1;
    let at = list.checked_add(index * SUBSCRIPTION_BYTES).ok_or(FAULT)?;
    let field = |offset: u32| at.checked_add(offset).ok_or(FAULT);
    let userdata = guest.u64(at)?;
    let kind = guest.u8(field(8)?)?;
    let nanos = match kind {
        0 => {
            let clock = guest.u32(field(16)?)?;
            let time = guest.u64(field(24)?)?;
            let flags = guest.u16(field(40)?)?;
            if flags & ABSOLUTE == 0 { time } else { time.saturating_sub(wasi.now(clock)) }
        }
        1 | 2 => 0,
        _ => return Err(INVAL),
    };
    Ok(Subscription { userdata, kind, nanos })
}

fn sleep(wasi: &mut Wasi, nanos: u64) -> Result<(), Stop> {
    match &mut wasi.clock {
        Clock::Counted(now) => *now = now.saturating_add(nanos),
        Clock::Real(_) => {
            let left = wasi.deadline.saturating_duration_since(Instant::now());
            let wanted = Duration::from_nanos(nanos);
            std::thread::sleep(wanted.min(left));
            if wanted >= left {
                return Err(Stop::TimeUp);
            }
        }
    }
    Ok(())
}
