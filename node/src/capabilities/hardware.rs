//! Graphics processors and sensors. Both are looked for once.

use std::path::Path;

use super::{NO_GPU, Roots, entries, read_text};

/// Drivers of graphics processors that are a part of the chip and have no vendor number.
const CHIP_GPU_DRIVERS: [&str; 10] =
    ["panfrost", "panthor", "lima", "v3d", "vc4-drm", "msm_dpu", "msm-mdss", "adreno", "etnaviv-gpu", "tegra-gr2d"];

/// What an industrial-I/O device measures, by the beginning of its files' names.
const CHANNELS: [(&str, &str); 8] = [
    ("in_accel", "accelerometer"),
    ("in_anglvel", "gyroscope"),
    ("in_humidityrelative", "humidity"),
    ("in_illuminance", "light"),
    ("in_magn", "magnetometer"),
    ("in_pressure", "barometer"),
    ("in_proximity", "proximity"),
    ("in_temp", "thermometer"),
];

/// Whether the kernel shows its devices at all. On phones it does not: then what is not found is not known.
fn shows_devices(roots: &Roots) -> bool {
    std::fs::read_dir(roots.sys.join("class")).is_ok()
}

/// The graphics processor: `nvidia`, `amd`, `intel`, or the driver of one that is a part of the chip. The virtual ones of
/// virtual machines do not count: they compute nothing.
pub(super) fn gpu(roots: &Roots) -> Option<String> {
    let cards = entries(roots.sys.join("class/drm"));
    let is_card = |path: &&std::path::PathBuf| {
        let number = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix("card"));
        // `card0-HDMI-A-1` is a connector.
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
    };
    let mut found: Vec<String> = cards.iter().filter(is_card).filter_map(|card| card_name(card)).collect();
    // A laptop with two is known by the one that computes more.
    found.sort_by_key(|name| (name == "intel", name.clone()));
    found.into_iter().next().or_else(|| shows_devices(roots).then(|| NO_GPU.to_owned()))
}

fn card_name(card: &Path) -> Option<String> {
    let maker = match read_text(card.join("device/vendor")).as_deref() {
        Some("0x10de") => Some("nvidia"),
        Some("0x1002") => Some("amd"),
        Some("0x8086") => Some("intel"),
        _ => None,
    };
    let driver = || {
        let event = read_text(card.join("device/uevent"))?;
        let driver = event.lines().find_map(|line| line.strip_prefix("DRIVER="))?;
        CHIP_GPU_DRIVERS.into_iter().find(|known| *known == driver)
    };
    maker.or_else(driver).map(str::to_owned)
}

/// Who made it, by the name that it is sold under.
#[cfg(any(target_os = "macos", windows, test))]
pub(super) fn maker(model: &str) -> &'static str {
    const MAKERS: [(&str, &str); 8] = [
        ("nvidia", "nvidia"),
        ("geforce", "nvidia"),
        ("amd", "amd"),
        ("radeon", "amd"),
        ("apple", "apple"),
        ("intel", "intel"),
        ("adreno", "adreno"),
        ("mali", "mali"),
    ];
    let model = model.to_lowercase();
    MAKERS.iter().find(|(part, _)| model.contains(part)).map_or("other", |(_, maker)| maker)
}

/// Kinds of sensors, in order of name.
pub(super) fn sensors(roots: &Roots) -> Option<Vec<String>> {
    let mut found: Vec<&str> = Vec::new();
    for device in entries(roots.sys.join("bus/iio/devices")) {
        for file in entries(&device) {
            let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            found.extend(CHANNELS.iter().filter(|(channel, _)| name.starts_with(channel)).map(|(_, kind)| kind));
        }
    }
    if !entries(roots.sys.join("class/gnss")).is_empty() {
        found.push("gps");
    }
    let videos = entries(roots.sys.join("class/video4linux"));
    // Boards list their codecs as video devices, too; what hangs on USB is a camera.
    let is_camera =
        |dir: &std::path::PathBuf| read_text(dir.join("device/uevent")).is_some_and(|t| t.contains("DRIVER=uvcvideo"));
    if videos.iter().any(is_camera) {
        found.push("camera");
    }
    let found = named(found);
    (!found.is_empty() || shows_devices(roots)).then_some(found)
}

/// The output of `termux-sensor -l`; `None` if it is something else.
#[cfg(any(target_os = "linux", target_os = "android", test))]
pub(super) fn termux_sensors(json: &str) -> Option<Vec<String>> {
    const KINDS: [(&str, &str); 8] = [
        ("accelerometer", "accelerometer"),
        ("gyro", "gyroscope"),
        ("humidity", "humidity"),
        ("light", "light"),
        ("magnet", "magnetometer"),
        ("pressure", "barometer"),
        ("baro", "barometer"),
        ("proximity", "proximity"),
    ];
    let value: serde_json::Value = serde_json::from_str(json).ok()?;
    let list = value.get("sensors")?.as_array()?;
    let names = list.iter().filter_map(|name| name.as_str()).map(str::to_lowercase);
    let kinds = |name: String| KINDS.iter().filter(move |(part, _)| name.contains(part)).map(|(_, kind)| *kind);
    Some(named(names.flat_map(kinds).collect()))
}

fn named(mut kinds: Vec<&str>) -> Vec<String> {
    kinds.sort_unstable();
    kinds.dedup();
    kinds.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;

    #[test]
    fn graphics_processors_that_compute_are_found() {
        let fixture = Fixture::new(&[
            ("sys/class/drm/card0/device/vendor", "0x1af4"),
            ("sys/class/drm/card0-Virtual-1/device/vendor", "0x10de"),
            ("sys/class/drm/renderD128/device/vendor", "0x10de"),
        ]);
        assert_eq!(gpu(&fixture.roots()).as_deref(), Some(NO_GPU));
        assert_eq!(gpu(&Fixture::new(&[]).roots()), None, "nothing is shown");
        fixture.write("sys/class/drm/card1/device/uevent", "DRIVER=panfrost\nOF_NAME=gpu\n");
        assert_eq!(gpu(&fixture.roots()).as_deref(), Some("panfrost"));
        fixture.write("sys/class/drm/card1/device/vendor", "0x8086");
        fixture.write("sys/class/drm/card2/device/vendor", "0x10de");
        assert_eq!(gpu(&fixture.roots()).as_deref(), Some("nvidia"));
    }

    #[test]
    fn sensors_are_named_by_what_they_measure() {
        let fixture = Fixture::new(&[
            ("sys/bus/iio/devices/iio:device0/in_accel_x_raw", "1"),
            ("sys/bus/iio/devices/iio:device0/in_accel_y_raw", "1"),
            ("sys/bus/iio/devices/iio:device1/in_illuminance_raw", "1"),
            ("sys/class/video4linux/video0/device/uevent", "DRIVER=bcm2835-codec"),
            ("sys/class/gnss/gnss0/dev", "1:1"),
        ]);
        let sensors = |roots: &Roots| sensors(roots).unwrap();
        assert_eq!(sensors(&fixture.roots()), ["accelerometer", "gps", "light"]);
        fixture.write("sys/class/video4linux/video1/device/uevent", "DEVTYPE=usb_interface\nDRIVER=uvcvideo\n");
        assert_eq!(sensors(&fixture.roots()), ["accelerometer", "camera", "gps", "light"]);
        let json = r#"{"sensors": ["BMI160 Accelerometer", "BMI160 Gyroscope", "Uncalibrated Gyroscope", "SOTER"]}"#;
        assert_eq!(termux_sensors(json).unwrap(), ["accelerometer", "gyroscope"]);
        assert_eq!(termux_sensors(r#"{"sensors": [1]}"#), Some(Vec::new()));
        assert_eq!((termux_sensors("no app"), termux_sensors(r#"{"error": "x"}"#)), (None, None));
        assert_eq!(super::sensors(&Fixture::new(&[]).roots()), None);
    }
}
