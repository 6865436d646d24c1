//! Durations and sizes as people write them: `90s`, `1.5h`, `512MiB`, `2GB`.

use std::time::Duration;

/// A text that is no duration or size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Not a duration.
    #[error("{0:?} is no duration; write e.g. 500ms, 90s, 5m, 2h or 1d")]
    Duration(String),
    /// Not a size.
    #[error("{0:?} is no size; write e.g. 512MiB, 2GB or a number of bytes")]
    Size(String),
}

/// The longest duration that is understood: a year, in milliseconds.
const DURATION_MS_MAX: f64 = 365.0 * 86_400_000.0;
/// The largest size that is understood: 2^53 bytes, beyond which fractions would be inexact.
const SIZE_MAX: f64 = 9_007_199_254_740_992.0;

/// Reads a duration; a number alone is seconds.
///
/// # Errors
/// It is none, is negative, or is longer than a year.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let error = || UnitError::Duration(text.to_owned());
    let (number, unit) = split(text).ok_or_else(error)?;
    let scale = match unit {
        "ms" => 1.0,
        "" | "s" | "sec" => 1e3,
        "m" | "min" => 6e4,
        "h" => 3.6e6,
        "d" => 8.64e7,
        _ => return Err(error()),
    };
    let ms = number * scale;
    if ms > DURATION_MS_MAX {
        return Err(error());
    }
    Ok(Duration::from_millis(ms.round() as u64))
}

/// Reads a size; a number alone is bytes.
///
/// # Errors
/// It is none, is negative, or is too large.
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    parse_size_in(text, 1.0)
}

/// Reads a size; a number alone counts `unit_bytes`.
///
/// # Errors
/// As [`parse_size`].
pub fn parse_size_in(text: &str, unit_bytes: f64) -> Result<u64, UnitError> {
    let error = || UnitError::Size(text.to_owned());
    let (number, unit) = split(text).ok_or_else(error)?;
    let scale = match unit.to_ascii_lowercase().as_str() {
        "" => unit_bytes,
        "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "t" | "tb" => 1e12,
        "ki" | "kib" => 1024.0,
        "mi" | "mib" => 1_048_576.0,
        "gi" | "gib" => 1_073_741_824.0,
        "ti" | "tib" => 1_099_511_627_776.0,
        _ => return Err(error()),
    };
    let bytes = number * scale;
    if bytes > SIZE_MAX {
        return Err(error());
    }
    Ok(bytes.round() as u64)
}

/// Number and unit; the number has digits and at most one point.
fn split(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    Some((number, text[end..].trim_start()))
}

/// A duration in at most two units: `1 h 5 m`, `12 s`, `0.3 s`.
#[must_use]
pub fn show_duration(duration: Duration) -> String {
    let s = duration.as_secs();
    match s {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        10..120 => format!("{s} s"),
        120..7_200 => format!("{} m {} s", s / 60, s % 60),
        7_200..172_800 => format!("{} h {} m", s / 3_600, s / 60 % 60),
        _ => format!("{} d {} h", s / 86_400, s / 3_600 % 24),
    }
}

/// A size with one decimal in binary units: `3.8 GiB`.
#[must_use]
pub fn show_size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = units[0];
    for next in &units[1..] {
        if value < 1000.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_every_unit() {
        for (text, ms) in [
            ("90s", 90_000),
            ("90", 90_000),
            ("500ms", 500),
            ("1.5h", 5_400_000),
            ("2 m", 120_000),
            ("1d", 86_400_000),
            ("0", 0),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for bad in ["", "s", "-1s", "1x", "1s2", "1.2.3s", "400d", "1e9", "∞"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_are_read_in_decimal_and_binary_units() {
        for (text, bytes) in [
            ("512MiB", 536_870_912),
            ("2GB", 2_000_000_000),
            ("100MB", 100_000_000),
            ("1.5 KiB", 1_536),
            ("77", 77),
            ("77b", 77),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        assert_eq!(parse_size_in("0.5", 1_073_741_824.0), Ok(536_870_912));
        for bad in ["", "MiB", "-1", "1 potato", "99999999TB"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_shown_fits_a_column() {
        assert_eq!(show_duration(Duration::from_millis(340)), "0.3 s");
        assert_eq!(show_duration(Duration::from_secs(3_725)), "62 m 5 s");
        assert_eq!(show_size(4_080_218_931), "3.8 GiB");
        assert_eq!(show_size(999), "999 B");
    }
}
