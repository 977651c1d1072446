//! Token revocation (RFC 7009).

use super::contents::{ClientIndex, Kind, Realm, Session};
use super::refusal::Refusal;
use super::time::Seconds;
use crate::config::KeycloakVersion;

impl Realm {
    /// Revokes a token: an access token dies alone, a refresh token takes its session with it, and on 21.1.2 all
    /// sessions that its user has with the client, the offline ones only if it is one of them.
    pub(crate) fn revoke(&mut self, now: Seconds, client: ClientIndex, token: Option<&str>) -> Result<(), Refusal> {
        let text = token.ok_or(Refusal::TokenNotProvided)?;
        if let Some(token) = self.refresh_tokens.get(text).cloned() {
            if token.client != client {
                return Err(Refusal::UnmatchingClients);
            }
            let session = self.session_of(now, &token).filter(|session| session.client.is_some());
            if token.has_expired(now) || session.is_none() {
                return Err(Refusal::NothingToRevoke);
            }
            match self.version {
                KeycloakVersion::V26 => {
                    self.sessions_of(token.kind).remove(&token.session);
                }
                KeycloakVersion::V21 => {
                    let others = |session: &Session| session.user != token.user || session.client != Some(token.client);
                    self.sessions.retain(|_, session| others(session));
                    if token.kind == Kind::Offline {
                        self.offline.retain(|_, session| others(session));
                    }
                }
            }
            return Ok(());
        }
        if self.access_tokens.get(text).is_some_and(|token| token.client != client) {
            return Err(Refusal::UnmatchingClients);
        }
        let alive = self.check_bearer(now, text).is_ok();
        match self.access_tokens.get_mut(text) {
            Some(token) if alive => {
                token.revoked = true;
                Ok(())
            }
            _ => Err(Refusal::NothingToRevoke),
        }
    }
}
