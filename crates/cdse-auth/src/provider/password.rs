use std::fmt;

use super::{Ability, AuthProvider, CodeSource, DEFAULT_CLIENT_ID, GrantData, OneTimeCode, TotpSecret, form};
use crate::error::Result;
use crate::record::Grant;
use crate::secret::Secret;
use crate::sync::Arc;

/// A user name and a password (resource owner password grant, RFC 6749 §4.3), with or without a second factor.
///
/// ```
/// use cdse_auth::{PasswordAuth, TotpSecret};
///
/// let with_code = PasswordAuth::new("user@example.com", "not-a-real-password").with_code("123456");
/// let unattended = PasswordAuth::new("user@example.com", "not-a-real-password")
///     .with_totp_secret(TotpSecret::new("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")?);
/// let asked = PasswordAuth::new("user@example.com", "not-a-real-password")
///     .with_code_from(|| Ok("123456".into()));
/// # Ok::<(), cdse_auth::Error>(())
/// ```
#[derive(Clone)]
pub struct PasswordAuth {
    username: String,
    password: Secret,
    client_id: String,
    code: Code,
}

type Ask = dyn Fn() -> Result<Secret> + Send + Sync;

#[derive(Clone)]
enum Code {
    None,
    Given(OneTimeCode),
    Totp(TotpSecret),
    Asked(Arc<Ask>),
}

impl PasswordAuth {
    /// User name and password are sent as they are: the service trims nothing.
    pub fn new(username: impl Into<String>, password: impl Into<Secret>) -> Self {
        Self {
            username: username.into(),
            password: password.into(),
            client_id: DEFAULT_CLIENT_ID.to_owned(),
            code: Code::None,
        }
    }

    /// With a one-time code that was given just now. It is sent at most once, within 60 s.
    #[must_use]
    pub fn with_code(mut self, digits: impl Into<Secret>) -> Self {
        self.code = Code::Given(OneTimeCode::given_now(digits));
        self
    }

    /// With the secret that generates codes: sessions can be opened unattended.
    #[must_use]
    pub fn with_totp_secret(mut self, secret: TotpSecret) -> Self {
        self.code = Code::Totp(secret);
        self
    }

    /// With a source of codes. It is called on the manager's own thread, outside every lock, whenever a session must be
    /// opened, and may wait for as long as the caller does. An empty text stands for no code.
    #[must_use]
    pub fn with_code_from(mut self, source: impl Fn() -> Result<Secret> + Send + Sync + 'static) -> Self {
        self.code = Code::Asked(Arc::new(source));
        self
    }

    /// For another client than [`DEFAULT_CLIENT_ID`].
    #[must_use]
    pub fn with_client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = client_id.into();
        self
    }
}

impl AuthProvider for PasswordAuth {
    fn grant(&self) -> Grant {
        Grant::Password
    }

    fn client_id(&self) -> &str {
        &self.client_id
    }

    fn username(&self) -> Option<&str> {
        Some(&self.username)
    }

    fn grant_data(&self) -> Result<GrantData> {
        Ok(form([
            ("client_id", self.client_id.as_str().into()),
            ("grant_type", "password".into()),
            ("username", self.username.as_str().into()),
            ("password", self.password.clone()),
        ]))
    }

    fn ability(&self) -> Ability {
        Ability::Login
    }

    fn code_source(&self) -> CodeSource<'_> {
        match &self.code {
            Code::None => CodeSource::None,
            Code::Given(code) => CodeSource::Given(code),
            Code::Totp(secret) => CodeSource::Totp(secret),
            Code::Asked(ask) => CodeSource::Asked(ask.as_ref()),
        }
    }
}

impl fmt::Debug for PasswordAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordAuth")
            .field("username", &self.username)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}
