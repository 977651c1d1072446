//! The account API's view of sessions.

use serde::Serialize;

use super::session::Session;
use super::{Realm, Seconds};

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
    /// When it ends at the latest, in Unix seconds.
    pub expires: u64,
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
    current: Option<bool>,
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
        self.valid_sessions(now).into_iter().map(|session| self.view(session)).collect()
    }

    /// The sessions of the bearer's user; `None` if the token does not open the account API.
    pub(crate) fn account_sessions(&self, now: Seconds, token: &str) -> Option<Vec<AccountSession>> {
        let own = self.account_session(now, token)?;
        let sessions = self.valid_sessions(now).into_iter().filter(|session| session.user == own.user);
        Some(
            sessions
                .map(|session| {
                    let view = self.view(session);
                    AccountSession {
                        id: view.id,
                        ip_address: "127.0.0.1",
                        started: view.started,
                        last_access: view.last_access,
                        expires: view.expires,
                        clients: view.clients.into_iter().map(AccountClient::new).collect(),
                        current: (session.id == own.id).then_some(true),
                    }
                })
                .collect(),
        )
    }

    /// Ends one session of the bearer's user, if there is one of that name.
    pub(crate) fn account_end_session(&mut self, now: Seconds, token: &str, id: &str) -> Option<()> {
        let user = self.account_session(now, token)?.user;
        if self.sessions.get(id).is_some_and(|session| session.user == user) {
            self.sessions.remove(id);
        }
        Some(())
    }

    /// Ends all sessions of the bearer's user, the bearer's own only if `current`.
    pub(crate) fn account_end_sessions(&mut self, now: Seconds, token: &str, current: bool) -> Option<()> {
        let own = self.account_session(now, token)?;
        let (user, id) = (own.user, own.id.clone());
        self.sessions.retain(|_, session| session.user != user || (!current && session.id == id));
        Some(())
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
            expires: session.maximum(&self.lifetimes),
            clients: session.client.iter().map(|&client| self.client(client).id.clone()).collect(),
        }
    }
}

impl AccountClient {
    fn new(client_id: String) -> Self {
        Self { client_id, user_consent_required: false, in_use: false, offline_access: false }
    }
}
