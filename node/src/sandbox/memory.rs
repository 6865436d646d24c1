//! Gives memory back that the node has and does not use. On phones, who holds most is the first to be killed.

/// Gives back the pages of the program that have only been needed to start, and what the allocator keeps of what was freed.
/// Those that are used after all come back one by one, from the file. Meant for when nothing runs; takes well under a millisecond.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: no arguments that could be wrong; the allocator locks what it touches.
    unsafe {
        libc::malloc_trim(0);
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(code) = std::fs::read_to_string("/proc/self/maps").ok().as_deref().and_then(code) {
        // SAFETY: `code` is a mapping of this process that cannot be written and has not been moved, for it contains this
        // function. Its pages are the file's own, and whoever touches them again gets them from there.
        unsafe {
            libc::madvise(code.start as *mut libc::c_void, code.len(), libc::MADV_DONTNEED);
        }
    }
}

/// Where the program's code is, as the system's list of mappings has it.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn code(maps: &str) -> Option<std::ops::Range<usize>> {
    let here = give_back as *const () as usize;
    maps.lines().find_map(|line| {
        let (range, rest) = line.split_once(' ')?;
        let (start, end) = range.split_once('-')?;
        let address = |text| usize::from_str_radix(text, 16).ok();
        let range = address(start)?..address(end)?;
        (range.contains(&here) && rest.starts_with("r-xp")).then_some(range)
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// Resident pages of the mapping with the program's code, in KiB.
    fn resident() -> u64 {
        let range = code(&std::fs::read_to_string("/proc/self/maps").expect("a list")).expect("code");
        let text = std::fs::read_to_string("/proc/self/smaps").expect("a list");
        let mut lines = text.lines().skip_while(|line| !line.starts_with(&format!("{:x}-", range.start)));
        let rss = lines.find_map(|line| line.strip_prefix("Rss:")).expect("its size");
        rss.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    #[test]
    fn the_program_goes_on_with_less_of_it_in_memory() {
        let text = some_code();
        let before = resident();
        give_back();
        let after = resident();
        assert!(after < before, "{before} KiB, then {after} KiB");
        assert_eq!(some_code(), text);
    }

    /// Runs through code that nothing else here has touched.
    fn some_code() -> String {
        serde_json::json!({ "a": [1, 2.5, null], "b": "c" }).to_string()
    }
}
