//! The realm's clients: who may speak for them, and what they get for themselves.

use super::claims::Object;
use super::contents::{ClientIndex, Realm};
use super::refusal::Refusal;
use super::scope::Scope;
use super::time::Seconds;
use crate::config::Client;

impl Realm {
    /// The client that a request speaks for. A secret sent for a public client is ignored.
    pub(crate) fn authenticate_client(&self, id: Option<&str>, secret: Option<&str>) -> Result<ClientIndex, Refusal> {
        let index =
            self.clients.iter().position(|(client, _)| Some(client.id.as_str()) == id).ok_or(Refusal::InvalidClient)?;
        match self.clients[index].0.secret.as_deref() {
            Some(expected) if secret != Some(expected) => Err(Refusal::WrongClientSecret),
            _ => Ok(ClientIndex(index)),
        }
    }

    pub(super) fn client(&self, ClientIndex(index): ClientIndex) -> &Client {
        &self.clients[index].0
    }

    /// `sub` of the tokens that the client gets for itself.
    pub(super) fn service_account_id(&self, ClientIndex(index): ClientIndex) -> &str {
        &self.clients[index].1
    }

    /// An access token for a client's own account. There is no session and no refresh token.
    pub(crate) fn client_credentials_grant(
        &mut self,
        now: Seconds,
        client: ClientIndex,
        scope: Option<&str>,
    ) -> Result<Object, Refusal> {
        if self.client(client).secret.is_none() {
            return Err(Refusal::PublicClient);
        }
        if !self.client(client).service_account {
            return Err(Refusal::NoServiceAccount);
        }
        let scope = Scope::requested(scope)?;
        Ok(self.mint(now, client, &scope, self.access_lifespan(client), "trrtcc", None))
    }
}
