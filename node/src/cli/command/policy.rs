//! `policy`: when this device works for the cluster.

use super::peers::say;
use crate::api::model::{LimitView, PolicyView};
use crate::cli::args::{PolicyArgs, PolicyVerb};
use crate::cli::error::{CliError, Exit};
use crate::cli::output::{Card, Cell, Format, Output, Paint, Row, Style};
use crate::cli::session::{Place, Session};
use crate::config::units::parse_duration;
use hyper::Method;
use serde_json::{Map, Value, json};

pub(super) async fn policy(place: &Place, args: PolicyArgs) -> Result<u8, CliError> {
    // What makes no sense is said before anybody is asked.
    let (method, path, body, output) = match args.verb {
        PolicyVerb::Show { output } => (Method::GET, "/v1/policy", Vec::new(), output),
        PolicyVerb::Set { limits, output } => (Method::PATCH, "/v1/policy", limits_body(&limits)?, output),
        PolicyVerb::Pause { duration, output } => {
            (Method::POST, "/v1/policy/pause", pause_body(duration.as_deref())?, output)
        }
        PolicyVerb::Resume { output } => (Method::POST, "/v1/policy/resume", Vec::new(), output),
    };
    let mut session = Session::daemon(place).await?;
    let changed = method != Method::GET;
    let view: PolicyView = session.client.request(method, path, Some(body)).await?.json()?;
    let mut output = Output::stdout(output.output);
    match output.format() {
        Format::Json | Format::Jsonl | Format::Id => output.one(&view)?,
        Format::Table | Format::Wide => {
            output.one(&view)?;
            if !changed || path == "/v1/policy" {
                output.text("\n")?;
                output.list(&view.limits)?;
            }
        }
    }
    Ok(Exit::Ok.code())
}

/// How long, as the API reads it.
pub(super) fn pause_body(duration: Option<&str>) -> Result<Vec<u8>, CliError> {
    let Some(text) = duration else { return Ok(Vec::new()) };
    let length = parse_duration(text).map_err(|error| CliError::usage(error.to_string(), "e.g. 30m, 2h or 1d"))?;
    Ok(json!({ "duration": length.as_secs_f64() }).to_string().into_bytes())
}

fn limits_body(limits: &[String]) -> Result<Vec<u8>, CliError> {
    let mut body = Map::new();
    // Also as two words, as it is written in prose.
    let pairs: Vec<(&str, &str)> = match limits {
        [name, value] if !name.contains('=') => vec![(name, value)],
        limits => {
            let pair = |text: &'_ String| text.find('=').map(|at| (text[..at].len(), at + 1));
            let mut pairs = Vec::new();
            for text in limits {
                let (end, begin) = pair(text)
                    .ok_or_else(|| CliError::usage(format!("{text:?} is no NAME=VALUE"), "e.g. battery.min=30"))?;
                pairs.push((&text[..end], &text[begin..]));
            }
            pairs
        }
    };
    for (name, value) in pairs {
        let value = if value == "default" { Value::Null } else { Value::from(value) };
        body.insert(name.trim().to_owned(), value);
    }
    Ok(Value::Object(body).to_string().into_bytes())
}

impl Card for PolicyView {
    fn id(&self) -> String {
        self.state.clone()
    }
    fn lines(&self, _: bool, _: &Style) -> Vec<(&'static str, Cell)> {
        let now = match self.state.as_str() {
            "working" => "takes work",
            "draining" => "takes no work; what runs may finish",
            _ => "takes no work",
        };
        let mut lines = vec![("now", Cell::new(now))];
        lines.extend(self.reasons.iter().map(|reason| ("because", Cell::new(say(reason)))));
        let readings = &self.readings;
        let number = |value: Option<f64>, unit: &str| match value {
            Some(value) => format!("{value:.0} {unit}"),
            None => "unknown".to_owned(),
        };
        if readings.battery {
            let charging = match (readings.charging, readings.battery_full) {
                (Some(true), Some(true)) => "on power, full",
                (Some(true), _) => "charging",
                (Some(false), _) => "not charging",
                (None, _) => "charging unknown",
            };
            let level = readings.battery_level.map_or_else(|| "unknown".to_owned(), |level| format!("{level} %"));
            let warm = readings.battery_temperature_c.map_or_else(String::new, |degrees| format!(", {degrees:.0} °C"));
            lines.push(("battery", Cell::new(format!("{level}, {charging}{warm}"))));
        }
        lines.push(("temperature", Cell::new(number(readings.temperature_c, "°C"))));
        lines.push(("processor", Cell::new(number(readings.cpu_usage, "%"))));
        lines.push(("memory", Cell::new(number(readings.memory_usage, "%"))));
        lines
    }
}

impl Row for LimitView {
    const HEAD: (&'static [&'static str], &'static [&'static str]) = (&["LIMIT", "VALUE", "FROM"], &[]);
    fn id(&self) -> String {
        self.name.clone()
    }
    fn cells(&self, _: &Style) -> Vec<Cell> {
        let unit = match self.name.as_str() {
            "battery.min" | "battery.resume" | "cpu.max" | "mem.max" => " %",
            "temp.max" | "temp.resume" => " °C",
            _ => "",
        };
        let off = self.value.parse::<u32>().is_err();
        let value = format!("{}{}", self.value, if off { "" } else { unit });
        vec![Cell::new(&self.name), Cell::new(value), Cell { text: self.source.clone(), paint: Paint::Dim }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_typed_as_pairs_or_as_two_words() {
        let read = |words: &[&str]| {
            let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
            limits_body(&words).map(|body| serde_json::from_slice::<Value>(&body).unwrap())
        };
        assert_eq!(
            read(&["battery.min=30", "cpu.max=default"]).unwrap(),
            json!({"battery.min": "30", "cpu.max": null})
        );
        assert_eq!(read(&["battery.min", "30"]).unwrap(), json!({"battery.min": "30"}));
        assert_eq!(read(&["windows=22:00-07:00, sat 00:00-24:00"]).unwrap()["windows"], "22:00-07:00, sat 00:00-24:00");
        assert!(read(&["battery.min"]).is_err() && read(&["a=1", "b"]).is_err());
        assert!(pause_body(Some("soon")).is_err() && pause_body(None).unwrap().is_empty());
    }
}
