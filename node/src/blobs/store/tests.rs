use super::*;
use crate::blobs::tree::GROUP_BYTES;

fn data(bytes: usize, seed: usize) -> Vec<u8> {
    (0..bytes).map(|n| (n * 31 + n / 251 + seed) as u8).collect()
}

fn limits(bytes_max: u64) -> StoreLimits {
    StoreLimits { bytes_max, grace: Duration::from_secs(3600), ..StoreLimits::default() }
}

fn put(store: &Arc<Store>, data: &[u8], announce: bool) -> Result<BlobRef, BlobError> {
    let mut writer = store.create(announce.then_some(data.len() as u64))?;
    for part in data.chunks(100_001) {
        writer.write(part)?;
    }
    writer.finish()
}

fn read(store: &Arc<Store>, hash: &BlobHash) -> Result<Vec<u8>, BlobError> {
    let mut opened = store.read(hash)?;
    (0..opened.groups()).map(|group| opened.group(group)).collect::<Result<Vec<_>, _>>().map(|parts| parts.concat())
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap().flatten() {
            if entry.path().is_dir() { dirs.push(entry.path()) } else { found.push(entry.path()) }
        }
    }
    found
}

#[test]
fn what_is_put_is_read_back_and_survives_a_start() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), limits(64 << 20)).unwrap();
    let mut used = 0;
    for bytes in [0, 1, GROUP_BYTES, GROUP_BYTES + 1, 5 * GROUP_BYTES + 3] {
        for announce in [false, true] {
            let data = data(bytes, 0);
            let blob = put(&store, &data, announce).unwrap();
            assert_eq!((blob.hash.0, blob.bytes), (*blake3::hash(&data).as_bytes(), bytes as u64));
            assert_eq!(read(&store, &blob.hash).unwrap(), data);
        }
        used += weight(bytes as u64);
        assert_eq!(store.usage().used, used, "the second one is the first one, {bytes}");
    }
    let rows = store.rows(100);
    drop(store);
    let store = Store::open(dir.path(), limits(64 << 20)).unwrap();
    assert_eq!((store.usage().used, store.rows(100)), (used, rows.clone()));
    for row in rows {
        assert_eq!(*blake3::hash(&read(&store, &row.blob.hash).unwrap()).as_bytes(), row.blob.hash.0);
    }
}

#[test]
fn a_full_store_refuses_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let limit = 20 << 20;
    let store = Store::open(dir.path(), limits(limit)).unwrap();
    let first = put(&store, &data(3 << 20, 1), true).unwrap();
    let used = store.usage().used;
    // Announced: refused before a byte; not announced: when the limit is reached.
    for announce in [true, false] {
        let error = put(&store, &data(18 << 20, 2), announce).unwrap_err();
        assert!(error.is_full() && error.to_string().contains("full"), "{error}");
        assert_eq!(store.usage().used, used);
    }
    let absurd = BlobRef { hash: BlobHash([9; 32]), bytes: u64::MAX };
    assert!(store.partial(absurd).unwrap_err().is_full());
    assert_eq!(files(dir.path()).len(), 2, "the first blob and its list");
    assert_eq!(read(&store, &first.hash).unwrap(), data(3 << 20, 1));
    put(&store, &data(2 << 20, 3), true).unwrap();
}

#[tokio::test(start_paused = true)]
async fn room_is_made_by_what_nobody_names_and_nobody_used_lately() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), limits(10 << 20)).unwrap();
    let named = put(&store, &data(4 << 20, 1), true).unwrap();
    store.refer(TaskId([1; 16]), &[named]);
    let idle = put(&store, &data(4 << 20, 2), true).unwrap();
    assert!(put(&store, &data(4 << 20, 3), true).unwrap_err().is_full(), "the idle one is too young");
    tokio::time::advance(YOUNG + Duration::from_secs(1)).await;
    put(&store, &data(4 << 20, 3), true).unwrap();
    assert_eq!((store.has(&named.hash), store.has(&idle.hash)), (true, false));
}

#[tokio::test(start_paused = true)]
async fn blobs_go_with_the_last_task_that_names_them_and_unnamed_ones_after_the_grace() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), limits(10 << 20)).unwrap();
    let [one, two] = [1, 2].map(|n| TaskId([n; 16]));
    let [shared, own, loose] = [1, 2, 3].map(|n| put(&store, &data(100_000 + n, n), false).unwrap());
    store.refer(one, &[shared, own]);
    store.refer(two, &[shared]);
    let here = || [shared, own, loose].map(|blob| store.has(&blob.hash));
    store.forget(one);
    store.collect();
    assert_eq!(here(), [true; 3], "not before the drop is on the disk");
    tokio::time::advance(AFTERLIFE).await;
    store.collect();
    assert_eq!(here(), [true, false, true]);
    tokio::time::advance(Duration::from_secs(3600)).await;
    store.collect();
    assert_eq!(here(), [true, false, false]);
    store.forget(two);
    tokio::time::advance(AFTERLIFE).await;
    assert_eq!(store.collect(), 1);
    assert_eq!((store.usage().used, files(dir.path()).len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_being_worked_with_stays() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), limits(6 << 20)).unwrap();
    let blob = put(&store, &data(4 << 20, 1), true).unwrap();
    let pins = [store.pin([blob.hash]), store.pin([blob.hash])];
    let grace = Duration::from_secs(3601);
    for pin in pins {
        tokio::time::advance(grace).await;
        assert_eq!(store.collect(), 0);
        assert!(put(&store, &data(4 << 20, 2), true).unwrap_err().is_full(), "no room is made with it");
        drop(pin);
    }
    assert_eq!(store.collect(), 0, "not at once");
    tokio::time::advance(grace).await;
    assert_eq!(store.collect(), 1);
}

#[test]
fn damage_is_noticed_and_the_blob_is_missing_then() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), limits(10 << 20)).unwrap();
    for (seed, hurt) in [(1, "flip"), (2, "cut"), (3, "list"), (4, "no list")] {
        let blob = put(&store, &data(3 * GROUP_BYTES, seed), false).unwrap();
        store.refer(TaskId([seed as u8; 16]), &[blob]);
        let path = store.path(&blob.hash);
        let list = path.with_extension(LIST_ENDING);
        let mut bytes = fs::read(if hurt == "list" { &list } else { &path }).unwrap();
        match hurt {
            "cut" => fs::write(&path, &bytes[..bytes.len() - 1]).unwrap(),
            "no list" => fs::remove_file(&list).unwrap(),
            _ => {
                let at = bytes.len() / 2;
                bytes[at] ^= 1;
                fs::write(if hurt == "list" { &list } else { &path }, bytes).unwrap();
            }
        }
        assert!(matches!(read(&store, &blob.hash), Err(BlobError::Damaged(_))), "{hurt}");
        assert!(!store.has(&blob.hash) && store.missing().contains(&blob), "{hurt}");
    }
    assert_eq!(files(dir.path()).len(), 0);
}

#[test]
fn a_fetch_goes_on_after_a_start_from_what_is_right_on_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let bytes = data(6 * GROUP_BYTES + 5, 1);
    let source = Store::open(elsewhere.path(), limits(10 << 20)).unwrap();
    let blob = put(&source, &bytes, false).unwrap();
    let list = source.read(&blob.hash).unwrap().list();
    let parts: Vec<_> = bytes.chunks(GROUP_BYTES).collect();

    let store = Store::open(dir.path(), limits(10 << 20)).unwrap();
    let mut partial = store.partial(blob).unwrap();
    assert!(!partial.write(parts[0]).unwrap(), "nothing can be checked yet");
    assert!(!partial.learn(&list[1..]).unwrap());
    assert!(partial.learn(&list).unwrap());
    for part in &parts[..4] {
        assert!(!partial.write(parts[5]).unwrap(), "another group");
        assert!(partial.write(part).unwrap());
    }
    let path = store.partial_path(&blob.hash);
    drop((partial, store));
    // The power went: the last group did not reach the disk as it was.
    let mut torn = fs::read(&path).unwrap();
    assert_eq!(torn.len(), 4 * GROUP_BYTES);
    let last = torn.len() - 7;
    torn[last] ^= 1;
    fs::write(&path, torn).unwrap();

    let store = Store::open(dir.path(), limits(10 << 20)).unwrap();
    let mut partial = store.partial(blob).unwrap();
    assert!(partial.has_tree() && !partial.is_whole());
    assert_eq!(partial.next(), 3);
    assert!(!store.has(&blob.hash));
    for part in &parts[3..] {
        assert!(partial.write(part).unwrap());
    }
    assert!(partial.is_whole());
    partial.finish().unwrap();
    assert_eq!(read(&store, &blob.hash).unwrap(), bytes);
    assert_eq!(files(dir.path()).len(), 2);
    assert_eq!(store.usage().used, weight(blob.bytes));
}
