//! Keycloak's account API: the sessions of an account, as its owner may see and end them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderValue;
use reqwest::Method;
use serde::Deserialize;

use super::answer::{Answer, GrantType, WORDS, classify};
use super::exchange::Service;
use crate::error::{Error, ErrorKind, Result};
use crate::text::printable;

/// An open session of an account, as the identity service describes it. The service limits how many an account may have.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct AccountSession {
    /// Its id, which is `session_state` in token answers.
    pub id: String,
    /// Whether it is the session of the token in the request.
    pub current: bool,
    /// When it was opened.
    pub started_at: Option<SystemTime>,
    /// When its last token was obtained.
    pub last_access_at: Option<SystemTime>,
    /// When it ends at the latest.
    pub expires_at: Option<SystemTime>,
    /// The OAuth clients that use it. Empty after a one-time refresh token was used twice: such a session can no longer be
    /// used, but counts towards the limit until it ends.
    pub clients: Vec<String>,
    /// The address that it was used from, as the service saw it.
    pub ip: Option<String>,
}

/// What became of a request with a token.
pub(crate) enum Reply<T> {
    Accepted(T),
    /// 401: the token is refused, or does not open this.
    Refused,
}

impl Service {
    /// The sessions of the account that the token belongs to.
    pub(crate) fn sessions(&self, authorization: &HeaderValue) -> Result<Reply<Vec<AccountSession>>> {
        sessions(&self.ask_account(&Method::GET, None, authorization)?)
    }

    /// Ends one of them. The service says so for a session that it does not know, too.
    pub(crate) fn end_session(&self, id: &str, authorization: &HeaderValue) -> Result<Reply<()>> {
        ended(&self.ask_account(&Method::DELETE, Some(id), authorization)?)
    }

    /// Whether the userinfo endpoint takes the token; `None` if its answer does not tell: without the scope `openid` it is
    /// 403 for the living and the dead.
    pub(crate) fn userinfo(&self, authorization: &HeaderValue) -> Result<Option<bool>> {
        let url = &self.endpoints.userinfo;
        userinfo(&self.ask(&Method::GET, url, authorization).map_err(|failure| failure.error.or_try_later())?)
    }

    fn ask_account(&self, method: &Method, id: Option<&str>, authorization: &HeaderValue) -> Result<Answer> {
        let mut url = self.endpoints.sessions.clone();
        if let (Some(id), Ok(mut segments)) = (id, url.path_segments_mut()) {
            segments.push(id);
        }
        // `.`, `..` and nothing are no names: what is left of the address would mean all sessions.
        let below = url.path().strip_prefix(self.endpoints.sessions.path());
        if id.is_some() && below.is_none_or(|name| name.len() < 2) {
            return Err(Error::new(ErrorKind::Configuration, "this is not the id of a session; no session was ended"));
        }
        self.ask(method, &url, authorization).map_err(|failure| failure.error.or_try_later())
    }
}

/// What is no success.
fn other<T>(answer: &Answer) -> Result<Reply<T>> {
    Err(match answer.status {
        401 => return Ok(Reply::Refused),
        403 => Error::new(
            ErrorKind::WrongCredential,
            "the identity service does not let this token list and end the account's sessions",
        )
        .with_hint("use the account's pages on its web site"),
        200..=299 => Error::new(
            ErrorKind::MalformedAnswer,
            "the identity service sent something that is not a list of sessions (a page of a proxy or a portal?)",
        )
        .with_hint("check its address and the proxy"),
        404 | 405 => Error::new(ErrorKind::Configuration, "the identity service has no account API at this address")
            .with_hint("check the address of the realm"),
        _ => match classify(GrantType::Refresh.first(), answer, 0) {
            Err(failure) => failure.error.or_try_later(),
            Ok(_) => Error::new(ErrorKind::MalformedAnswer, "the identity service sent an unexpected answer"),
        },
    })
}

pub(super) fn sessions(answer: &Answer) -> Result<Reply<Vec<AccountSession>>> {
    match serde_json::from_slice::<Vec<SessionEntry>>(&answer.body) {
        Ok(entries) if answer.status == 200 && answer.whole => {
            Ok(Reply::Accepted(entries.into_iter().map(AccountSession::from).collect()))
        }
        _ => other(answer),
    }
}

pub(super) fn ended(answer: &Answer) -> Result<Reply<()>> {
    match answer.status {
        204 => Ok(Reply::Accepted(())),
        200 if answer.whole && answer.body.is_empty() => Ok(Reply::Accepted(())),
        _ => other(answer),
    }
}

pub(super) fn userinfo(answer: &Answer) -> Result<Option<bool>> {
    match answer.status {
        // Anything but claims is a proxy's or a portal's page.
        200 if serde_json::from_slice::<serde_json::Map<_, _>>(&answer.body).is_ok() => Ok(Some(true)),
        401 => Ok(Some(false)),
        403 => Ok(None),
        _ => other(answer).map(|_: Reply<()>| None),
    }
}

/// An entry of `GET account/sessions`; the times are Unix seconds.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SessionEntry {
    id: String,
    ip_address: Option<String>,
    started: Option<u64>,
    last_access: Option<u64>,
    expires: Option<u64>,
    #[serde(default)]
    clients: Vec<ClientEntry>,
    #[serde(default)]
    current: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientEntry {
    client_id: String,
}

impl From<SessionEntry> for AccountSession {
    fn from(entry: SessionEntry) -> Self {
        let shown = |text: &str| printable(text, WORDS);
        let at = |seconds: u64| UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
        Self {
            id: shown(&entry.id),
            current: entry.current,
            started_at: entry.started.and_then(at),
            last_access_at: entry.last_access.and_then(at),
            expires_at: entry.expires.and_then(at),
            clients: entry.clients.iter().map(|client| shown(&client.client_id)).collect(),
            ip: entry.ip_address.as_deref().map(shown),
        }
    }
}
