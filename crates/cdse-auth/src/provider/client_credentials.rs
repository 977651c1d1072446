use super::{Ability, AuthProvider, GrantData, form};
use crate::error::Result;
use crate::record::Grant;
use crate::secret::Secret;

/// A registered machine client (client credentials grant, RFC 6749 §4.4).
///
/// No refresh token is issued for this grant; when the access token ends, the manager asks for another one, which this
/// provider always can. There is no session to log out.
#[derive(Clone, Debug)]
pub struct ClientCredentialsAuth {
    client_id: String,
    client_secret: Secret,
}

impl ClientCredentialsAuth {
    /// The id and the secret of the client.
    pub fn new(client_id: impl Into<String>, client_secret: impl Into<Secret>) -> Self {
        Self { client_id: client_id.into(), client_secret: client_secret.into() }
    }
}

impl AuthProvider for ClientCredentialsAuth {
    fn grant(&self) -> Grant {
        Grant::ClientCredentials
    }

    fn client_id(&self) -> &str {
        &self.client_id
    }

    fn grant_data(&self) -> Result<GrantData> {
        Ok(form([
            ("client_id", self.client_id.as_str().into()),
            ("client_secret", self.client_secret.clone()),
            ("grant_type", "client_credentials".into()),
        ]))
    }

    fn ability(&self) -> Ability {
        Ability::Login
    }
}
