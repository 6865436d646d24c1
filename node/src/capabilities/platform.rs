//! What does not change while the node runs: names of system and processor, and asking the system's own helpers.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Roots, read_text};

/// How long a helper program may take. Termux's go through an app that may have to be started.
pub(super) const HELPER_TIMEOUT: Duration = Duration::from_secs(5);

/// `android` also for a plain Linux build that runs below Android's kernel, as under Termux.
pub(super) fn platform(roots: &Roots) -> &'static str {
    let android_kernel =
        || read_text(roots.proc.join("sys/kernel/osrelease")).is_some_and(|release| release.contains("android"));
    match std::env::consts::OS {
        "linux" if std::env::var_os("ANDROID_ROOT").is_some() || android_kernel() => "android",
        os => os,
    }
}

/// The processor, in the names that tasks ask for.
pub(super) fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "arm" if cfg!(target_feature = "v7") => "armv7",
        "arm" => "armv6",
        "x86" => "i686",
        arch => arch,
    }
}

/// The host's name on Linux.
#[cfg(any(target_os = "linux", target_os = "android", test))]
pub(super) fn host_name(roots: &Roots) -> Option<String> {
    // An unnamed machine calls itself "(none)", and every phone "localhost".
    let unnamed = |name: &String| ["", "(none)", "localhost"].contains(&name.as_str());
    read_text(roots.proc.join("sys/kernel/hostname")).filter(|name| !unnamed(name))
}

/// The system's name and version on Linux.
#[cfg(any(target_os = "linux", target_os = "android", test))]
pub(super) fn os_version(roots: &Roots) -> Option<String> {
    let release = read_text(roots.etc.join("os-release")).unwrap_or_default();
    let pretty = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let pretty = pretty.map(|name| name.trim_matches(['"', '\'']).to_owned()).filter(|name| !name.is_empty());
    let kernel = || read_text(roots.proc.join("sys/kernel/osrelease")).map(|release| format!("Linux {release}"));
    pretty.or_else(kernel)
}

/// A property of an Android system.
#[cfg(any(target_os = "linux", target_os = "android", test))]
pub(super) fn android_property(roots: &Roots, name: &str) -> Option<String> {
    helper(roots, "getprop", &[name]).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// What a helper program prints, if it exists and ends well and in time. Blocks.
pub(super) fn helper(roots: &Roots, program: &str, args: &[&str]) -> Option<String> {
    let program = roots.bin.as_ref().map_or_else(|| program.into(), |bin| bin.join(program));
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    // A script waits for a program of its own, which must not outlive it.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn().ok()?;
    let deadline = Instant::now() + HELPER_TIMEOUT;
    let status = loop {
        // One that prints more than a pipe holds never ends, and gives nothing.
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(10)),
            _ => {
                // While it is not waited for, its number is not another's.
                #[cfg(unix)]
                if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
                    let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
                }
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    };
    let stdout = child.stdout.take()?;
    // All of it is there; whoever else still has the other end must not be waited for.
    #[cfg(unix)]
    rustix::io::ioctl_fionbio(&stdout, true).ok()?;
    let mut bytes = Vec::new();
    match stdout.take(64 * 1024).read_to_end(&mut bytes) {
        Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => return None,
        _ => {}
    }
    status.success().then(|| String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;

    #[test]
    fn the_system_is_named_or_unknown() {
        let fixture = Fixture::new(&[
            ("proc/sys/kernel/hostname", "attic\n"),
            ("proc/sys/kernel/osrelease", "5.10.157-android13-4-00001\n"),
            ("etc/os-release", "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n"),
        ]);
        assert_eq!(host_name(&fixture.roots()).as_deref(), Some("attic"));
        assert_eq!(os_version(&fixture.roots()).as_deref(), Some("Debian GNU/Linux 12 (bookworm)"));
        if cfg!(target_os = "linux") {
            assert_eq!(platform(&fixture.roots()), "android");
        }
        fixture.write("proc/sys/kernel/hostname", "(none)\n");
        fixture.write("etc/os-release", "PRETTY_NAME=\"\"\n");
        assert_eq!(host_name(&fixture.roots()), None);
        assert_eq!(os_version(&fixture.roots()).as_deref(), Some("Linux 5.10.157-android13-4-00001"));
        let nothing = Fixture::new(&[]);
        assert_eq!((host_name(&nothing.roots()), os_version(&nothing.roots())), (None, None));
    }

    #[cfg(unix)]
    #[test]
    fn helpers_that_are_missing_or_fail_tell_nothing() {
        let system = Roots { bin: None, ..Roots::below(std::path::Path::new("/")) };
        assert_eq!(helper(&system, "rc-node-no-such-helper", &[]), None);
        assert_eq!(helper(&system, "false", &[]), None);
        assert_eq!(helper(&system, "echo", &["yes"]).as_deref(), Some("yes\n"));
        assert_eq!(helper(&system, "sh", &["-c", "sleep 60 & echo yes"]).as_deref(), Some("yes\n"));
        let fixture = Fixture::new(&[]);
        assert_eq!(helper(&fixture.roots(), "echo", &["yes"]), None, "not the system's");
        fixture.program("echo", "{\"recorded\": true}");
        assert_eq!(helper(&fixture.roots(), "echo", &["yes"]).as_deref(), Some("{\"recorded\": true}\n"));
    }
}
