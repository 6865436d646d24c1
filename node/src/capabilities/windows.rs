//! What Windows tells through PowerShell's `ConvertTo-Csv`, from text to values. Pure, and compiled wherever there are tests.

use super::{Battery, NO_GPU};

/// Asks for the batteries; prints nothing if there is none.
#[cfg_attr(not(windows), expect(dead_code, reason = "only Windows asks"))]
pub(super) const BATTERY: &str = "Get-CimInstance Win32_Battery | Select-Object EstimatedChargeRemaining,BatteryStatus | \
                                  ConvertTo-Csv -NoTypeInformation";
/// Asks for the graphics processors.
#[cfg_attr(not(windows), expect(dead_code, reason = "only Windows asks"))]
pub(super) const GPU: &str =
    "Get-CimInstance Win32_VideoController | Select-Object Name | ConvertTo-Csv -NoTypeInformation";

/// The rows below the heading, as texts without their quotes. Values with commas are not asked for.
fn rows<'a>(csv: &'a str, head: &str) -> Option<Vec<Vec<&'a str>>> {
    let mut lines = csv.lines().map(str::trim).filter(|line| !line.is_empty());
    let unquoted = |line: &'a str| line.split(',').map(|cell| cell.trim().trim_matches('"')).collect::<Vec<_>>();
    let Some(first) = lines.next() else { return Some(Vec::new()) };
    (unquoted(first).join(",") == head).then(|| lines.map(unquoted).collect())
}

/// The batteries as one. The outer `None`: it is something else; the inner: there is none.
pub(super) fn battery(csv: &str) -> Option<Option<Battery>> {
    let rows = rows(csv, "EstimatedChargeRemaining,BatteryStatus")?;
    if rows.is_empty() {
        return Some(None);
    }
    let levels: Option<Vec<u32>> =
        rows.iter().map(|row| row.first()?.parse().ok().filter(|level| *level <= 100)).collect();
    let level = levels.and_then(|levels| {
        let sum: u32 = levels.iter().sum();
        u8::try_from(sum / u32::try_from(levels.len()).ok()?).ok()
    });
    let status: Vec<Option<u32>> = rows.iter().map(|row| row.get(1)?.parse().ok()).collect();
    // 1 runs down, also 4 low and 5 critical; 2 has power and does not say more; 3 is full; 6 to 9 charge; 11 is partly charged.
    let charging = if status.iter().any(|code| matches!(code, Some(1 | 4 | 5))) {
        Some(false)
    } else if status.iter().any(|code| matches!(code, Some(2 | 3 | 6..=9))) {
        Some(true)
    } else {
        None
    };
    let full = status.iter().try_fold(true, |all, code| match code {
        Some(3) => Some(all),
        Some(1 | 4..=9) => Some(false),
        _ => None,
    });
    Some(Some(Battery { level_percent: level, charging, full, temperature_milli_c: None }))
}

/// The graphics processor that computes most. What only shows a picture does not count.
pub(super) fn gpu(csv: &str) -> Option<String> {
    let rows = rows(csv, "Name")?;
    let names = rows.iter().filter_map(|row| row.first());
    let real = names.filter(|name| {
        let name = name.to_lowercase();
        !["basic display", "basic render", "hyper-v", "remote display", "virtual"]
            .iter()
            .any(|word| name.contains(word))
    });
    let makers: Vec<_> = real.map(|name| super::hardware::maker(name)).collect();
    let best = makers.iter().find(|maker| **maker != "intel").or_else(|| makers.first());
    Some(best.map_or_else(|| NO_GPU.to_owned(), |maker| (*maker).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batteries_are_read_and_codes_are_understood() {
        let csv = |rows: &[(&str, &str)]| {
            let head = "\"EstimatedChargeRemaining\",\"BatteryStatus\"\r\n".to_owned();
            rows.iter().fold(head, |csv, (level, code)| csv + &format!("\"{level}\",\"{code}\"\r\n"))
        };
        let cases = [
            (vec![("85", "1")], (Some(85), Some(false), Some(false))),
            (vec![("85", "2")], (Some(85), Some(true), None)),
            (vec![("100", "3")], (Some(100), Some(true), Some(true))),
            (vec![("9", "4")], (Some(9), Some(false), Some(false))),
            (vec![("40", "6")], (Some(40), Some(true), Some(false))),
            (vec![("100", "3"), ("50", "6")], (Some(75), Some(true), Some(false))),
            (vec![("100", "3"), ("50", "1")], (Some(75), Some(false), Some(false))),
            (vec![("", "10")], (None, None, None)),
            (vec![("255", "11")], (None, None, None)),
        ];
        for (rows, (level, charging, full)) in cases {
            let expected = Battery { level_percent: level, charging, full, temperature_milli_c: None };
            assert_eq!(battery(&csv(&rows)), Some(Some(expected)), "{rows:?}");
        }
        assert_eq!((battery(""), battery("\r\n")), (Some(None), Some(None)), "a desktop prints nothing");
        assert_eq!(battery("Get-CimInstance : Access denied"), None);
    }

    #[test]
    fn pictures_without_a_processor_do_not_count() {
        let csv =
            |names: &[&str]| names.iter().fold("\"Name\"\r\n".to_owned(), |csv, name| csv + &format!("\"{name}\"\r\n"));
        assert_eq!(gpu(&csv(&["Intel(R) UHD Graphics", "NVIDIA GeForce RTX 3060"])).as_deref(), Some("nvidia"));
        assert_eq!(gpu(&csv(&["AMD Radeon(TM) Graphics"])).as_deref(), Some("amd"));
        assert_eq!(gpu(&csv(&["Microsoft Basic Display Adapter"])).as_deref(), Some(NO_GPU));
        assert_eq!((gpu("").as_deref(), gpu("error").as_deref()), (Some(NO_GPU), None));
    }
}
