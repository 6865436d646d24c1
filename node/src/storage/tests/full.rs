//! A full disk: new records are refused as a whole, old ones are served, removals give space back.

use std::{env, fs, io, process::Command};

use super::*;
use crate::storage::CommitError;

/// Fills the store, then checks everything that must still work. Returns how many records fitted.
fn fill_and_recover(dir: &Path, options: Options) -> u64 {
    let mut storage = open_with(dir, options).0;
    let mut fitted = 0;
    let refused = loop {
        match storage.commit(&put_batch(fitted, "a", &[fitted as u8; 10_000])) {
            Ok(()) => fitted += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, CommitError::Full), "{refused}");
    assert!(refused.to_string().contains("no space"), "{refused}");
    assert_eq!(get(&mut storage, fitted), None, "nothing of a refused batch is there");
    let before = all(&mut storage);
    assert_eq!(before.len() as u64, fitted);

    // A restart on the full disk works, too.
    drop(storage);
    let (mut storage, report) = open_with(dir, options);
    assert!(report.is_intact(), "{report:?}");
    assert_eq!(all(&mut storage), before);
    assert!(matches!(storage.commit(&put_batch(fitted, "a", &[1; 10_000])), Err(CommitError::Full)));

    for n in 0..fitted - 1 {
        remove(&mut storage, n);
        maintain_fully(&mut storage);
    }
    storage.commit(&put_batch(fitted, "a", &[1; 10_000])).expect("there is room again");
    drop(storage);
    let mut storage = open_intact(dir);
    assert_eq!(all(&mut storage).into_keys().collect::<Vec<_>>(), vec![task(fitted - 1), task(fitted)]);
    fitted
}

#[test]
fn the_configured_limit_refuses_like_a_full_disk() {
    let dir = tempfile::tempdir().expect("dir");
    let options = Options { segment_bytes: 256 << 10, bytes_max: 2 << 20 };
    assert!(fill_and_recover(dir.path(), options) > 100);
}

#[test]
fn a_really_full_disk_refuses_and_recovers() {
    let dir = tempfile::tempdir().expect("dir");
    // A file system of 4 MiB, in a mount namespace of its own so that nothing outlives the child.
    let script = "mount -t tmpfs -o size=4m tmpfs \"$RC_FULL_DIR\" || exit 77; exec \"$@\"";
    let status = Command::new("unshare")
        .args(["--mount", "--map-root-user", "sh", "-c", script, "sh"])
        .arg(env::current_exe().expect("this binary"))
        .args(["--exact", "storage::tests::full::child_on_a_small_disk", "--ignored"])
        .env("RC_FULL_DIR", dir.path())
        .status();
    match status.map(|status| status.code()) {
        Ok(Some(0)) => {}
        Ok(Some(1 | 77)) | Err(_) if !can_mount(dir.path()) => {
            eprintln!("skipped: no mounts allowed here")
        }
        other => panic!("{other:?}"),
    }
}

fn can_mount(dir: &Path) -> bool {
    Command::new("unshare")
        .args(["--mount", "--map-root-user", "mount", "-t", "tmpfs", "tmpfs"])
        .arg(dir)
        .status()
        .is_ok_and(|status| status.success())
}

#[test]
#[ignore = "run by a_really_full_disk_refuses_and_recovers"]
fn child_on_a_small_disk() {
    let Some(dir) = env::var_os("RC_FULL_DIR") else {
        return;
    };
    let options = Options { segment_bytes: 512 << 10, ..Options::default() };
    assert!(fill_and_recover(Path::new(&dir), options) > 100);
}

#[test]
fn a_sync_without_space_takes_the_commit_back() {
    let dir = tempfile::tempdir().expect("dir");
    let mut storage = open_intact(dir.path());
    put(&mut storage, 1, "a", b"old");
    storage.active.fault = Some(io::ErrorKind::StorageFull);
    assert!(matches!(storage.commit(&put_batch(2, "a", b"new")), Err(CommitError::Full)));
    assert_eq!(all(&mut open_copy(dir.path(), &ram_dir())).len(), 1, "nor would a crash bring it back");
    storage.commit(&put_batch(3, "a", b"newer")).expect("the store goes on");
    assert_eq!(all(&mut storage).into_keys().collect::<Vec<_>>(), vec![task(1), task(3)]);
    drop(storage);
    assert_eq!(all(&mut open_intact(dir.path())).len(), 2);
}

#[test]
fn after_a_failed_sync_nothing_is_written_and_everything_is_readable() {
    let dir = tempfile::tempdir().expect("dir");
    let mut storage = open_intact(dir.path());
    put(&mut storage, 1, "a", b"old");
    storage.active.fault = Some(io::ErrorKind::Other);
    assert!(matches!(storage.commit(&put_batch(2, "a", b"new")), Err(CommitError::Failed(_))));
    assert!(matches!(storage.commit(&put_batch(3, "a", b"newer")), Err(CommitError::Failed(_))));
    assert_eq!(get(&mut storage, 1), Some(vec![entry("a", b"old")]));
    assert_eq!((get(&mut storage, 2), get(&mut storage, 3)), (None, None));
    drop(storage);
    put(&mut open_intact(dir.path()), 3, "a", b"newer");
}

/// The store as a crash would leave it now, in `copy`.
fn open_copy(dir: &Path, copy: &tempfile::TempDir) -> Storage {
    for file in fs::read_dir(dir).expect("dir") {
        let file = file.expect("file");
        fs::copy(file.path(), copy.path().join(file.file_name())).expect("copy");
    }
    open_intact(copy.path())
}
