//! Files and input that go with a command, and files that come back. They travel as blobs; only a short text goes inside of the task.

use super::args::CommandFlags;
use super::error::{CliError, Exit};
use super::request::{self, Object};
use super::session::Place;
use crate::client::{get_blob, path_part, put_blob};
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use std::fs::{self, File};
use std::io::{self, Cursor, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufWriter};

/// Longest input that travels as a text within the task, bytes.
const TEXT_BYTES_MAX: u64 = 32 * 1024;
/// Stands for a blob until it is there.
const NO_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A file that goes in.
struct Local {
    name: String,
    file: Option<File>,
    bytes: u64,
    executable: bool,
    blob: Option<String>,
}

/// What the command reads.
enum Input {
    Text(String),
    /// What was read of it, and the rest.
    Long(Vec<u8>, File),
    Blob(String),
}

/// All that goes with a command.
pub(super) struct Files {
    ins: Vec<Local>,
    stdin: Option<Input>,
    outs: Vec<String>,
    env: Vec<String>,
}

fn unusable(path: &Path, error: &io::Error) -> CliError {
    CliError::usage(format!("{}: {error}", path.display()), "check the file's name")
}

/// A path that stays below wherever it begins.
fn is_below(text: &str) -> bool {
    !text.is_empty() && Path::new(text).components().all(|part| matches!(part, Component::Normal(_)))
}

impl Local {
    /// `FILE`, or `FILE:NAME` for another name there.
    fn open(text: &str) -> Result<Self, CliError> {
        let whole = Path::new(text);
        let (path, name) = match text.rsplit_once(':') {
            Some((path, name)) if !path.is_empty() && !whole.exists() => (Path::new(path), name.to_owned()),
            _ => {
                let name = whole.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                (whole, name.to_owned())
            }
        };
        if !is_below(&name) {
            return Err(CliError::usage(
                format!("--in {text:?}: {name:?} is no name below the command's directory"),
                "write --in FILE or --in FILE:NAME",
            ));
        }
        let file = File::open(path).map_err(|error| unusable(path, &error))?;
        let meta = file.metadata().map_err(|error| unusable(path, &error))?;
        if !meta.is_file() {
            return Err(CliError::usage(
                format!("{} is no plain file", path.display()),
                "pack directories: tar -c DIR",
            ));
        }
        let executable = meta.permissions().mode() & 0o100 != 0;
        Ok(Self { name, file: Some(file), bytes: meta.len(), executable, blob: None })
    }
}

impl Input {
    fn open(text: &str) -> Result<Self, CliError> {
        let path = Path::new(text);
        let open = || match text {
            "-" => Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?)),
            _ => File::open(path),
        };
        let mut file = open().map_err(|error| unusable(path, &error))?;
        let mut head = Vec::new();
        (&mut file).take(TEXT_BYTES_MAX + 1).read_to_end(&mut head).map_err(|error| unusable(path, &error))?;
        if head.len() as u64 > TEXT_BYTES_MAX {
            return Ok(Self::Long(head, file));
        }
        Ok(String::from_utf8(head).map_or_else(|error| Self::Long(error.into_bytes(), file), Self::Text))
    }
}

impl Files {
    /// Opens what the flags name; nothing is sent yet.
    pub(super) fn open(flags: &CommandFlags, stdin: bool) -> Result<Self, CliError> {
        let input = flags.stdin.as_deref().or(stdin.then_some("-"));
        Ok(Self {
            ins: flags.ins.iter().map(|text| Local::open(text)).collect::<Result<_, _>>()?,
            stdin: input.map(Input::open).transpose()?,
            outs: flags.outs.clone(),
            env: flags.env.clone(),
        })
    }

    /// Nothing goes with the command.
    pub(super) fn is_empty(&self) -> bool {
        self.ins.is_empty() && self.stdin.is_none() && self.outs.is_empty() && self.env.is_empty()
    }

    /// Puts files and long input into the cluster.
    pub(super) async fn upload(&mut self, place: &Place) -> Result<(), CliError> {
        for local in &mut self.ins {
            if let Some(file) = local.file.take() {
                let view = put_blob(&place.socket, tokio::fs::File::from_std(file), Some(local.bytes)).await?;
                local.blob = Some(view.blob);
            }
        }
        if let Some(Input::Long(..)) = &self.stdin
            && let Some(Input::Long(head, rest)) = self.stdin.take()
        {
            let source = AsyncReadExt::chain(Cursor::new(head), tokio::fs::File::from_std(rest));
            self.stdin = Some(Input::Blob(put_blob(&place.socket, source, None).await?.blob));
        }
        Ok(())
    }

    /// Says in the payload what goes with the command; before [`Self::upload`] only to check the rest.
    pub(super) fn apply(&self, payload: &mut Object) -> Result<(), CliError> {
        if !self.ins.is_empty() {
            let entry = |local: &Local| {
                let blob = local.blob.as_deref().unwrap_or(NO_HASH);
                json!({ "path": local.name, "blob": blob, "executable": local.executable })
            };
            payload.set("in", self.ins.iter().map(entry).collect::<Vec<_>>())?;
        }
        if !self.outs.is_empty() {
            payload.set("out", &self.outs)?;
        }
        if !self.env.is_empty() {
            payload.set("env", request::texts("--env", &self.env)?)?;
        }
        match &self.stdin {
            Some(Input::Text(text)) => payload.set("stdin", text),
            Some(Input::Blob(hash)) => payload.set("stdin_blob", hash),
            Some(Input::Long(..)) => payload.set("stdin_blob", NO_HASH),
            None => Ok(()),
        }
    }
}

/// What came out of a command.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Left {
    #[serde(default)]
    files: Vec<LeftFile>,
    #[serde(default)]
    files_omitted: bool,
}

#[derive(Debug, Deserialize)]
struct LeftFile {
    path: String,
    blob: String,
}

impl Left {
    /// As a result says.
    pub(super) fn of(result: Option<&RawValue>) -> Self {
        result.and_then(|result| serde_json::from_str(result.get()).ok()).unwrap_or_default()
    }

    /// Writes the files below a directory, those whose names match if that is asked for. What has such a name is replaced.
    pub(super) async fn save(&self, place: &Place, dir: &Path, globs: Option<&[String]>) -> Result<usize, CliError> {
        let mut saved = 0;
        for LeftFile { path, blob } in &self.files {
            let asked = globs.is_none_or(|globs| globs.iter().any(|glob| fast_glob::glob_match(glob, path)));
            // A device that lies must not choose what is written here.
            if !is_below(path) || !asked {
                let why = format!("the device names a file {path:?}, which was not asked for");
                return Err(CliError::new(Exit::Failed, "a file is not written", why, ""));
            }
            write(place, &dir.join(path), blob).await?;
            saved += 1;
        }
        if self.files_omitted {
            let notice = format!("rc-node: more files matched than come back; these are the first {saved}\n");
            // Nobody is left to tell if stderr is closed.
            let _ = io::Write::write_all(&mut io::stderr(), notice.as_bytes());
        }
        Ok(saved)
    }
}

async fn write(place: &Place, path: &Path, blob: &str) -> Result<(), CliError> {
    let unusable = |error: io::Error| unusable(path, &error);
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(unusable)?;
    }
    let mut name = path.to_path_buf().into_os_string();
    name.push(".part");
    let part = PathBuf::from(name);
    let written = async {
        // Never through a link that lies there.
        drop(fs::remove_file(&part));
        let mut file = BufWriter::new(tokio::fs::File::create_new(&part).await.map_err(unusable)?);
        get_blob(&place.socket, &path_part(blob), &mut file).await?;
        file.shutdown().await.map_err(unusable)?;
        fs::rename(&part, path).map_err(unusable)
    };
    let written: Result<(), CliError> = written.await;
    if written.is_err() {
        // It may never have been made.
        drop(fs::remove_file(&part));
    }
    written
}
