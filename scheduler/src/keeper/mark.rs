//! Where a task stands, in one byte: for what rests, and for answers about batches.

use crate::task::Status;

/// Rounds that are told apart; later ones count as the last.
const ROUND_MAX: u32 = 15;

/// A round and a status in it. Of two, the greater one is later.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Mark(u8);

impl Mark {
    /// In that round it stands so.
    pub(crate) fn new(round: u32, status: Status) -> Self {
        Self((round.min(ROUND_MAX) as u8) << 4 | (u8::from(status) + 1))
    }

    /// Never zero.
    pub(crate) const fn byte(self) -> u8 {
        self.0
    }

    /// How it stands.
    pub(crate) fn status(self) -> Status {
        status(self.0).unwrap_or(Status::Completed)
    }
}

/// How a task stands whose mark is this byte; `None` if it is no mark.
pub(crate) fn status(byte: u8) -> Option<Status> {
    Status::try_from((byte & 15).checked_sub(1)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_back_and_later_is_greater() {
        for status in Status::ALL {
            assert_eq!(Mark::new(3, *status).status(), *status);
            assert_eq!(super::status(Mark::new(15, *status).byte()), Some(*status));
        }
        assert_eq!((super::status(0), super::status(15)), (None, None));
        assert!(Mark::new(0, Status::Running) < Mark::new(0, Status::Completed));
        assert!(
            Mark::new(0, Status::Failed) < Mark::new(1, Status::Pending),
            "a new round is later than any end of the last"
        );
        assert_eq!(Mark::new(99, Status::Pending), Mark::new(15, Status::Pending));
    }
}
