//! What the task type `command` needs of a node: a shelter to run programs in, a place for their files, and the owner's word on
//! what they may have.

use super::config::NodeConfig;
use super::error::NodeError;
use crate::handlers::ask::FILESYSTEM;
use crate::handlers::command::{Command, CommandGrants, sweep_work_root};
use crate::handlers::script::Script;
use crate::handlers::{Permission, TaskHandler};
use crate::sandbox::{Groups, Shelter, ShelterConfig, Tier, own_executable};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Tries out how programs are held here, if any are to be run at all.
pub(super) async fn shelter(config: &NodeConfig) -> Result<Option<Arc<Shelter>>, NodeError> {
    if !config.allow.contains("command") && config.scripts.is_empty() {
        return Ok(None);
    }
    let work_root = work_root(&config.data_dir).map_err(NodeError::Workers)?;
    if let Err(error) = sweep_work_root(&work_root) {
        tracing::warn!(%error, "what earlier commands left behind is still there");
    }
    let program = config.worker_program.clone().map_or_else(own_executable, Ok).map_err(NodeError::Workers)?;
    let shelter = ShelterConfig { program, work_root, tier_max: Tier::Namespaces };
    let mut shelter = Shelter::new(shelter).await.map_err(NodeError::Workers)?;
    if cfg!(target_os = "linux") {
        let key = blake3::hash(config.data_dir.as_os_str().as_encoded_bytes()).to_hex();
        let find = move || Groups::find(Path::new("/proc"), Path::new("/sys/fs/cgroup"), &key[..16]);
        shelter.use_groups(tokio::task::spawn_blocking(find).await?).await;
    }
    let (tier, own_network) = (shelter.tier().text(), shelter.own_network());
    tracing::info!(tier, own_network, cpu_limits = shelter.limits_cpu(), "commands are held");
    for shortfall in shelter.shortfalls() {
        tracing::warn!(shortfall, "a better sandbox does not work here");
    }
    Ok(Some(Arc::new(shelter)))
}

/// The handler of `command`.
pub(super) fn handler(config: &NodeConfig, shelter: Arc<Shelter>) -> Command {
    let granted = |permission: Permission| config.allow.contains(permission.as_str());
    let write = granted(Permission::WriteFiles);
    let grants = CommandGrants {
        network: granted(Permission::NetworkAccess),
        read: write || granted(Permission::ReadFiles),
        write,
        // A name that leads elsewhere is settled now; one that leads nowhere grants nothing.
        paths: config.allowed_paths.iter().filter_map(|path| path.canonicalize().ok()).collect(),
    };
    let work_root = shelter.work_root().to_owned();
    Command::new(shelter, work_root, grants)
}

/// The owner's programs as task types: each runs as a command does, and may read the files that its own command line names.
pub(super) fn scripts(config: &NodeConfig, shelter: &Arc<Shelter>) -> Vec<Arc<dyn TaskHandler>> {
    let script = |(name, argv): (&String, &Vec<String>)| -> Arc<dyn TaskHandler> {
        let real = |word: &String| Path::new(word).canonicalize().ok().filter(|path| path.is_file());
        let named = |word: &String| Path::new(word).is_absolute().then(|| real(word))?;
        let files: Vec<PathBuf> = argv.iter().filter_map(named).collect();
        let text = |word: &String| named(word).and_then(|path| path.to_str().map(str::to_owned));
        let argv: Vec<_> = argv.iter().map(|word| text(word).unwrap_or_else(|| word.clone())).collect();
        let network = config.allow.contains(Permission::NetworkAccess.as_str());
        let grants = CommandGrants { network, read: true, write: false, paths: files.clone() };
        let command = Command::new(Arc::clone(shelter), shelter.work_root().to_owned(), grants);
        // Where nothing keeps programs from files, asking for some would be refused.
        let held = command.enforces().contains(&FILESYSTEM);
        Arc::new(Script::new(name, &argv, if held { files } else { Vec::new() }, Arc::new(command)))
    };
    config.scripts.iter().map(script).collect()
}

/// Where work directories are made: below the data directory; but nobody passes through that of root, whose programs run as
/// somebody else.
fn work_root(data_dir: &Path) -> io::Result<PathBuf> {
    if !rustix::process::geteuid().is_root() {
        return Ok(data_dir.join("work"));
    }
    let data_dir = std::path::absolute(data_dir)?;
    let name = blake3::hash(data_dir.as_os_str().as_encoded_bytes()).to_hex();
    let root = std::env::temp_dir().join(format!("rc-node-work-{}", &name[..16]));
    make_own(&root)?;
    Ok(root)
}

/// A directory that others can pass through, made by nobody else: anybody can make one of that name where everybody can write.
fn make_own(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
    match std::fs::DirBuilder::new().mode(0o711).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let there = std::fs::symlink_metadata(path)?;
    if !there.is_dir() || there.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other(format!("{} belongs to somebody else", path.display())));
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o711))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_work_root_is_made_by_nobody_else() {
        let dir = tempfile::tempdir().unwrap();
        let (root, file) = (dir.path().join("root"), dir.path().join("file"));
        make_own(&root).unwrap();
        make_own(&root).unwrap();
        assert_eq!(std::fs::metadata(&root).unwrap().permissions().mode() & 0o777, 0o711);
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&root, &link).unwrap();
        std::fs::write(&file, "").unwrap();
        for bad in [link, file] {
            assert!(make_own(&bad).is_err(), "{}", bad.display());
        }
    }
}
