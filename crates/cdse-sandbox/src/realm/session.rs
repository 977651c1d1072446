//! One session of a user.

use std::sync::Arc;

use super::client::ClientIndex;
use super::time::Seconds;
use super::user::UserIndex;
use crate::config::Lifetimes;

/// What the refresh tokens of a session are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Online,
    /// Asked for with the scope `offline_access`: it has no end, and outlives the service.
    Offline,
}

#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) id: Arc<str>,
    pub(super) kind: Kind,
    pub(super) user: UserIndex,
    /// `None` after a refresh token was used twice: the session is open, but nothing can be done with it.
    pub(super) client: Option<ClientIndex>,
    pub(super) openid: bool,
    pub(super) scope: String,
    pub(super) started: Seconds,
    pub(super) last_access: Seconds,
    /// Of the newest refresh token.
    pub(super) generation: u64,
    /// Of the refresh token that was used last while they worked once.
    pub(super) used: Option<u64>,
}

impl Session {
    /// When it ends if it is refreshed all the time.
    pub(super) fn maximum(&self, lifetimes: &Lifetimes) -> Seconds {
        self.started + lifetimes.max.as_secs()
    }

    pub(super) fn is_valid(&self, lifetimes: &Lifetimes, now: Seconds) -> bool {
        now < self.maximum(lifetimes) && now < self.last_access + lifetimes.idle.as_secs()
    }
}
