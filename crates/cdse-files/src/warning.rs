//! What was noticed about a private file and is no reason to fail.

use std::fmt;

/// What was noticed, as a sentence and by its kind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Warning {
    pub(crate) kind: WarningKind,
    pub(crate) text: String,
}

/// The kinds of warning.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum WarningKind {
    /// The file system keeps no permissions, so that other users may be able to read the file.
    NoPermissions,
    /// Other users can put files into the folder.
    OpenFolder,
    /// Other users could read the file, until its permissions were corrected just now.
    PermissionsCorrected,
    /// Other users can read the file, and its permissions cannot be corrected.
    OpenFile,
    /// The folder could not be synced: a power cut may bring older contents back.
    NotSynced,
}

impl Warning {
    /// What it is about.
    #[must_use]
    pub fn kind(&self) -> WarningKind {
        self.kind
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
