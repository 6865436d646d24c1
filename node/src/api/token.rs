//! The secret that programs show on the TCP port: 256 random bits in a file that only the owner of the node can read.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The file in the data directory.
pub const TOKEN_FILE: &str = "http-token";

/// Longest file that is read.
const FILE_BYTES_MAX: u64 = 256;

/// The token; compared in constant time, never printed.
#[derive(Clone)]
pub struct Token(blake3::Hash);

/// There is no usable token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read or made.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others can read it.
    #[error("{0} can be read by others; its mode must be 0600")]
    Exposed(PathBuf),
    /// It has no token.
    #[error("{0} holds no token of 32 to 256 characters")]
    Malformed(PathBuf),
    /// The system gives no random numbers.
    #[error("no random numbers: {0}")]
    Random(getrandom::Error),
}

impl Token {
    /// The token of a data directory; made if there is none.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub fn load_or_create(data_dir: &Path) -> Result<Self, TokenError> {
        let path = data_dir.join(TOKEN_FILE);
        let io = |source| TokenError::Io { path: path.clone(), source };
        match File::open(&path) {
            Ok(file) => Self::read(file, &path),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let mut bytes = [0u8; 32];
                getrandom::fill(&mut bytes).map_err(TokenError::Random)?;
                let text = blake3::Hash::from_bytes(bytes).to_hex();
                // Whole before it has its name: a second reader never sees half a token.
                let draft = path.with_extension("new");
                let mut options = OpenOptions::new();
                options.write(true).create(true).truncate(true).mode(0o600);
                let mut file = options.open(&draft).map_err(io)?;
                writeln!(file, "{text}").map_err(io)?;
                file.sync_all().map_err(io)?;
                fs::rename(&draft, &path).map_err(io)?;
                Ok(Self::from_text(&text))
            }
            Err(error) => Err(io(error)),
        }
    }

    fn read(file: File, path: &Path) -> Result<Self, TokenError> {
        let io = |source| TokenError::Io { path: path.to_owned(), source };
        if file.metadata().map_err(io)?.mode() & 0o077 != 0 {
            return Err(TokenError::Exposed(path.to_owned()));
        }
        let mut text = String::new();
        file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(io)?;
        let text = text.trim();
        if text.len() < 32 {
            return Err(TokenError::Malformed(path.to_owned()));
        }
        Ok(Self::from_text(text))
    }

    fn from_text(text: &str) -> Self {
        Self(blake3::hash(text.as_bytes()))
    }

    /// Whether `text` is the token. Hashes are compared in constant time.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.0 == blake3::hash(text.as_bytes())
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}
