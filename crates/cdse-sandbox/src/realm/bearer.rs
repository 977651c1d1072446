//! Access tokens, shown by their bearer.

use serde::Serialize;

use super::claims::{Owner, Profile, ServiceAccount};
use super::contents::Realm;
use super::session::Session;
use super::tables::AccessToken;
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

/// The answer of the userinfo endpoint.
#[derive(Serialize)]
pub(crate) struct UserInfo<'a> {
    sub: &'a str,
    #[serde(flatten)]
    owner: Owner<'a>,
}

impl Realm {
    /// What the token says of itself.
    pub(super) fn verify(&self, now: Seconds, text: &str) -> Result<&AccessToken, BearerRefusal> {
        let token = self.tokens.access(text).ok_or(BearerRefusal::Invalid)?;
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
        let token = self.verify(now, text)?;
        self.open_session(now, token).map(|_| ())
    }

    /// Whom the token is about.
    pub(crate) fn userinfo(&self, now: Seconds, text: &str) -> Result<UserInfo<'_>, BearerRefusal> {
        let token = self.verify(now, text).map_err(|_| BearerRefusal::Invalid)?;
        if !token.openid {
            return Err(BearerRefusal::MissingOpenid);
        }
        self.open_session(now, token)?;
        Ok(match token.user.map(|user| self.user(user)) {
            Some(user) => UserInfo { sub: &user.id, owner: Owner::User(Profile::of(&user.user.username)) },
            None => UserInfo {
                sub: self.service_account_id(token.client),
                owner: Owner::ServiceAccount(ServiceAccount::of(&self.client(token.client).id)),
            },
        })
    }
}
