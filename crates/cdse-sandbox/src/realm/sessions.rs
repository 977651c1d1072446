//! The realm's sessions: which are open, and for how many there is room.

use std::collections::HashMap;
use std::sync::Arc;

use super::contents::{ClientIndex, Kind, Realm, RefreshToken, Session};
use super::refusal::Refusal;
use super::time::Seconds;
use super::user::UserIndex;
use crate::config::KeycloakVersion;
use crate::random;

impl Realm {
    pub(super) fn sessions_of(&mut self, kind: Kind) -> &mut HashMap<Arc<str>, Session> {
        match kind {
            Kind::Online => &mut self.sessions,
            Kind::Offline => &mut self.offline,
        }
    }

    /// The session of a refresh token, unless it has ended or run out.
    pub(super) fn session_of(&self, now: Seconds, token: &RefreshToken) -> Option<&Session> {
        match token.kind {
            Kind::Online => self.session(now, &token.session),
            Kind::Offline => self.offline.get(&token.session),
        }
    }

    /// The ordinary session of that name, unless it has ended or run out.
    pub(super) fn session(&self, now: Seconds, id: &str) -> Option<&Session> {
        self.sessions.get(id).filter(|session| session.is_valid(&self.lifetimes, now))
    }

    /// The ordinary sessions that are open, oldest first.
    pub(super) fn valid_sessions(&self, now: Seconds) -> Vec<&Session> {
        oldest_first(self.sessions.values().filter(|session| session.is_valid(&self.lifetimes, now)))
    }

    /// All sessions that are open, oldest first.
    pub(super) fn open_sessions(&self, now: Seconds) -> Vec<&Session> {
        let offline = self.offline.values().filter(|session| self.session(now, &session.id).is_none());
        oldest_first(self.valid_sessions(now).into_iter().chain(offline))
    }

    pub(crate) fn sessions_open(&self, now: Seconds) -> u64 {
        self.open_sessions(now).len() as u64
    }

    /// Whether the user has as many ordinary sessions as are allowed.
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

    /// Ends the session of a refresh token, which may be used up, expired, stale or offline; says whether it was still open.
    pub(crate) fn logout(&mut self, now: Seconds, client: ClientIndex, token: &str) -> Result<bool, Refusal> {
        let token = self.refresh_tokens.get(token).ok_or(Refusal::InvalidRefreshToken)?;
        if token.client != client {
            return Err(Refusal::OtherClientsToken);
        }
        let session = token.session.clone();
        Ok(self.end_session(now, &session))
    }

    /// Ends a session of whatever kind; says whether there was one.
    pub(crate) fn end_session(&mut self, now: Seconds, id: &str) -> bool {
        let online = self.sessions.remove(id).is_some_and(|session| session.is_valid(&self.lifetimes, now));
        let offline = self.offline.remove(id).is_some();
        online || offline
    }
}

fn oldest_first<'a>(sessions: impl Iterator<Item = &'a Session>) -> Vec<&'a Session> {
    let mut sessions: Vec<_> = sessions.collect();
    sessions.sort_by(|a, b| (a.started, &a.id).cmp(&(b.started, &b.id)));
    sessions
}
