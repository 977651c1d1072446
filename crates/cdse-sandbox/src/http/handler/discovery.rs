//! `…/.well-known/openid-configuration`

use hyper::Method;
use serde_json::json;

use super::super::answer::Answer;
use super::super::received::Received;
use super::method_not_allowed;
use crate::state::Core;

/// The endpoints are those of the realm, also the ones that are not served here.
pub(super) fn answer(core: &Core, request: &Received) -> Answer {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return method_not_allowed(core.realm.version, request);
    }
    let issuer = core.realm.issuer();
    let protocol = format!("{issuer}/protocol/openid-connect");
    let document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{protocol}/auth"),
        "token_endpoint": format!("{protocol}/token"),
        "introspection_endpoint": format!("{protocol}/token/introspect"),
        "userinfo_endpoint": format!("{protocol}/userinfo"),
        "end_session_endpoint": format!("{protocol}/logout"),
        "jwks_uri": format!("{protocol}/certs"),
        "check_session_iframe": format!("{protocol}/login-status-iframe.html"),
        "device_authorization_endpoint": format!("{protocol}/auth/device"),
        "revocation_endpoint": format!("{protocol}/revoke"),
        "registration_endpoint": format!("{issuer}/clients-registrations/openid-connect"),
        "pushed_authorization_request_endpoint": format!("{protocol}/ext/par/request"),
        "backchannel_authentication_endpoint": format!("{protocol}/ext/ciba/auth"),
        "grant_types_supported": ["client_credentials", "password", "refresh_token"],
        "response_types_supported": ["code", "none", "id_token", "token"],
        "subject_types_supported": ["public", "pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "acr", "web-origins", "microprofile-jwt", "phone", "address", "email",
            "offline_access", "roles", "profile", "basic"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["plain", "S256"],
    });
    Answer::json(200, &document).header("cache-control", "no-cache, must-revalidate, no-transform, no-store")
}
