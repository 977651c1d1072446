use std::time::Duration;

/// A client of the realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// `client_id`.
    pub id: String,
    /// `client_secret`; `None` for a public client.
    pub secret: Option<String>,
    /// Whether the password grant is allowed.
    pub direct_grants: bool,
    /// Whether `client_credentials` is allowed; it never is for a public client.
    pub service_account: bool,
    /// The life of this client's access tokens, in place of [`Lifetimes::access`](crate::Lifetimes::access).
    pub access_lifespan: Option<Duration>,
}

impl Client {
    /// A public client with the password grant.
    pub fn public(id: &str) -> Self {
        Self { id: id.to_owned(), secret: None, direct_grants: true, service_account: false, access_lifespan: None }
    }

    /// A confidential client with a service account and without the password grant.
    pub fn confidential(id: &str, secret: &str) -> Self {
        Self { secret: Some(secret.to_owned()), direct_grants: false, service_account: true, ..Self::public(id) }
    }
}
