//! The directories that the owner allows, each held open, and how a path finds its place below one of them.

use std::io;
use std::path::{Component, Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, MetadataExt, OpenOptions, OpenOptionsExt};

use crate::handlers::{ErrorClass, TaskError};

const PATH_BYTES_MAX: usize = 4096;

/// Directories that tasks may work in.
#[derive(Debug)]
pub struct Roots(Vec<Root>);

#[derive(Debug)]
struct Root {
    path: PathBuf,
    dir: Dir,
    /// The only file in it that is allowed.
    only: Option<PathBuf>,
}

/// A directory that cannot be allowed.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", .path.display())]
pub struct RootsError {
    path: PathBuf,
    source: io::Error,
}

/// Where a path leads: a name below a directory that is held open.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) root: &'a Dir,
    /// Below the root, without `..`; `.` is the root itself.
    pub(super) path: PathBuf,
}

impl Roots {
    /// Opens a directory, in which relative paths begin.
    ///
    /// # Errors
    /// It is no directory, or cannot be entered.
    pub fn new(home: &Path) -> Result<Self, RootsError> {
        let mut roots = Self(Vec::new());
        roots.allow(home)?;
        Ok(roots)
    }

    /// Allows one more directory with all that is in it, or a single file.
    ///
    /// # Errors
    /// It is neither, or cannot be opened.
    pub fn allow(&mut self, path: &Path) -> Result<(), RootsError> {
        let open = || {
            let real = path.canonicalize()?;
            let only = if real.is_dir() { None } else { real.file_name().map(PathBuf::from) };
            let dir = if only.is_none() { real.as_path() } else { real.parent().unwrap_or(&real) };
            let dir = Dir::open_ambient_dir(dir, ambient_authority())?;
            Ok(Root { path: real, dir, only })
        };
        self.0.push(open().map_err(|source| RootsError { path: path.to_owned(), source })?);
        Ok(())
    }

    /// Of these, only what a task asks for: directories and files below those that the owner allows.
    pub(super) fn narrowed(&self, asked: &[PathBuf]) -> Result<Self, TaskError> {
        let narrow = |path: &PathBuf| {
            let text = path.to_str().ok_or_else(|| TaskError::invalid("a path of `sandbox` is not UTF-8"))?;
            let place = self.place(text)?;
            let open = || {
                let (dir, only) = match place.root.metadata(&place.path)?.is_dir() {
                    true => (place.root.open_dir(&place.path)?, None),
                    false => place.parent().map(|(dir, name)| (dir, Some(name)))?,
                };
                Ok(Root { path: path.clone(), dir, only })
            };
            open().map_err(|error: io::Error| super::operations::failed(text, &error))
        };
        asked.iter().map(narrow).collect::<Result<_, _>>().map(Self)
    }

    /// Finds the place of a path: relative to the first directory, or absolute and below one of them.
    pub(super) fn place(&self, text: &str) -> Result<Place<'_>, TaskError> {
        let path = Path::new(text);
        if text.is_empty() || text.len() > PATH_BYTES_MAX || text.contains('\0') {
            return Err(TaskError::invalid(format!("a path has 1 to {PATH_BYTES_MAX} bytes and no NUL")));
        }
        if path.components().any(|part| part == Component::ParentDir) {
            return Err(refused(text, "a path must not have `..`"));
        }
        let below = |root: &Root| path.strip_prefix(&root.path).ok().map(Path::to_owned);
        let (root, rest) = if path.is_absolute() {
            // The longest: one directory may lie in another.
            let found = self.0.iter().filter_map(|root| below(root).map(|rest| (root, rest)));
            found.min_by_key(|(_, rest)| rest.components().count()).ok_or_else(|| {
                refused(text, "it is not below a directory that this device's owner allows (allowed_paths)")
            })?
        } else {
            let first = self.0.first().ok_or_else(|| refused(text, "this device's owner allows no directory"))?;
            (first, path.to_owned())
        };
        let rest: PathBuf = rest.components().filter(|part| matches!(part, Component::Normal(_))).collect();
        let path = match &root.only {
            Some(file) if rest.as_os_str().is_empty() => file.clone(),
            Some(file) => file.join(rest),
            None if rest.as_os_str().is_empty() => PathBuf::from("."),
            None => rest,
        };
        Ok(Place { root: &root.dir, path })
    }

    /// Reads a whole file of at most so many bytes, for those who need one beside their task.
    ///
    /// # Errors
    /// It lies elsewhere, cannot be read, or is longer.
    pub fn read(&self, path: &str, bytes_max: u64) -> Result<Vec<u8>, TaskError> {
        use std::io::Read;
        let place = self.place(path)?;
        let read = || {
            let mut bytes = Vec::new();
            place.open_read()?.take(bytes_max + 1).read_to_end(&mut bytes)?;
            if bytes.len() as u64 > bytes_max { Err(too_long(bytes_max)) } else { Ok(bytes) }
        };
        read().map_err(|error| super::operations::failed(path, &error))
    }
}

fn refused(path: &str, why: &str) -> TaskError {
    let shown: String = path.chars().take(200).collect();
    TaskError::new(ErrorClass::PermissionDenied, format!("{shown}: {why}"))
}

pub(super) fn too_long(bytes_max: u64) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("it is longer than {bytes_max} bytes"))
}

impl Place<'_> {
    /// The directory that it is in, and its name there.
    pub(super) fn parent(&self) -> io::Result<(Dir, PathBuf)> {
        let name = self.path.file_name().filter(|_| self.path != Path::new("."));
        let name =
            name.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it is the allowed directory itself"))?;
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let dir = parent.map_or_else(|| self.root.try_clone(), |parent| self.root.open_dir(parent))?;
        Ok((dir, name.into()))
    }

    /// Opens a regular file to read.
    pub(super) fn open_read(&self) -> io::Result<File> {
        self.open(OpenOptions::new().read(true))
    }

    /// Opens a regular file. Never waits for another process, and never becomes anybody's terminal.
    pub(super) fn open(&self, options: &mut OpenOptions) -> io::Result<File> {
        let file = self.root.open_with(&self.path, options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY))?;
        let about = file.metadata()?;
        if about.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory"));
        }
        if !about.is_file() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is no regular file"));
        }
        if about.nlink() > 1 {
            let why = "it has more than one name (hard links), and another one may lie elsewhere";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        }
        Ok(file)
    }
}
