//! What was noticed and is no reason to fail.

use std::fmt;

/// What a manager or a store has noticed, as a sentence and by its kind. It holds no secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    kind: ProblemKind,
    text: String,
}

/// The kinds of problem.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum ProblemKind {
    /// The file system of the store keeps no permissions, so that other users may be able to read the session.
    NoPermissions,
    /// Other users can put files into the folder of the store.
    OpenFolder,
    /// Other users could read the session, until the permissions of its file were corrected just now.
    PermissionsCorrected,
    /// Other users can read the session, and the permissions of its file cannot be corrected.
    OpenFile,
    /// A power cut may bring back an older session.
    NotDurable,
    /// The store cannot be used, or had to be mended.
    Store,
    /// The session could not be stored, and is kept in memory only.
    Unsaved,
    /// The answer to a request was lost.
    AnswerLost,
    /// The identity service has ended the session.
    SessionEnded,
    /// A session may still be open at the identity service that should have been ended.
    SessionLeftOpen,
    /// Anything else.
    Other,
}

impl Problem {
    /// A problem of `kind` with one sentence for people, which must hold no secret.
    ///
    /// Stores outside this crate make theirs with this.
    pub fn new(kind: ProblemKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }

    /// A warning about the file of a store.
    pub(crate) fn of_file(warning: &cdse_files::Warning) -> Self {
        use cdse_files::WarningKind as File;
        let kind = match warning.kind() {
            File::NoPermissions => ProblemKind::NoPermissions,
            File::OpenFolder => ProblemKind::OpenFolder,
            File::PermissionsCorrected => ProblemKind::PermissionsCorrected,
            File::OpenFile => ProblemKind::OpenFile,
            File::NotSynced => ProblemKind::NotDurable,
            _ => ProblemKind::Other,
        };
        Self::new(kind, warning.to_string())
    }

    /// What it is about.
    #[must_use]
    pub fn kind(&self) -> ProblemKind {
        self.kind
    }

    /// The sentence, which `Display` shows.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
