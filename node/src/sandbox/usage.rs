//! Resource usage as the kernel counts it, in our units.

use crate::handlers::ResourceUsage;

/// What this process used so far.
pub fn own_usage() -> ResourceUsage {
    // SAFETY: rusage is plain integers, for which zero is a value; the call fills it in.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        if libc::getrusage(libc::RUSAGE_SELF, &mut usage) != 0 {
            return ResourceUsage::default();
        }
        usage
    };
    convert(&usage)
}

/// `ru_maxrss` counts kibibytes on Linux and bytes on macOS.
pub(super) fn convert(usage: &libc::rusage) -> ResourceUsage {
    let micros = |t: libc::timeval| {
        u64::try_from(t.tv_sec).unwrap_or(0).saturating_mul(1_000_000) + u64::try_from(t.tv_usec).unwrap_or(0)
    };
    let unit = if cfg!(any(target_os = "macos", target_os = "ios")) { 1 } else { 1024 };
    ResourceUsage {
        cpu_micros: Some(micros(usage.ru_utime) + micros(usage.ru_stime)),
        memory_bytes_max: u64::try_from(usage.ru_maxrss).ok().map(|rss| rss * unit),
    }
}
