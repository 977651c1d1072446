//! The client-credentials grant.

use super::client::ClientIndex;
use super::contents::Realm;
use super::mint::TokenAnswer;
use super::refusal::Refusal;
use super::scope::Scope;
use super::time::Seconds;

impl Realm {
    /// An access token for a client's own account. There is no session and no refresh token.
    pub(crate) fn client_credentials_grant(
        &mut self,
        now: Seconds,
        client: ClientIndex,
        scope: Option<&str>,
    ) -> Result<TokenAnswer, Refusal> {
        if self.client(client).secret.is_none() {
            return Err(Refusal::PublicClient);
        }
        if !self.client(client).service_account {
            return Err(Refusal::NoServiceAccount);
        }
        let scope = Scope::requested(scope)?;
        Ok(self.mint_for_service_account(now, client, scope))
    }
}
