//! The refresh grant.

use super::claims::Object;
use super::contents::{ClientIndex, Kind, Realm, RefreshToken};
use super::refusal::Refusal;
use super::time::Seconds;
use crate::config::Rotation;

impl Realm {
    /// New tokens for the session of a refresh token.
    pub(crate) fn refresh_grant(
        &mut self,
        now: Seconds,
        client: ClientIndex,
        token: Option<&str>,
    ) -> Result<Object, Refusal> {
        let token = token.ok_or(Refusal::NoRefreshToken)?;
        let token = self.refresh_tokens.get(token).cloned().ok_or(Refusal::InvalidRefreshToken)?;
        if token.has_expired(now) {
            return Err(Refusal::TokenNotActive);
        }
        if token.issue < self.stale_before {
            return Err(Refusal::StaleToken);
        }
        if token.client != client {
            return Err(Refusal::OtherClientsToken);
        }
        let session = self.session_of(now, &token).ok_or(match token.kind {
            Kind::Online => Refusal::SessionNotActive,
            Kind::Offline => Refusal::OfflineSessionNotFound,
        })?;
        if !self.user(token.user).user.enabled {
            return Err(Refusal::UserDisabled);
        }
        if session.client.is_none() {
            return Err(Refusal::ClientNotInSession);
        }
        if self.rotation == Rotation::OneTime {
            self.use_once(&token)?;
        }
        self.mint_for_session(now, token.kind, &token.session, "rt")
    }

    /// Uses a refresh token up. Reuse takes the client out of the session.
    fn use_once(&mut self, token: &RefreshToken) -> Result<(), Refusal> {
        let session = self.sessions_of(token.kind).get_mut(&token.session).ok_or(Refusal::SessionNotActive)?;
        let reuse = match session.used {
            Some(used) if used == token.generation => Refusal::ReuseOfLast,
            Some(_) if token.generation < session.generation => Refusal::ReuseOfOlder,
            _ => {
                session.used = Some(token.generation);
                return Ok(());
            }
        };
        session.client = None;
        Err(reuse)
    }
}
