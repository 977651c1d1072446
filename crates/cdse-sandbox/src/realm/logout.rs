//! Logging out with a refresh token.

use super::client::ClientIndex;
use super::contents::Realm;
use super::refusal::Refusal;
use super::time::Seconds;

impl Realm {
    /// Ends the session of a refresh token, which may be used up, expired, stale or offline; says whether it was still open.
    pub(crate) fn logout(&mut self, now: Seconds, client: ClientIndex, token: &str) -> Result<bool, Refusal> {
        let token = self.tokens.refresh(token).ok_or(Refusal::InvalidRefreshToken)?;
        if token.client != client {
            return Err(Refusal::OtherClientsToken);
        }
        let session = token.session.clone();
        Ok(self.end_session(now, &session))
    }
}
