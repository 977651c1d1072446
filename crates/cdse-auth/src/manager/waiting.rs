//! What a manager waits for, for progress messages.

use std::fmt;
use std::time::SystemTime;

use crate::error::Error;

/// What a manager is waiting for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Waiting {
    /// What ends it.
    pub cause: WaitCause,
    /// When it ends at the latest.
    pub until: SystemTime,
}

/// What ends a wait. `Display` completes "waiting for …".
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum WaitCause {
    /// The release of the session's lock by another process: `pid@host`, where that is known.
    Lock(Option<String>),
    /// The next request to the service, which is not sent before, for this reason.
    Hold(Error),
    /// The next one-time code: a used one is never sent again.
    Code,
    /// The identity service: a connection to it, its answer.
    Service,
}

impl fmt::Display for WaitCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lock(Some(holder)) => write!(f, "process {holder}, which holds the session's lock"),
            Self::Lock(None) => f.write_str("another process, which holds the session's lock"),
            Self::Hold(error) => write!(f, "the next try ({})", error.message()),
            Self::Code => f.write_str("the next one-time code"),
            Self::Service => f.write_str("the identity service"),
        }
    }
}
