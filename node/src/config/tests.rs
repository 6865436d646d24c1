//! Which layer wins, and what bad settings are told.

use super::*;
use std::ffi::OsString;
use std::path::PathBuf;

fn env(pairs: &'static [(&'static str, &'static str)]) -> impl Fn(&'static str) -> Option<OsString> {
    move |name| {
        let found = pairs.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| OsString::from(value))
    }
}

fn resolve(layer: Layer) -> Result<Settings, SettingsError> {
    Settings::resolve(layer, PathBuf::from("/d"), Some("host".into()))
}

#[test]
fn flags_win_over_environment_over_file_over_defaults() {
    let flags = Layer { name: Some("by-flag".into()), ..Layer::default() };
    let vars = read_env(&env(&[
        ("RC_NODE_NAME", "by-env"),
        ("RC_NODE_TAGS", "a, b"),
        ("RC_NODE_NO_MDNS", "1"),
        ("RC_NODE_ROLE", ""),
    ]))
    .expect("valid");
    let file: Layer = toml::from_str("name = \"by-file\"\ntags = [\"c\"]\nrole = \"mobile\"").expect("valid");
    let settings = resolve(flags.over(vars).over(file)).expect("valid");
    assert_eq!(settings.name, "by-flag");
    assert_eq!(settings.tags, ["a".to_owned(), "b".to_owned()].into());
    assert_eq!(settings.role, rc_scheduler::Role::Mobile);
    assert_eq!(settings.max_concurrent_tasks, 2);
    assert!(!settings.mdns);
    let settings = resolve(Layer::default()).expect("defaults are valid");
    assert_eq!((settings.name.as_str(), settings.max_concurrent_tasks), ("host", 5));
    assert!(matches!(settings.http, Http::On { chosen: false, .. }));
}

#[test]
fn a_setting_that_makes_no_sense_is_named() {
    let layer = |set: &dyn Fn(&mut Layer)| {
        let mut layer = Layer::default();
        set(&mut layer);
        resolve(layer).expect_err("bad").to_string()
    };
    let text = |text: &str| Some(text.to_owned());
    assert!(layer(&|l| l.role = text("boss")).starts_with("role \"boss\": allowed are worker"));
    assert!(layer(&|l| l.http = text("example")).starts_with("http \"example\": write ADDR:PORT"));
    assert!(layer(&|l| l.max_concurrent_tasks = Some(0)).contains("1 to 1024"));
    assert!(layer(&|l| l.retention = Some("1s".to_owned())).contains("1m to"));
    assert!(layer(&|l| l.keep_tasks = Some(0)).contains("1 to 10000000"));
    assert!(layer(&|l| l.queue_max = Some(0)).contains("1 to 1000000"));
    assert!(layer(&|l| l.peers = Some(vec!["attic".into()])).starts_with("peer \"attic\""));
    assert!(layer(&|l| l.name = text("")).starts_with("name \"\""));
    let unknown = toml::from_str::<Layer>("nmae = \"x\"").expect_err("typo").to_string();
    assert!(unknown.contains("unknown field `nmae`"), "{unknown}");
    let error = read_env(&env(&[("RC_NODE_NO_MDNS", "maybe")])).expect_err("bad");
    assert_eq!(error.to_string(), "RC_NODE_NO_MDNS=\"maybe\": is neither true nor false");
}

#[test]
fn addresses_become_multiaddrs() {
    let settings = resolve(Layer {
        listen: Some(vec!["4001".into(), "127.0.0.1:0".into(), "[::1]:5".into()]),
        peers: Some(vec!["/ip4/10.0.0.2/udp/4/quic-v1".into()]),
        http: Some("9000".into()),
        ..Layer::default()
    })
    .expect("valid");
    assert_eq!(settings.listen, ["/ip4/0.0.0.0/tcp/4001", "/ip4/127.0.0.1/tcp/0", "/ip6/::1/tcp/5"]);
    assert_eq!(settings.peers, ["/ip4/10.0.0.2/udp/4/quic-v1"]);
    let address = "127.0.0.1:9000".parse().expect("valid");
    assert_eq!(settings.http, Http::On { address, chosen: true });
}

#[test]
fn a_socket_path_always_fits_and_is_one_per_directory() {
    let long = std::env::temp_dir().join("x".repeat(120));
    let runtime = env(&[]);
    let one = paths::socket(&long, &runtime).expect("a place");
    let other = paths::socket(&long.join("y"), &runtime).expect("a place");
    assert!(one.as_os_str().len() <= 100 && one != other);
    let short = paths::socket(std::path::Path::new("/d"), &runtime).expect("a place");
    assert_eq!(short, PathBuf::from("/d/node.sock"));
}

#[test]
fn the_owners_limits_are_read_from_file_and_flags_and_checked() {
    use crate::policy::Key;
    let file = "[policy]\nbattery.min = 30\nwindows = [\"22:00-07:00\", \"sat-sun 00:00-24:00\"]\ncharge_only = true\n\
                [policy.temp]\nmax = \"45\"";
    let file: Layer = toml::from_str(file).expect("valid");
    let vars = read_env(&env(&[("RC_NODE_POLICY", "cpu.max=50; windows=01:00-02:00,03:00-04:00")])).expect("valid");
    let says = resolve(vars.over(file)).expect("valid").policy;
    let text = |key, text: &str| (key, text.to_owned());
    let expected = [
        text(Key::BatteryMin, "30"),
        text(Key::ChargeOnly, "on"),
        text(Key::TempMax, "45"),
        text(Key::Windows, "22:00-07:00, sat-sun 00:00-24:00"),
    ];
    assert_eq!(says.file, expected.into());
    assert_eq!(says.flags, [text(Key::CpuMax, "50"), text(Key::Windows, "01:00-02:00,03:00-04:00")].into());

    let wrong = |file: &str| {
        let layer: Result<Layer, _> = toml::from_str(file);
        layer.map_err(|error| error.to_string()).and_then(|layer| resolve(layer).map_err(|error| error.to_string()))
    };
    for (file, names) in [
        ("policy.battery.maximum = 3", "battery.maximum"),
        ("policy.battery.min = 300", "battery.min"),
        ("policy.battery.min.really = 3", "battery.min"),
        ("policy.cpu.max = 0.5", "policy"),
        ("[policy.battery]\nmin = 80\nresume = 20", "battery.resume"),
    ] {
        let error = wrong(file).unwrap_err();
        assert!(error.contains(names), "{file}: {error}");
    }
    let flag = Layer { policy: Some(vec!["battery.min".to_owned()]), ..Layer::default() };
    assert!(resolve(flag).unwrap_err().to_string().contains("NAME=VALUE"));
}
