//! Access tokens, shown by their bearer.

use serde_json::json;

use super::claims::Object;
use super::contents::{AccessToken, Realm, Session};
use super::time::Seconds;

/// Why an access token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BearerRefusal {
    /// Garbage, revoked, stale, or not an access token.
    Invalid,
    Expired,
    /// Its session has ended, or lost its client.
    SessionEnded,
    UserDisabled,
    /// Without `openid` there is no user information.
    MissingOpenid,
}

impl Realm {
    /// What the token says of itself.
    pub(super) fn verify(&self, now: Seconds, text: &str) -> Result<&AccessToken, BearerRefusal> {
        let token = self.access_tokens.get(text).ok_or(BearerRefusal::Invalid)?;
        if token.revoked || token.issue < self.stale_before {
            return Err(BearerRefusal::Invalid);
        }
        if now > token.expires {
            return Err(BearerRefusal::Expired);
        }
        Ok(token)
    }

    /// The session behind a verified token; a service account has none.
    pub(super) fn open_session(&self, now: Seconds, token: &AccessToken) -> Result<Option<&Session>, BearerRefusal> {
        let session = match &token.session {
            None => None,
            Some(id) => {
                let session = self.session(now, id).or_else(|| self.offline.get(id));
                Some(session.filter(|session| session.client.is_some()).ok_or(BearerRefusal::SessionEnded)?)
            }
        };
        match token.user {
            Some(user) if !self.user(user).user.enabled => Err(BearerRefusal::UserDisabled),
            _ => Ok(session),
        }
    }

    /// Whether the protected resource is for the bearer of this token.
    pub(crate) fn check_bearer(&self, now: Seconds, text: &str) -> Result<(), BearerRefusal> {
        self.bearer(now, text).map(|_| ())
    }

    /// The user who bears this token; `None` for a service account.
    pub(crate) fn bearer(&self, now: Seconds, text: &str) -> Result<Option<&str>, BearerRefusal> {
        let token = self.verify(now, text)?;
        self.open_session(now, token)?;
        Ok(token.user.map(|user| self.user(user).user.username.as_str()))
    }

    /// Whom the token is about.
    pub(crate) fn userinfo(&self, now: Seconds, text: &str) -> Result<Object, BearerRefusal> {
        let token = self.verify(now, text).map_err(|_| BearerRefusal::Invalid)?;
        if !token.openid {
            return Err(BearerRefusal::MissingOpenid);
        }
        self.open_session(now, token)?;
        let (sub, mut profile) = self.owner(token.client, token.user);
        profile.insert(0, ("sub", json!(sub)));
        Ok(Object(profile))
    }
}
