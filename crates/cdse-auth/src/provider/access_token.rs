use super::{Ability, AuthProvider, GrantData, form};
use crate::error::Result;
use crate::record::Grant;
use crate::secret::Secret;

/// A fixed access token, used as it is: never renewed, never stored, never logged out.
#[derive(Clone, Debug)]
pub struct AccessTokenAuth {
    access_token: Secret,
}

impl AccessTokenAuth {
    /// The token. Its end is read from the token itself where it is a JWT (`exp`, RFC 7519 §4.1.4); otherwise it is
    /// used until a service refuses it.
    pub fn new(access_token: impl Into<Secret>) -> Self {
        Self { access_token: access_token.into() }
    }
}

impl AuthProvider for AccessTokenAuth {
    fn grant(&self) -> Grant {
        Grant::AccessToken
    }

    fn client_id(&self) -> &str {
        ""
    }

    fn grant_data(&self) -> Result<GrantData> {
        Ok(form([("access_token", self.access_token.clone())]))
    }

    fn ability(&self) -> Ability {
        Ability::Never
    }
}
