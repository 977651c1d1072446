//! What a manager waits for, for whoever wants to tell somebody.

use std::fmt;
use std::time::SystemTime;

use crate::error::Error;

/// What a manager waits for just now.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Waiting {
    /// What ends it.
    pub cause: WaitCause,
    /// When it ends if nothing has ended it before.
    pub until: SystemTime,
}

/// What ends a wait; shown, it completes "waiting for …".
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum WaitCause {
    /// Another process has the session's lock: `pid@host`, where that is known.
    Lock(Option<String>),
    /// The service is not asked again before, for this reason.
    Hold(Error),
    /// The next one-time code: one that was used is never sent again.
    Code,
    /// The identity service: a connection to it, its answer.
    Service,
}

impl fmt::Display for WaitCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lock(Some(holder)) => write!(f, "process {holder}, which has the session's lock"),
            Self::Lock(None) => f.write_str("another process, which has the session's lock"),
            Self::Hold(error) => write!(f, "the next try ({})", error.message()),
            Self::Code => f.write_str("the next one-time code"),
            Self::Service => f.write_str("the identity service"),
        }
    }
}
