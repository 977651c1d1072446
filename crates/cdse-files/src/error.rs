//! What can go wrong with a private file.

use std::fmt;
use std::io;
use std::path::Path;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, to which file, and what to do about it.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    source: Option<io::Error>,
}

/// The kinds of failure.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The file or its folder is not safe to use: it has another owner, is a symbolic link or is not a regular file, or the
    /// locks of its file system do not keep other machines out. Nothing was changed.
    Unsafe,
    /// The file cannot be read.
    Unreadable,
    /// The file, its lock or its folder cannot be written.
    Unwritable,
    /// The file is larger than [`PrivateFile::with_limit`](crate::PrivateFile::with_limit) allows.
    TooLarge,
    /// The file system has no file locks.
    NoLocks,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, source: None }
    }

    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    pub(crate) fn with_source(self, error: io::Error) -> Self {
        Self { source: Some(error), ..self }
    }

    pub(crate) fn unreadable(what: &str, path: &Path, error: io::Error) -> Self {
        let hint =
            (error.kind() == io::ErrorKind::PermissionDenied).then(|| "make it readable for you alone".to_owned());
        let message = format!("{what}{} cannot be read: {error}", path.display());
        Self { hint, ..Self::new(ErrorKind::Unreadable, message).with_source(error) }
    }

    /// `action` is a participle: "written", "opened".
    pub(crate) fn unwritable(path: &Path, action: &str, error: io::Error) -> Self {
        let hint = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room",
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => "make it writable",
            io::ErrorKind::IsADirectory => "move that folder away",
            _ => "check what is at that path",
        };
        let message = format!("{} cannot be {action}: {error}", path.display());
        Self::new(ErrorKind::Unwritable, message).with_hint(hint).with_source(error)
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The sentence: what happened, to which path.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The system's error behind it.
    #[must_use]
    pub fn into_io(self) -> Option<io::Error> {
        self.source
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// The sentence and what to do about it.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hint {
            Some(hint) => write!(f, "{}; {hint}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}
