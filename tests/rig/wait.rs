//! Waiting for conditions, with a deadline and a failure that says what was seen last.

use std::time::{Duration, Instant};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Looks until it is so, and returns what was found and after how long. The text of an `Err` says what was seen instead.
pub fn until<T>(what: &str, patience: Duration, mut look: impl FnMut() -> Result<T, String>) -> (T, Duration) {
    let began = Instant::now();
    loop {
        // A look that began in time counts.
        let in_time = began.elapsed() < patience;
        match look() {
            Ok(found) => return (found, began.elapsed()),
            Err(seen) => assert!(in_time, "not within {patience:?}: {what}\nlast seen: {seen}"),
        }
        std::thread::sleep(PAUSE);
    }
}
