//! The claims of the tokens, in Keycloak's order.

use serde::Serialize;

use super::time::Seconds;

/// What every token says.
#[derive(Serialize)]
pub(super) struct Common<'a> {
    /// An offline token has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) exp: Option<Seconds>,
    pub(super) iat: Seconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) auth_time: Option<Seconds>,
    pub(super) jti: String,
    pub(super) iss: &'a str,
    pub(super) aud: &'a str,
    pub(super) sub: &'a str,
    pub(super) typ: &'static str,
    pub(super) azp: &'a str,
}

/// The names of a session: `sid`, and on 21.1.2 `session_state` too.
#[derive(Clone, Copy)]
pub(super) struct SessionNames<'a> {
    pub(super) session_state: Option<&'a str>,
    pub(super) sid_first: Option<&'a str>,
    pub(super) sid_last: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct AccessClaims<'a> {
    #[serde(flatten)]
    pub(super) common: Common<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) session_state: Option<&'a str>,
    #[serde(rename = "sid", skip_serializing_if = "Option::is_none")]
    pub(super) sid_first: Option<&'a str>,
    pub(super) acr: &'static str,
    #[serde(rename = "allowed-origins", skip_serializing_if = "Option::is_none")]
    pub(super) allowed_origins: Option<[&'static str; 1]>,
    pub(super) realm_access: Roles,
    pub(super) resource_access: ResourceAccess,
    pub(super) scope: &'a str,
    #[serde(rename = "sid", skip_serializing_if = "Option::is_none")]
    pub(super) sid_last: Option<&'a str>,
    #[serde(flatten)]
    pub(super) owner: Owner<'a>,
}

/// Whom an access token is about.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Owner<'a> {
    User(Profile<'a>),
    ServiceAccount(ServiceAccount<'a>),
}

#[derive(Serialize)]
pub(super) struct Profile<'a> {
    email_verified: bool,
    name: &'static str,
    preferred_username: &'a str,
    given_name: &'static str,
    family_name: &'static str,
    email: &'a str,
}

impl<'a> Profile<'a> {
    pub(super) fn of(username: &'a str) -> Self {
        Self {
            email_verified: true,
            name: "Sandbox User",
            preferred_username: username,
            given_name: "Sandbox",
            family_name: "User",
            email: username,
        }
    }
}

#[derive(Serialize)]
pub(super) struct ServiceAccount<'a> {
    email_verified: bool,
    #[serde(rename = "clientHost")]
    client_host: &'static str,
    preferred_username: String,
    #[serde(rename = "clientAddress")]
    client_address: &'static str,
    client_id: &'a str,
}

impl<'a> ServiceAccount<'a> {
    pub(super) fn of(client_id: &'a str) -> Self {
        Self {
            email_verified: false,
            client_host: "127.0.0.1",
            preferred_username: format!("service-account-{client_id}"),
            client_address: "127.0.0.1",
            client_id,
        }
    }
}

#[derive(Serialize)]
pub(super) struct Roles {
    roles: &'static [&'static str],
}

#[derive(Serialize)]
pub(super) struct ResourceAccess {
    account: Roles,
}

/// The realm roles of everyone.
pub(super) const REALM_ACCESS: Roles = Roles { roles: &["uma_authorization", "default-roles-cdse"] };

/// The realm roles of those who may have offline tokens.
pub(super) const OFFLINE_REALM_ACCESS: Roles =
    Roles { roles: &["offline_access", "uma_authorization", "default-roles-cdse"] };

/// The roles that open the account API.
pub(super) const RESOURCE_ACCESS: ResourceAccess =
    ResourceAccess { account: Roles { roles: &["manage-account", "manage-account-links", "view-profile"] } };

#[derive(Serialize)]
pub(super) struct RefreshClaims<'a> {
    #[serde(flatten)]
    pub(super) common: Common<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) session_state: Option<&'a str>,
    #[serde(rename = "sid", skip_serializing_if = "Option::is_none")]
    pub(super) sid_first: Option<&'a str>,
    pub(super) scope: String,
    #[serde(rename = "sid", skip_serializing_if = "Option::is_none")]
    pub(super) sid_last: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) aud_x: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) prov: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reuse_id: Option<String>,
}

#[derive(Serialize)]
pub(super) struct IdClaims<'a> {
    #[serde(flatten)]
    pub(super) common: Common<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) session_state: Option<&'a str>,
    #[serde(rename = "sid", skip_serializing_if = "Option::is_none")]
    pub(super) sid_first: Option<&'a str>,
    pub(super) at_hash: String,
    pub(super) acr: &'static str,
    #[serde(rename = "sid", skip_serializing_if = "Option::is_none")]
    pub(super) sid_last: Option<&'a str>,
    #[serde(flatten)]
    pub(super) owner: Owner<'a>,
}
