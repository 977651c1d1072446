//! The account API's view of sessions.

use serde::Serialize;

use super::contents::{Kind, Realm, Session};
use super::time::Seconds;
use crate::config::KeycloakVersion;

/// How long Keycloak remembers an offline session that nobody uses, unless told otherwise.
const OFFLINE_IDLE: Seconds = 30 * 24 * 3600;

/// An open session, with what the account API shows of it and its user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionView {
    /// The session's id, `session_state` in token answers.
    pub id: String,
    /// Its user.
    pub username: String,
    /// When it was opened, in Unix seconds.
    pub started: u64,
    /// When it was refreshed last, in Unix seconds.
    pub last_access: u64,
    /// When it ends at the latest, in Unix seconds; for an offline session, when Keycloak would forget it.
    pub expires: u64,
    /// Whether it is an offline session, which has no end.
    pub offline: bool,
    /// Its clients: one, or none once a refresh token was used twice.
    pub clients: Vec<String>,
}

/// One entry of `GET account/sessions`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccountSession {
    id: String,
    ip_address: &'static str,
    started: Seconds,
    last_access: Seconds,
    expires: Seconds,
    clients: Vec<AccountClient>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) current: Option<bool>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AccountClient {
    client_id: String,
    user_consent_required: bool,
    in_use: bool,
    offline_access: bool,
}

impl Realm {
    pub(crate) fn session_views(&self, now: Seconds) -> Vec<SessionView> {
        self.open_sessions(now).into_iter().map(|session| self.view(session)).collect()
    }

    /// The sessions of the bearer's user; `None` if the token does not open the account API.
    pub(crate) fn account_sessions(&self, now: Seconds, token: &str) -> Option<Vec<AccountSession>> {
        let own = self.account_session(now, token)?;
        Some(self.account_list(own, self.valid_sessions(now)))
    }

    /// The same as devices show it: 26.7.3 has the offline sessions among them.
    pub(crate) fn account_devices_sessions(&self, now: Seconds, token: &str) -> Option<Vec<AccountSession>> {
        let own = self.account_session(now, token)?;
        let sessions = match self.version {
            KeycloakVersion::V26 => self.open_sessions(now),
            KeycloakVersion::V21 => self.valid_sessions(now),
        };
        Some(self.account_list(own, sessions))
    }

    fn account_list(&self, own: &Session, sessions: Vec<&Session>) -> Vec<AccountSession> {
        let entry = |session: &Session| {
            let view = self.view(session);
            let client = |client_id| AccountClient {
                client_id,
                user_consent_required: false,
                in_use: false,
                offline_access: false,
            };
            AccountSession {
                id: view.id,
                ip_address: "127.0.0.1",
                started: view.started,
                last_access: view.last_access,
                expires: view.expires,
                clients: view.clients.into_iter().map(client).collect(),
                current: (session.id == own.id).then_some(true),
            }
        };
        sessions.into_iter().filter(|session| session.user == own.user).map(entry).collect()
    }

    /// Ends one session of the bearer's user, if there is one of that name.
    pub(crate) fn account_end_session(&mut self, now: Seconds, token: &str, id: &str) -> Option<()> {
        let user = self.account_session(now, token)?.user;
        self.account_retain(|session| session.user != user || *session.id != *id);
        Some(())
    }

    /// Ends all sessions of the bearer's user, the bearer's own only if `current`.
    pub(crate) fn account_end_sessions(&mut self, now: Seconds, token: &str, current: bool) -> Option<()> {
        let own = self.account_session(now, token)?;
        let (user, id) = (own.user, own.id.clone());
        self.account_retain(|session| session.user != user || (!current && session.id == id));
        Some(())
    }

    /// On 21.1.2 the account knows nothing of offline sessions: they live on.
    fn account_retain(&mut self, stays: impl Fn(&Session) -> bool) {
        self.sessions.retain(|_, session| stays(session));
        if self.version == KeycloakVersion::V26 {
            self.offline.retain(|_, session| stays(session));
        }
    }

    fn account_session(&self, now: Seconds, token: &str) -> Option<&Session> {
        let token = self.verify(now, token).ok()?;
        self.open_session(now, token).ok()?
    }

    fn view(&self, session: &Session) -> SessionView {
        SessionView {
            id: session.id.to_string(),
            username: self.user(session.user).user.username.clone(),
            started: session.started,
            last_access: session.last_access,
            expires: match session.kind {
                Kind::Online => session.maximum(&self.lifetimes),
                Kind::Offline => session.last_access + OFFLINE_IDLE,
            },
            offline: self.offline.contains_key(&session.id),
            clients: session.client.iter().map(|&client| self.client(client).id.clone()).collect(),
        }
    }
}
