//! Where a request goes and what it asks for.

use serde::de::value::{Error, StrDeserializer};
use serde::{Deserialize, Serialize};

/// An endpoint of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `…/protocol/openid-connect/token`
    Token,
    /// `…/protocol/openid-connect/logout`
    Logout,
    /// `…/protocol/openid-connect/revoke`
    Revoke,
    /// `…/protocol/openid-connect/userinfo`
    Userinfo,
    /// `…/account/sessions` and below
    Account,
    /// `…/.well-known/openid-configuration`
    Discovery,
    /// The protected resource.
    Resource,
    /// The catalogue's host, whatever the path.
    Catalogue,
    /// The download host, whatever the path.
    Download,
    /// The STAC host, whatever the path.
    Stac,
    /// Anything else; in a [`Fault`](crate::Fault), any of them.
    Any,
}

/// An OAuth grant, as `grant_type` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// `password`
    Password,
    /// `refresh_token`
    RefreshToken,
    /// `client_credentials`
    ClientCredentials,
}

impl Grant {
    /// The grant that a `grant_type` names, of those the service knows.
    pub(crate) fn from_type(grant_type: &str) -> Option<Self> {
        Self::deserialize(StrDeserializer::<Error>::new(grant_type)).ok()
    }
}
