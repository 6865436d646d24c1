//! The constants of the protocol. All of them are durations or counts; every device of a cluster should use the same.

use crate::time::Span;

/// What a device may change, with the defaults of PROTOCOL.md.
#[derive(Clone, Debug)]
pub struct Config {
    /// R: how many members are a task's home. More costs bytes, fewer survive less.
    pub home_size: usize,
    /// Period of the heartbeat to each peer.
    pub beat: Span,
    /// F: no echo for this long means that I am isolated. `isolated + beat + drift < dead` must hold.
    pub isolated: Span,
    /// D: no echo for this long means that the peer is dead.
    pub dead: Span,
    /// P: how long a device waits for answers before it acts without them.
    pub patience: Span,
    /// How many devices must have stored a task before `submit` answers, this one included.
    pub ack_disks: usize,
    /// `submit` answers after this long with the true count.
    pub ack_timeout: Span,
    /// A device counts as gone from the keepers in reserve after this long.
    pub reserve_after: Span,
    /// Longest that a silent holder (not proven dead) is waited for, from when it was last heard, before its task is leased
    /// again. A quarter of the attempt's age, if that is shorter: a long task is worth some patience.
    pub silent_holder_max: Span,
    /// Slack on a task's timeout after which even a live holder's lease counts as lost.
    pub overrun: Span,
    /// How long a credit is good for.
    pub credit_ttl: Span,
    /// How far ahead a device takes work, by what it has completed lately and by what tasks of those types took.
    pub window: Span,
    /// A lease that waits for longer than this goes to a device that is free; a task that waits for longer, and there is none, is a
    /// reason to say that a device is missing.
    pub move_after: Span,
    /// An attempt is a straggler when it has run for longer than this, and longer than [`Config::straggler_percent`] of what 95 of 100
    /// attempts of its type took: a task that asks for it gets a copy beside it (rule 28c).
    pub straggler_floor: Span,
    /// See [`Config::straggler_floor`].
    pub straggler_percent: u32,
    /// So many attempts of a type must have ended well before any of it is a straggler.
    pub straggler_samples: u32,
    /// Period of the slow comparison of digests with a peer.
    pub digest_period: Span,
    /// What changed less than this ago is not compared: it is probably under way.
    pub digest_quiet: Span,
    /// How long a task that has ended is kept, in running time of the device that accepted it.
    pub retention: Span,
    /// Of how many ended tasks that this device accepted it keeps the records; of more, the oldest are buried before their time. Bounds
    /// memory and disk whatever the rate is.
    pub keep_max: usize,
    /// How often the running time is written down; a device that stops loses up to this much of it.
    pub clock_save: Span,
    /// Open tasks this device accepts before it answers `QueueFull`.
    pub queue_max: usize,
    /// Bytes of facts in one frame, about.
    pub frame_bytes: usize,
    /// Frames not yet acknowledged per peer.
    pub frames_in_flight: usize,
    /// What nobody waits for is gathered this long before it is sent. Facts whose writer sends them itself wait twice as long, and at
    /// the one of a pair with the larger id four times. Longer saves frames and syncs, and leaves the keepers beyond the first few
    /// behind for longer.
    pub gather: Span,
    /// Attempts that end without the task's fault (device lost, released) before the task fails.
    pub releases_max: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            home_size: 3,
            beat: Span::from_ms(1_000),
            isolated: Span::from_secs(3),
            dead: Span::from_secs(5),
            patience: Span::from_secs(10),
            ack_disks: 2,
            ack_timeout: Span::from_secs(2),
            reserve_after: Span::from_secs(30),
            silent_holder_max: Span::from_secs(60),
            overrun: Span::from_secs(30),
            credit_ttl: Span::from_secs(2),
            window: Span::from_secs(1),
            move_after: Span::from_secs(2),
            straggler_floor: Span::from_secs(1),
            straggler_percent: 200,
            straggler_samples: 20,
            digest_period: Span::from_secs(30),
            digest_quiet: Span::from_secs(5),
            retention: Span::from_secs(7 * 24 * 3_600),
            keep_max: 100_000,
            clock_save: Span::from_secs(3_600),
            queue_max: 1_000_000,
            frame_bytes: 256 * 1024,
            frames_in_flight: 8,
            gather: Span::from_ms(5),
            releases_max: 20,
        }
    }
}
