//! What Termux's helper programs tell of a phone. Each goes through an app and costs battery, so: seldom, and never for long.

use std::time::{Duration, Instant};

use super::{Battery, Roots, platform, power};

/// Between two questions about the battery while something runs, and while nothing does.
const BUSY_EVERY: Duration = Duration::from_secs(60);
const IDLE_EVERY: Duration = Duration::from_secs(300);
/// After one that gave nothing: the companion app is not there, and will hardly come.
const MISSING_EVERY: Duration = Duration::from_secs(1800);

/// When was asked what.
#[derive(Debug, Default)]
pub(super) struct Termux {
    battery: Option<Battery>,
    asked: Option<Instant>,
    link_kbps: Option<u64>,
    asked_link: Option<Instant>,
    /// When one gave no answer in time: without the companion app each of them waits for ever.
    silent: Option<Instant>,
}

/// The output of `termux-wifi-connectioninfo`, while there is a connection.
fn link_kbps(json: &str) -> Option<u64> {
    let value: serde_json::Value = serde_json::from_str(json).ok()?;
    let connected = value.get("supplicant_state")?.as_str()? == "COMPLETED";
    // Without a connection it says -1.
    let mbps = value.get("link_speed_mbps")?.as_u64().filter(|mbps| (1..=100_000).contains(mbps))?;
    connected.then_some(mbps * 1000)
}

impl Termux {
    /// What a helper prints. When one was silent, the others are not asked for a while.
    pub(super) fn ask(&mut self, roots: &Roots, program: &str, args: &[&str]) -> Option<String> {
        if self.silent.is_some_and(|since| since.elapsed() < MISSING_EVERY) {
            return None;
        }
        let began = Instant::now();
        let told = platform::helper(roots, program, args);
        self.silent = (told.is_none() && began.elapsed() >= platform::HELPER_TIMEOUT).then_some(began);
        told
    }

    /// The battery, as it was told last or is told now. What is older than it should be is not known any more.
    pub(super) fn battery(&mut self, roots: &Roots, busy: bool) -> Option<Battery> {
        if !self.is_due(busy, Instant::now()) {
            return self.battery;
        }
        let told = self.ask(roots, "termux-battery-status", &[]);
        self.told(Instant::now(), told.as_deref())
    }

    /// What the radio says of its link; asked as seldom as what is missing.
    pub(super) fn bandwidth_kbps(&mut self, roots: &Roots) -> Option<u64> {
        if self.asked_link.is_none_or(|asked| asked.elapsed() >= MISSING_EVERY) {
            self.asked_link = Some(Instant::now());
            self.link_kbps = self.ask(roots, "termux-wifi-connectioninfo", &[]).and_then(|json| link_kbps(&json));
        }
        self.link_kbps
    }

    /// Whether it is time to ask about the battery.
    fn is_due(&self, busy: bool, now: Instant) -> bool {
        let pause = match (self.battery, busy) {
            (Some(_), true) => BUSY_EVERY,
            (Some(_), false) => IDLE_EVERY,
            (None, _) => MISSING_EVERY,
        };
        self.asked.is_none_or(|asked| now.duration_since(asked) >= pause)
    }

    /// What was told about the battery, if anything was.
    fn told(&mut self, now: Instant, json: Option<&str>) -> Option<Battery> {
        self.asked = Some(now);
        self.battery = json.and_then(power::termux_battery);
        self.battery
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_counts_while_it_is_up() {
        let json =
            |state: &str, speed: i32| format!(r#"{{"supplicant_state": "{state}", "link_speed_mbps": {speed}}}"#);
        assert_eq!(link_kbps(&json("COMPLETED", 72)), Some(72_000));
        assert_eq!(link_kbps(&json("DISCONNECTED", 72)), None);
        assert_eq!(link_kbps(&json("COMPLETED", -1)), None);
        assert_eq!((link_kbps(""), link_kbps(r#"{"API_ERROR": "No current connection"}"#)), (None, None));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_helper_that_waits_for_ever_is_ended_with_what_it_started_and_not_asked_again() {
        let fixture = super::super::fixture::Fixture::new(&[]);
        fixture.program("termux-sensor", "{}");
        let marker = format!("{}", 86_400 + std::process::id());
        fixture.write("bin/termux-sensor", &format!("#!/bin/sh\nsleep {marker} &\nwait\n"));
        let mut termux = Termux::default();
        assert_eq!(termux.ask(&fixture.roots(), "termux-sensor", &[]), None);
        let ours = |entry: &std::path::Path| {
            std::fs::read(entry.join("cmdline")).is_ok_and(|line| line == format!("sleep\0{marker}\0").as_bytes())
        };
        // Who was killed is gone a little later.
        let until = Instant::now() + Duration::from_secs(20);
        while std::fs::read_dir("/proc").unwrap().flatten().any(|entry| ours(&entry.path())) {
            assert!(Instant::now() < until, "what it started is still there");
            std::thread::sleep(Duration::from_millis(5));
        }
        fixture.program("termux-battery-status", r#"{"percentage": 50}"#);
        let began = Instant::now();
        assert_eq!(termux.battery(&fixture.roots(), true), None, "the app is not there");
        assert!(began.elapsed() < platform::HELPER_TIMEOUT);
    }

    #[test]
    fn the_app_is_asked_seldom_and_more_seldom_when_it_is_missing() {
        let (start, mut asked) = (Instant::now(), 0);
        let mut termux = Termux::default();
        let mut at = |seconds, busy, json: Option<&str>| {
            let now = start + Duration::from_secs(seconds);
            if termux.is_due(busy, now) {
                asked += 1;
                termux.told(now, json);
            }
            (termux.battery.and_then(|battery| battery.level_percent), asked)
        };
        assert_eq!(at(0, true, None), (None, 1));
        assert_eq!(at(1_799, true, Some(r#"{"percentage": 50}"#)), (None, 1));
        assert_eq!(at(1_800, true, Some(r#"{"percentage": 50}"#)), (Some(50), 2));
        assert_eq!(at(1_859, true, None), (Some(50), 2));
        assert_eq!(at(1_860, true, Some(r#"{"percentage": 49}"#)), (Some(49), 3));
        assert_eq!(at(2_159, false, None), (Some(49), 3));
        assert_eq!(at(2_160, false, None), (None, 4), "what is not told any more is not known any more");
    }
}
