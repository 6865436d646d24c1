//! The configuration file: TOML, the same names as the flags. An unknown key is an error that names it.

use super::layer::Layer;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Longest file that is read.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// The file says nothing usable.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is absurdly long.
    #[error("{0} is longer than {FILE_BYTES_MAX} bytes")]
    TooLong(PathBuf),
    /// It is no TOML, or has a key or a value that is not known.
    #[error("{path}: {message}")]
    Syntax {
        /// Which.
        path: PathBuf,
        /// Where and why, in several lines.
        message: String,
    },
}

/// The layer that the file is; empty if there is none and nobody asked for it by name.
///
/// # Errors
/// See [`FileError`].
pub fn read_file(path: &Path, asked_for: bool) -> Result<Layer, FileError> {
    let io = |source| FileError::Io { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !asked_for => {
            return Ok(Layer::default());
        }
        Err(error) => return Err(io(error)),
    };
    let mut text = String::new();
    let read = file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text);
    if read.map_err(io)? as u64 > FILE_BYTES_MAX {
        return Err(FileError::TooLong(path.to_owned()));
    }
    let mut layer: Layer = toml::from_str(&text).map_err(|error| FileError::Syntax {
        path: path.to_owned(),
        message: error.to_string().trim_end().to_owned(),
    })?;
    let dir = std::path::absolute(path).map_err(io)?;
    for handler in layer.handlers.iter_mut().flat_map(|handlers| handlers.values_mut()) {
        handler.command.iter_mut().for_each(|word| beside(word, &dir));
    }
    Ok(layer)
}

/// A word of a command that names a file beside the configuration means that file: the command runs in a directory of its own.
fn beside(word: &mut String, config: &Path) {
    let file = config.parent().map(|dir| dir.join(word.as_str())).filter(|file| file.is_file());
    if let Some(file) = file.as_ref().and_then(|file| file.to_str()) {
        file.clone_into(word);
    }
}
