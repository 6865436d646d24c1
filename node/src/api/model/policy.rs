//! The owner's policy as it is shown, and changes of it as they are asked for.

use super::number::Invalid;
use super::timestamp::rfc3339;
use crate::config::units::parse_duration;
use crate::policy::{Key, PolicyReport, Power};
use rc_scheduler::Span;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The policy of this device.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PolicyView {
    /// `working paused draining`.
    pub state: String,
    /// Why it takes no work; empty if it does.
    pub reasons: Vec<ReasonView>,
    /// Its owner paused it.
    pub paused: bool,
    /// Until then; `null` is until somebody says so.
    pub paused_until: Option<String>,
    /// It is being emptied.
    pub draining: bool,
    /// Every limit.
    pub limits: Vec<LimitView>,
    /// What it is judged by.
    pub readings: ReadingsView,
}

/// One thing that keeps a device from working.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonView {
    /// `paused draining policy storage`.
    pub by: String,
    /// In words.
    pub text: String,
}

/// A limit.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct LimitView {
    /// `battery.min`, …
    pub name: String,
    /// As it is written; `off` if it does not hold.
    pub value: String,
    /// Who said it: `default`, `config file`, `policy set`, `flag`.
    pub source: String,
}

/// What the sensors said; `null` is unknown.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the names are those of a device, with the unit last")]
pub struct ReadingsView {
    /// It has a battery, as far as anybody can tell.
    pub battery: bool,
    pub battery_level: Option<u8>,
    pub charging: Option<bool>,
    pub battery_full: Option<bool>,
    pub battery_temperature_c: Option<f64>,
    pub temperature_c: Option<f64>,
    pub cpu_usage: Option<f64>,
    pub memory_usage: Option<f64>,
}

impl From<PolicyReport> for PolicyView {
    fn from(report: PolicyReport) -> Self {
        let (paused, draining) = (report.order.pause.is_some(), report.order.drain);
        let only_drains = draining && report.reasons.len() == 1;
        let state = match report.reasons.is_empty() {
            true => "working",
            false if only_drains => "draining",
            false => "paused",
        };
        let celsius = |milli: i32| f64::from(milli) / 1000.0;
        let percent = |permille: u32| f64::from(permille) / 10.0;
        let readings = report.readings;
        let battery = match readings.power {
            Power::Battery(battery) => Some(battery),
            Power::Mains => None,
        };
        let limits = report.limits.iter().map(|limit| LimitView {
            name: limit.key.word().to_owned(),
            value: limit.value.clone(),
            source: limit.source.word().to_owned(),
        });
        let reasons = report.reasons.iter();
        Self {
            state: state.to_owned(),
            reasons: reasons
                .map(|reason| ReasonView { by: reason.by.word().to_owned(), text: reason.text.clone() })
                .collect(),
            paused,
            paused_until: report.order.pause.and_then(|pause| pause.until_wall_ms).map(rfc3339),
            draining,
            limits: limits.collect(),
            readings: ReadingsView {
                battery: battery.is_some(),
                battery_level: battery.and_then(|battery| battery.level_percent),
                charging: battery.and_then(|battery| battery.charging),
                battery_full: battery.and_then(|battery| battery.full),
                battery_temperature_c: battery.and_then(|battery| battery.temperature_milli_c).map(celsius),
                temperature_c: readings.temperature_milli_c.map(celsius),
                cpu_usage: readings.cpu_permille.map(percent),
                memory_usage: readings.memory_permille.map(percent),
            },
        }
    }
}

/// Limits to set: `{"battery.min": 30, "windows": "22:00-07:00", "cpu.max": null}`; `null` takes back what was set.
///
/// # Errors
/// Names the limit and says what would do.
pub fn parse_limits(body: &[u8]) -> Result<BTreeMap<Key, Option<String>>, Invalid> {
    let object: BTreeMap<String, Value> = serde_json::from_slice(body)
        .map_err(|error| Invalid::new("body", format!("write an object of limits: {error}")))?;
    if object.is_empty() {
        return Err(Invalid::new("body", "name at least one limit, e.g. {\"battery.min\": 30}"));
    }
    let limit = |(name, value): (String, Value)| {
        let key = Key::from_word(&name).map_err(|error| Invalid::new("body", error.to_string()))?;
        let text = match value {
            Value::Null => None,
            Value::Bool(on) => Some(if on { "on" } else { "off" }.to_owned()),
            Value::Number(number) => Some(number.to_string()),
            Value::String(text) => Some(text),
            Value::Array(_) | Value::Object(_) => {
                return Err(Invalid::new("body", format!("{name}: write a word, a number or null")));
            }
        };
        Ok((key, text))
    };
    object.into_iter().map(limit).collect()
}

/// How long to pause: `{"duration": "30m"}` or `{"duration": 1800}` (seconds); without one until somebody says so.
///
/// # Errors
/// It is no duration, or none at all.
pub fn parse_pause(body: &[u8]) -> Result<Option<Span>, Invalid> {
    #[derive(Deserialize, Default)]
    #[serde(deny_unknown_fields)]
    struct Body {
        duration: Option<Value>,
    }
    let body = match body.trim_ascii() {
        b"" => Body::default(),
        text => serde_json::from_slice(text).map_err(|error| Invalid::new("body", error.to_string()))?,
    };
    let text = match body.duration {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text,
        Some(value) => value.to_string(),
    };
    let duration = parse_duration(&text).map_err(|error| Invalid::new("duration", error.to_string()))?;
    if duration.is_zero() {
        return Err(Invalid::new("duration", "a pause of no length is none"));
    }
    Ok(Some(Span::from_ms(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_read_or_refused_by_name() {
        let read = parse_limits(br#"{"battery.min": 30, "charge_only": true, "windows": "off", "cpu.max": null}"#);
        let text = |text: &str| Some(text.to_owned());
        let expected = [
            (Key::BatteryMin, text("30")),
            (Key::ChargeOnly, text("on")),
            (Key::Windows, text("off")),
            (Key::CpuMax, None),
        ];
        assert_eq!(read.unwrap(), expected.into());
        for (bad, names) in [
            (&b"[]"[..], "object"),
            (b"{}", "battery.min"),
            (br#"{"batery.min": 3}"#, "batery.min"),
            (br#"{"cpu.max": [1]}"#, "cpu.max"),
        ] {
            let error = parse_limits(bad).unwrap_err().to_string();
            assert!(error.contains(names), "{error}");
        }
    }

    #[test]
    fn a_pause_has_a_length_or_no_end() {
        let span = |text: &[u8]| parse_pause(text).map_err(|error| error.to_string());
        assert_eq!(span(b""), Ok(None));
        assert_eq!(span(b"{}"), Ok(None));
        assert_eq!(span(br#"{"duration": "30m"}"#), Ok(Some(Span::from_secs(1800))));
        assert_eq!(span(br#"{"duration": 90}"#), Ok(Some(Span::from_secs(90))));
        for bad in [&br#"{"duration": "soon"}"#[..], br#"{"duration": 0}"#, br#"{"time": 1}"#, b"x"] {
            assert!(span(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }
}
