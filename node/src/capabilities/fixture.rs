//! A directory of made-up kernel files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::Roots;

pub(super) struct Fixture(PathBuf);

impl Fixture {
    pub(super) fn new(files: &[(&str, &str)]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let fixture = Self(std::env::temp_dir().join(format!("rc-node-probe-{}-{n}", std::process::id())));
        files.iter().for_each(|(path, text)| fixture.write(path, text));
        fixture
    }

    pub(super) fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().expect("a file is in a directory")).expect("fixture directory");
        fs::write(path, text).expect("fixture file");
    }

    /// A helper program that prints what one once printed.
    #[cfg(unix)]
    pub(super) fn program(&self, name: &str, recorded: &str) {
        self.script(name, &format!("cat <<'END'\n{recorded}\nEND\n"));
    }

    /// A helper program that does what stands there.
    #[cfg(unix)]
    pub(super) fn script(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        self.write(&format!("bin/{name}"), &format!("#!/bin/sh\n{text}"));
        let path = self.0.join("bin").join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("fixture program");
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn roots(&self) -> Roots {
        Roots::below(&self.0)
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
