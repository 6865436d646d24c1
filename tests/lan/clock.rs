//! The clock that all hosts share, being namespaces of one machine, and the form in which nodes tell it.

use std::time::SystemTime;

/// Milliseconds since 1970.
pub fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock that is set");
    u64::try_from(since.as_millis()).expect("not for a while")
}

/// Reads `2026-01-31T09:05:07.120Z`.
pub fn parse(text: &str) -> Option<u64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let years: u64 = (1970..year).map(|year| if is_leap(year) { 366 } else { 365 }).sum();
    let lengths = [31, if is_leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let months: u64 = lengths.iter().take(usize::try_from(month).ok()? - 1).sum();
    let seconds = number(11, 13)? * 3_600 + number(14, 16)? * 60 + number(17, 19)?;
    Some((years + months + day - 1) * 86_400_000 + seconds * 1_000 + number(20, 23)?)
}

#[test]
fn the_form_of_a_time_is_read() {
    assert_eq!(parse("1970-01-01T00:00:00.000Z"), Some(0));
    assert_eq!(parse("2000-02-29T00:00:00.000Z"), Some(951_782_400_000));
    assert_eq!(parse("2026-12-31T23:59:59.120Z"), Some(1_798_761_599_120));
}
