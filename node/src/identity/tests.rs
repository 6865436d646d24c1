use super::*;

fn ticket(n: u8) -> Ticket {
    Ticket::new(Secret::from([n; 32]), ["/ip4/192.0.2.1/tcp/4001".parse().unwrap()])
}

#[test]
fn an_identity_is_made_once_and_for_its_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    let first = load_or_create(dir.path()).unwrap().public().to_peer_id();
    assert_eq!(load_or_create(dir.path()).unwrap().public().to_peer_id(), first);
    assert_eq!(device_id(&first), device_id(&first));
    let secret = load_or_create_cluster(dir.path()).unwrap();
    assert_eq!(load_or_create_cluster(dir.path()).unwrap(), secret);
    #[cfg(unix)]
    for file in [IDENTITY_FILE, CLUSTER_FILE] {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(dir.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[test]
fn a_damaged_identity_is_named_and_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(IDENTITY_FILE), b"junk").unwrap();
    let error = load_or_create(dir.path()).unwrap_err().to_string();
    assert!(error.contains(IDENTITY_FILE), "{error}");
    assert_eq!(std::fs::read(dir.path().join(IDENTITY_FILE)).unwrap(), b"junk");
    std::fs::write(dir.path().join(CLUSTER_FILE), [1; 31]).unwrap();
    assert!(matches!(load_or_create_cluster(dir.path()), Err(IdentityError::Damaged { .. })));
}

#[test]
fn a_cluster_of_one_is_left_for_another_and_a_real_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    load_or_create_cluster(dir.path()).unwrap();
    join(dir.path(), &ticket(1)).unwrap();
    assert_eq!(cluster(dir.path()).unwrap(), Some(Secret::from([1; 32])));
    let (mut log, _) = Storage::open(&dir.path().join(LOG_DIR), storage::Options::default()).unwrap();
    assert_eq!(log.cell(SEEDS_CELL), Some(b"/ip4/192.0.2.1/tcp/4001".as_slice()));
    assert!(matches!(join(dir.path(), &ticket(2)), Err(JoinError::InUse { .. })));
    let mut batch = Batch::new();
    batch.put_cell("member/a", b"").unwrap();
    batch.put_cell("member/b", b"").unwrap();
    log.commit(&batch).unwrap();
    drop(log);
    assert!(matches!(join(dir.path(), &ticket(2)), Err(JoinError::AlreadyMember { members: 2 })));
    join(dir.path(), &ticket(1)).unwrap();
    assert_eq!(cluster(dir.path()).unwrap(), Some(Secret::from([1; 32])));
}
