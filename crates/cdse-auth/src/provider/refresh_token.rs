use super::{Ability, AuthProvider, DEFAULT_CLIENT_ID, GrantData, form};
use crate::error::Result;
use crate::record::Grant;
use crate::secret::{Fingerprint, Secret};

/// A refresh token obtained elsewhere (RFC 6749 §6).
///
/// It holds no credentials: once the session ends, the error is
/// [`ReauthRequired`](crate::ErrorKind::ReauthRequired). Where refresh tokens are one-time, give one to a single machine: a
/// second use ends the session.
#[derive(Clone, Debug)]
pub struct RefreshTokenAuth {
    refresh_token: Secret,
    client_id: String,
}

impl RefreshTokenAuth {
    /// With the token of a session of [`DEFAULT_CLIENT_ID`].
    pub fn new(refresh_token: impl Into<Secret>) -> Self {
        Self { refresh_token: refresh_token.into(), client_id: DEFAULT_CLIENT_ID.to_owned() }
    }

    /// For a session of another client.
    #[must_use]
    pub fn with_client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = client_id.into();
        self
    }
}

impl AuthProvider for RefreshTokenAuth {
    fn grant(&self) -> Grant {
        Grant::RefreshToken
    }

    fn client_id(&self) -> &str {
        &self.client_id
    }

    fn subject(&self) -> Option<String> {
        Some(self.refresh_token.fingerprint().as_str().to_owned())
    }

    fn grant_data(&self) -> Result<GrantData> {
        Ok(refresh_grant(&self.client_id, &self.refresh_token))
    }

    fn ability(&self) -> Ability {
        Ability::Never
    }
}

/// The fingerprint of the refresh token that a provider was given, if it was given one.
pub(crate) fn given_refresh_token(provider: &dyn AuthProvider) -> Result<Option<Fingerprint>> {
    let form = if provider.grant() == Grant::RefreshToken { provider.grant_data()? } else { GrantData::new() };
    Ok(form.iter().find(|(name, _)| name == "refresh_token").map(|(_, token)| token.fingerprint()))
}

/// The fields of a refresh token grant.
pub(crate) fn refresh_grant(client_id: &str, refresh_token: &Secret) -> GrantData {
    form([
        ("client_id", client_id.into()),
        ("grant_type", "refresh_token".into()),
        ("refresh_token", refresh_token.clone()),
    ])
}
