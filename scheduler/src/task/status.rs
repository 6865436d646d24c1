//! The words a user reads about a task: status, reason, error class.

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $code:literal $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(into = "u8", try_from = "u8")]
        pub enum $name { $($(#[$vmeta])* $variant,)+ }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word as it is written.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The value that is written as `word`.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.word() == word)
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.pad(self.word())
            }
        }

        impl From<$name> for u8 {
            fn from(value: $name) -> u8 {
                match value { $($name::$variant => $code,)+ }
            }
        }

        impl TryFrom<u8> for $name {
            type Error = &'static str;
            fn try_from(code: u8) -> Result<Self, Self::Error> {
                match code {
                    $($code => Ok(Self::$variant),)+
                    _ => Err(concat!("unknown code for ", stringify!($name))),
                }
            }
        }
    };
}
pub(crate) use words;

words! {
    /// Where a task stands.
    Status {
        /// Accepted; no device yet. A [`Reason`] says why.
        Pending = 0 "pending",
        /// Waiting for its turn.
        Queued = 1 "queued",
        /// Leased to a device.
        Assigned = 2 "assigned",
        /// Started there.
        Running = 3 "running",
        /// Between two attempts.
        Retrying = 4 "retrying",
        /// A cancel was asked and the device that runs it has not let go yet.
        Cancelling = 5 "cancelling",
        /// Done, with a result.
        Completed = 6 "completed",
        /// Ended without a result.
        Failed = 7 "failed",
        /// Will not run.
        Cancelled = 8 "cancelled",
        /// Ran out of time, and out of attempts.
        Timeout = 9 "timeout",
    }
}

impl Status {
    /// Nothing more will happen.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled | Self::Timeout)
    }
}

words! {
    /// Why a task does not run now, one word each.
    Reason {
        /// A task named in `after` has not ended.
        WaitingDependency = 0 "WaitingDependency",
        /// No device that is up meets the requirements.
        NoEligibleDevice = 1 "NoEligibleDevice",
        /// Devices fit, and all of them are busy.
        Resources = 2 "Resources",
        /// Waiting before the next attempt.
        BackoffUntil = 3 "BackoffUntil",
        /// The devices that fit are paused by their owners.
        DevicePaused = 4 "DevicePaused",
        /// The devices that fit are being emptied.
        Draining = 5 "Draining",
        /// The queues of the devices that fit are full.
        QueueFull = 6 "QueueFull",
        /// Fewer devices than asked for have stored it.
        NotEnoughReplicas = 7 "NotEnoughReplicas",
    }
}

words! {
    /// What kind of failure an attempt ended with.
    ErrorClass {
        /// The network failed the task. Retryable.
        Network = 0 "network_error",
        /// The attempt exceeded its time. Retryable.
        Timeout = 1 "timeout_error",
        /// Memory, disk or another limit. Retryable.
        ResourceExhausted = 2 "resource_exhausted",
        /// The device vanished. Retryable, and costs no attempt.
        DeviceLost = 3 "device_lost",
        /// The device's owner wanted it back. Retryable.
        Preempted = 4 "preempted",
        /// The task cannot be understood.
        InvalidPayload = 5 "invalid_payload",
        /// The device does not grant what the task needs.
        PermissionDenied = 6 "permission_denied",
        /// The device cannot do it.
        UnsupportedOperation = 7 "unsupported_operation",
        /// The task itself failed: a non-zero exit, an exception.
        Task = 8 "task_error",
        /// A task it depends on did not complete.
        DependencyFailed = 9 "dependency_failed",
    }
}

impl ErrorClass {
    /// Retried unless the task says otherwise.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Network | Self::Timeout | Self::ResourceExhausted | Self::DeviceLost | Self::Preempted)
    }
}
