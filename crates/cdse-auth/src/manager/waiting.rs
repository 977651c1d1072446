//! What a manager waits for, for whoever wants to tell somebody.

use std::fmt;
use std::time::SystemTime;

use super::core::Core;
use crate::clock::Millis;
use crate::endpoint::FAREWELL;
use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::token::moment;

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
            Self::Hold(error) => write!(f, "the next try ({error})"),
            Self::Code => f.write_str("the next one-time code"),
            Self::Service => f.write_str("the identity service"),
        }
    }
}

impl Core {
    /// From now on it waits for this, until then (wall clock) at most.
    pub(super) fn waits_for(&self, cause: WaitCause, until: Millis) {
        let mut said = None;
        let mut shared = self.shared();
        let before = shared.waiting.as_ref().map(|before| before.cause.to_string());
        // The identity service is told of by its requests.
        if !matches!(cause, WaitCause::Service) && before != Some(cause.to_string()) {
            let seconds = until.saturating_sub(self.clock.now().wall) / 1000;
            said = Some(format!("waits for {cause}, at most {seconds} s"));
        }
        shared.waiting = Some(Waiting { cause, until: moment(until) });
        drop(shared);
        // Whoever listens may ask this manager.
        if let Some(said) = said {
            log::info!("{said}");
        }
    }

    pub(super) fn waits_no_more(&self) {
        self.shared().waiting = None;
    }

    /// The wait for an answer of the service.
    pub(super) fn asks<T>(&self, patience: Millis, request: impl FnOnce() -> T) -> T {
        self.waits_for(WaitCause::Service, self.clock.now().wall.saturating_add(patience));
        let answer = request();
        self.waits_no_more();
        answer
    }

    /// Ends a session at the service.
    pub(super) fn end_at_service(&self, refresh_token: &Secret) -> Result<()> {
        self.asks(FAREWELL, || self.service.logout(self.provider.client_id(), refresh_token))
    }
}
