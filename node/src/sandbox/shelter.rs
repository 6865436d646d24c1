//! Where programs that somebody else wrote are run: held as well as this device can, which is tried out at the start and not
//! concluded from anything.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;

use super::WORK;
use super::groups::{Controller, Group, GroupLimits, Groups};
use super::held::Spawner;
use super::tree;
use super::user::{TaskUser, task_user};
use super::{Hold, LaunchError, PlainLauncher, Process, ProcessLimits, Program, Tier};

/// How long the trial of a tier may take.
const TRIAL_TIME_MAX: Duration = Duration::from_secs(10);
/// How long a count of the user's processes is good for.
const COUNT_AGE_MAX: Duration = Duration::from_secs(1);
/// What a trial runs: its work directory must take a file, and its pipes must work.
const TRIAL: &str = "echo held >probe && read word <probe && echo $word";

/// What a trial of processor time runs; it is killed.
const SPIN: &str = "while :; do :; done";
/// How long it may take until the kernel has stopped it for the first time, and between two looks.
const THROTTLE_TIME_MAX: Duration = Duration::from_secs(2);
const THROTTLE_PAUSE: Duration = Duration::from_millis(5);

/// What a shelter is made with.
#[derive(Debug, Clone)]
pub struct ShelterConfig {
    /// The program that is started as the spawner; it must call [`crate::worker_main`].
    pub program: PathBuf,
    /// Where work directories are made. Their user must be able to reach it by its name.
    pub work_root: PathBuf,
    /// Not more than this, for tests and measurements.
    pub tier_max: Tier,
}

/// One for programs that see no network, one for those that may.
#[derive(Default)]
struct Spawners {
    offline: Option<Arc<Spawner>>,
    online: Option<Arc<Spawner>>,
}

/// Starts programs, held on the highest tier that works here.
pub struct Shelter {
    config: ShelterConfig,
    plain: Arc<PlainLauncher>,
    tier: Tier,
    /// Why it is not a higher one, one line for each.
    shortfalls: Vec<String>,
    own_network: bool,
    user: TaskUser,
    spawners: Mutex<Spawners>,
    /// Processes of the user, and when they were counted.
    counted: Mutex<Option<(Instant, u64)>>,
    /// Those that were found to work, and what for.
    groups: Option<(Groups, Grouped)>,
}

/// What control groups hold here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Grouped {
    cpu: bool,
    memory: bool,
}

impl Shelter {
    /// Tries the tiers out, the highest first. A system that can hold nothing gives a shelter of tier [`Tier::Limits`].
    ///
    /// # Errors
    /// No thread can be had.
    pub async fn new(config: ShelterConfig) -> io::Result<Self> {
        // Moved to a thread that may block: it looks at all processes once.
        let root = config.work_root.clone();
        let plain = tokio::task::spawn_blocking(move || PlainLauncher::for_programs(&root)).await;
        let plain = Arc::new(plain.map_err(io::Error::other)??);
        let (tier, shortfalls, spawners) = (Tier::Limits, Vec::new(), Mutex::default());
        let (user, counted) = (task_user(), Mutex::default());
        let (own_network, groups) = (false, None);
        let mut shelter = Self { config, plain, tier, shortfalls, own_network, user, spawners, counted, groups };
        if shelter.config.tier_max == Tier::Limits {
            return Ok(shelter);
        }
        match shelter.spawner(false).await {
            Err(error) => shelter.shortfalls.push(format!("no process that starts programs: {error}")),
            Ok(spawner) => {
                shelter.own_network = spawner.own_network();
                for tier in [Tier::Namespaces, Tier::Filters] {
                    if tier > shelter.config.tier_max {
                        continue;
                    }
                    match shelter.try_out(&spawner, tier).await {
                        Ok(()) => {
                            shelter.tier = tier;
                            break;
                        }
                        Err(why) => shelter.shortfalls.push(format!("{}: {why}", tier.text())),
                    }
                }
            }
        }
        if shelter.tier == Tier::Limits {
            *shelter.spawners() = Spawners::default();
        }
        Ok(shelter)
    }

    /// Tries out which limits control groups keep here; from then on they are used. Only where programs are held at all.
    pub async fn use_groups(&mut self, groups: Groups) {
        let (cpu, memory) = (groups.has(Controller::Cpu), groups.has(Controller::Memory));
        if self.tier == Tier::Limits || !(cpu || memory) {
            return;
        }
        match self.try_groups(&groups, Grouped { cpu, memory }).await {
            Ok(grouped) => self.groups = Some((groups, grouped)),
            Err(why) => self.shortfalls.push(format!("control groups: {why}")),
        }
    }

    /// Whether processor time can be limited.
    pub fn limits_cpu(&self) -> bool {
        self.groups.as_ref().is_some_and(|(_, grouped)| grouped.cpu)
    }

    /// A control group for one program: `None` if nothing that it would limit can be limited here.
    ///
    /// # Errors
    /// The system refuses.
    pub fn group(&self, limits: GroupLimits) -> io::Result<Option<Group>> {
        let Some((groups, grouped)) = &self.groups else { return Ok(None) };
        let limits = GroupLimits {
            cpu_percent: limits.cpu_percent.filter(|_| grouped.cpu),
            memory_bytes: limits.memory_bytes.filter(|_| grouped.memory),
            ..limits
        };
        if limits.cpu_percent.is_none() && limits.memory_bytes.is_none() {
            return Ok(None);
        }
        groups.make(&limits).map(Some)
    }

    /// Lets a program use all the processor time that it can get, in a group that allows for little.
    async fn try_groups(&self, groups: &Groups, mut grouped: Grouped) -> Result<Grouped, String> {
        let limits = GroupLimits {
            cpu_percent: grouped.cpu.then_some(5.0),
            memory_bytes: grouped.memory.then_some(64 << 20),
            processes: None,
        };
        let group = groups.make(&limits).map_err(|error| error.to_string())?;
        let work = self.config.work_root.join(format!("trial-{}-groups", std::process::id()));
        let tried = async {
            make_work(&work, self.other_user()).map_err(|error| error.to_string())?;
            let groups = group.doors().map_err(|error| error.to_string())?;
            let hold = Hold { groups, ..trial_hold(work.clone()) };
            let mut process = self.launch(trial_program(SPIN), &hold).await.map_err(|error| error.to_string())?;
            let until = Instant::now() + THROTTLE_TIME_MAX;
            while !group.is_peopled() || (grouped.cpu && group.throttled() == 0) {
                if Instant::now() > until {
                    break;
                }
                tokio::time::sleep(THROTTLE_PAUSE).await;
            }
            let peopled = group.is_peopled();
            grouped.cpu &= group.throttled() > 0;
            process.kill_tree(Vec::new()).await;
            // It was killed; how it ended says nothing.
            let _ = process.wait().await;
            if peopled { Ok(grouped) } else { Err("a program does not get into them".to_owned()) }
        };
        let tried = tokio::time::timeout(TRIAL_TIME_MAX, tried).await;
        if let Err(error) = std::fs::remove_dir_all(&work) {
            tracing::debug!(%error, "the work directory of a trial is left");
        }
        group.remove().await;
        tried.unwrap_or_else(|_| Err("the trial did not end".to_owned()))
    }

    /// How programs are held here.
    pub fn tier(&self) -> Tier {
        self.tier
    }

    /// What kept the higher tiers from working, for people.
    pub fn shortfalls(&self) -> &[String] {
        &self.shortfalls
    }

    /// Whether a program without network lives in a network that has nothing in it, besides being refused sockets.
    pub fn own_network(&self) -> bool {
        self.tier > Tier::Limits && self.own_network
    }

    /// Starts our own worker processes.
    pub fn plain(&self) -> Arc<PlainLauncher> {
        Arc::clone(&self.plain)
    }

    /// Where a program finds its work directory.
    pub fn work_seen(&self, work: &Path) -> PathBuf {
        if self.tier == Tier::Namespaces { WORK.into() } else { work.to_owned() }
    }

    /// Where work directories are made.
    pub fn work_root(&self) -> &Path {
        &self.config.work_root
    }

    /// Whom programs run as, if that is not this process's own user.
    pub fn other_user(&self) -> Option<TaskUser> {
        rustix::process::geteuid().is_root().then_some(self.user)
    }

    /// Starts a program.
    ///
    /// # Errors
    /// It could not be started, or not be held as it must be; nothing of it is left.
    pub async fn launch(&self, program: Program, hold: &Hold) -> Result<Process, LaunchError> {
        if self.tier == Tier::Limits {
            let program = Program { cwd: hold.work.join(&program.cwd), ..program };
            if !program.cwd.is_dir() {
                return Err(LaunchError::Directory(io::ErrorKind::NotFound.into()));
            }
            return self.plain.launch_as(program, self.other_user()).await;
        }
        let processes = self.processes_max(hold).await;
        let spawner = self.spawner(hold.network).await.map_err(|_| LaunchError::Gone)?;
        match spawner.launch(program.clone(), hold, self.tier, processes).await {
            Err(LaunchError::Gone) => {
                // It was killed, perhaps for memory; its programs died with it. This one has not begun.
                self.forget(&spawner);
                let spawner = self.spawner(hold.network).await.map_err(|_| LaunchError::Gone)?;
                spawner.launch(program, hold, self.tier, processes).await
            }
            launched => launched,
        }
    }

    /// The limit that allows for so many processes. In a namespace they are counted alone, elsewhere with all others of the user.
    async fn processes_max(&self, hold: &Hold) -> u64 {
        if self.tier == Tier::Namespaces {
            return hold.processes_max;
        }
        let known = *self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let others = match known {
            Some((at, count)) if at.elapsed() < COUNT_AGE_MAX => count,
            _ => {
                let uid = self.user.uid;
                let count = tokio::task::spawn_blocking(move || tree::threads_of(Path::new("/proc"), uid));
                // An error means that the runtime goes down.
                let count = count.await.unwrap_or(0);
                *self.counted.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), count));
                count
            }
        };
        others.saturating_add(hold.processes_max)
    }

    async fn spawner(&self, network: bool) -> io::Result<Arc<Spawner>> {
        let known = {
            let spawners = self.spawners();
            if network { spawners.online.clone() } else { spawners.offline.clone() }
        };
        if let Some(spawner) = known {
            return Ok(spawner);
        }
        let program = self.config.program.clone();
        let started = tokio::task::spawn_blocking(move || Spawner::start(&program, network)).await;
        let started = Arc::new(started.map_err(io::Error::other)??);
        let mut spawners = self.spawners();
        let place = if network { &mut spawners.online } else { &mut spawners.offline };
        // Of two that were started at once the first one stays.
        Ok(Arc::clone(place.get_or_insert(started)))
    }

    fn forget(&self, gone: &Arc<Spawner>) {
        let mut spawners = self.spawners();
        let Spawners { offline, online } = &mut *spawners;
        for place in [offline, online] {
            if place.as_ref().is_some_and(|known| Arc::ptr_eq(known, gone)) {
                *place = None;
            }
        }
    }

    /// Only ever replaced as a whole under the lock, so a poisoned one is still good.
    fn spawners(&self) -> MutexGuard<'_, Spawners> {
        self.spawners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a small program the whole way.
    async fn try_out(&self, spawner: &Spawner, tier: Tier) -> Result<(), String> {
        let work = self.config.work_root.join(format!("trial-{}-{}", std::process::id(), tier as u8));
        let made = make_work(&work, self.other_user());
        let tried = match made {
            Ok(()) => tokio::time::timeout(TRIAL_TIME_MAX, trial(spawner, tier, work.clone())).await,
            Err(error) => return Err(format!("no work directory in {}: {error}", self.config.work_root.display())),
        };
        if let Err(error) = std::fs::remove_dir_all(&work) {
            tracing::debug!(%error, "the work directory of a trial is left");
        }
        tried.unwrap_or_else(|_| Err("the trial did not end".to_owned()))
    }
}

/// A directory for one program, which its user alone can enter.
fn make_work(path: &Path, user: Option<TaskUser>) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    user.map_or(Ok(()), |user| std::os::unix::fs::chown(path, Some(user.uid), Some(user.gid)))
}

fn trial_program(script: &str) -> Program {
    Program {
        program: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
        env: Vec::new(),
        cwd: PathBuf::new(),
        stdin: false,
        limits: ProcessLimits { file_bytes: Some(4096), open_files: Some(64), ..ProcessLimits::default() },
    }
}

fn trial_hold(work: PathBuf) -> Hold {
    Hold { work, network: false, read: Vec::new(), write: Vec::new(), processes_max: 16, groups: Vec::new() }
}

async fn trial(spawner: &Spawner, tier: Tier, work: PathBuf) -> Result<(), String> {
    let hold = trial_hold(work);
    let mut process =
        spawner.launch(trial_program(TRIAL), &hold, tier, u64::MAX).await.map_err(|error| error.to_string())?;
    let (stdout, stderr) = (process.stdout.take(), process.stderr.take());
    let read = |pipe: Option<_>| async move {
        let mut text = String::new();
        if let Some(pipe) = pipe {
            let mut pipe: std::pin::Pin<Box<dyn tokio::io::AsyncRead + Send>> = pipe;
            let _ = (&mut pipe).take(4096).read_to_string(&mut text).await;
        }
        text
    };
    let stdout = read(stdout.map(|pipe| Box::pin(pipe) as _)).await;
    let stderr = read(stderr.map(|pipe| Box::pin(pipe) as _)).await;
    let exit = process.wait().await.map_err(|error| error.to_string())?;
    if stdout == "held\n" && exit.code() == 0 {
        return Ok(());
    }
    Err(format!("a trial gave code {} and said {:?}", exit.code(), stderr.trim()))
}

impl Drop for Shelter {
    fn drop(&mut self) {
        // Only if it is empty: what programs left is for the next start to sweep.
        let _ = std::fs::remove_dir(&self.config.work_root);
    }
}

impl std::fmt::Debug for Shelter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shelter").field("tier", &self.tier).field("user", &self.user).finish_non_exhaustive()
    }
}
