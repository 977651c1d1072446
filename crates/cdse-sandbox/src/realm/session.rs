//! User sessions.

use std::sync::Arc;

use super::client::ClientIndex;
use super::user::UserIndex;
use super::{Realm, Seconds};
use crate::config::{KeycloakVersion, Lifetimes};
use crate::random;

#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: Arc<str>,
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

impl Realm {
    /// The session of that name, unless it has ended or run out.
    pub(super) fn session(&self, now: Seconds, id: &str) -> Option<&Session> {
        self.sessions.get(id).filter(|session| session.is_valid(&self.lifetimes, now))
    }

    /// The valid sessions, oldest first.
    pub(super) fn valid_sessions(&self, now: Seconds) -> Vec<&Session> {
        let mut sessions: Vec<_> =
            self.sessions.values().filter(|session| session.is_valid(&self.lifetimes, now)).collect();
        sessions.sort_by(|a, b| (a.started, &a.id).cmp(&(b.started, &b.id)));
        sessions
    }

    pub(crate) fn sessions_open(&self, now: Seconds) -> u64 {
        self.sessions.values().filter(|session| session.is_valid(&self.lifetimes, now)).count() as u64
    }

    /// Whether the user has as many sessions as are allowed.
    pub(super) fn is_full(&mut self, now: Seconds, user: UserIndex) -> bool {
        let Some(limit) = self.session_limit else { return false };
        self.sessions.retain(|_, session| session.is_valid(&self.lifetimes, now));
        self.sessions.values().filter(|session| session.user == user).count() >= limit
    }

    pub(super) fn new_session_id(&self) -> Arc<str> {
        match self.version {
            KeycloakVersion::V26 => random::base64url::<18>().into(),
            KeycloakVersion::V21 => random::uuid().into(),
        }
    }

    /// Ends a session; says whether there was one.
    pub(crate) fn end_session(&mut self, now: Seconds, id: &str) -> bool {
        self.sessions.remove(id).is_some_and(|session| session.is_valid(&self.lifetimes, now))
    }
}
