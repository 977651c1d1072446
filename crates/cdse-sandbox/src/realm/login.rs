//! The password grant.

use std::sync::Arc;

use super::claims::Object;
use super::contents::{ClientIndex, Kind, Realm, Session};
use super::refusal::Refusal;
use super::scope::Scope;
use super::time::Seconds;
use super::user::UserIndex;
use crate::config::KeycloakVersion;

/// A password grant, as its form fields say it.
#[derive(Debug)]
pub(crate) struct PasswordGrant<'a> {
    pub(crate) client: ClientIndex,
    pub(crate) username: Option<&'a str>,
    pub(crate) password: Option<&'a str>,
    /// `otp`, else `totp`.
    pub(crate) code: Option<&'a str>,
    pub(crate) scope: Option<&'a str>,
}

impl Realm {
    /// Logs in and opens a session.
    pub(crate) fn password_grant(&mut self, now: Seconds, grant: &PasswordGrant<'_>) -> Result<Object, Refusal> {
        if !self.client(grant.client).direct_grants {
            return Err(Refusal::NoDirectGrants);
        }
        let scope = Scope::requested(grant.scope)?;
        let user = self.authenticate_user(now, grant)?;
        if self.is_full(now, user) {
            return Err(Refusal::TooManySessions);
        }
        if self.user(user).user.required_action {
            return Err(Refusal::AccountNotSetUp);
        }
        if scope.offline && !self.user(user).user.offline_access {
            return Err(Refusal::OfflineNotAllowed);
        }
        let kind = if scope.offline { Kind::Offline } else { Kind::Online };
        let id = self.new_session_id();
        let session = Session {
            id: Arc::clone(&id),
            kind,
            user,
            client: Some(grant.client),
            scope,
            started: now,
            last_access: now,
            generation: 0,
            used: None,
        };
        // 21.1.2 keeps the session in which an offline one was asked for.
        if kind == Kind::Offline && self.version == KeycloakVersion::V21 {
            let beside = Session { kind: Kind::Online, ..session.clone() };
            self.sessions.insert(Arc::clone(&id), beside);
        }
        self.sessions_of(kind).insert(Arc::clone(&id), session);
        self.mint_for_session(now, kind, &id, "ro")
    }

    fn authenticate_user(&mut self, now: Seconds, grant: &PasswordGrant<'_>) -> Result<UserIndex, Refusal> {
        let username = grant.username.filter(|name| !name.is_empty()).ok_or(Refusal::MissingUsername)?;
        let index = self.find_user(username).ok_or(Refusal::WrongCredentials)?;
        let (version, rule) = (self.version, self.brute_force);
        let record = self.user_mut(index);
        // 21.1.2 knows a disabled user before it looks at the password, 26.7.3 after.
        if !record.user.enabled && version == KeycloakVersion::V21 {
            return Err(Refusal::AccountDisabled);
        }
        if record.lockout.is_locked(now) {
            return Err(Refusal::Locked);
        }
        let checked = if grant.password != Some(record.user.password.as_str()) {
            Err(Refusal::WrongCredentials)
        } else if !record.user.enabled {
            return Err(Refusal::AccountDisabled);
        } else {
            record.check_code(now, grant.code)
        };
        match rule {
            _ if checked.is_ok() => record.lockout.succeeded(),
            Some(rule) => record.lockout.failed(&rule, now),
            None => {}
        }
        checked.map(|()| index)
    }
}
