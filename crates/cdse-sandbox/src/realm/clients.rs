//! The realm's clients, and who may speak for them.

use super::client::ClientIndex;
use super::contents::Realm;
use super::refusal::Refusal;
use crate::config::Client;

impl Realm {
    /// The client that a request speaks for. A secret sent for a public client is ignored.
    pub(crate) fn authenticate_client(&self, id: Option<&str>, secret: Option<&str>) -> Result<ClientIndex, Refusal> {
        let index = id
            .and_then(|id| self.clients.iter().position(|record| record.client.id == id))
            .ok_or(Refusal::InvalidClient)?;
        match self.clients[index].client.secret.as_deref() {
            Some(expected) if secret != Some(expected) => Err(Refusal::WrongClientSecret),
            _ => Ok(ClientIndex(index)),
        }
    }

    pub(super) fn client(&self, ClientIndex(index): ClientIndex) -> &Client {
        &self.clients[index].client
    }

    /// `sub` of the tokens that the client gets for itself.
    pub(super) fn service_account_id(&self, ClientIndex(index): ClientIndex) -> &str {
        &self.clients[index].service_account_id
    }
}
