//! What a client gets to see of a refusal: status, `error` and `error_description`, by version.

use serde_json::json;

use super::answer::Answer;
use crate::config::KeycloakVersion;
use crate::realm::{Realm, Refusal};

/// The answer to a refusal.
pub(super) fn answer(refusal: &Refusal, version: KeycloakVersion, accepts_json: bool) -> Answer {
    if *refusal == Refusal::TooManySessions && version == KeycloakVersion::V26 {
        return too_many_sessions(accepts_json);
    }
    let (status, error, description) = parts(refusal, version);
    Answer::json(status, &json!({ "error": error, "error_description": description }))
}

/// 26.7.3 answers as to a browser unless JSON is asked for, and then with prose.
fn too_many_sessions(accepts_json: bool) -> Answer {
    const MESSAGE: &str = "There are too many sessions";
    if accepts_json {
        Answer::prose(403, MESSAGE)
    } else {
        Answer::page(403, &format!("Sign in to {}", Realm::NAME), MESSAGE)
    }
}

fn parts(refusal: &Refusal, version: KeycloakVersion) -> (u16, &'static str, String) {
    let credentials = match version {
        KeycloakVersion::V26 => 400,
        KeycloakVersion::V21 => 401,
    };
    let (status, error, description) = match refusal {
        Refusal::MissingGrantType => (400, "invalid_request", "Missing form parameter: grant_type"),
        Refusal::UnsupportedGrantType => (400, "unsupported_grant_type", "Unsupported grant_type"),
        Refusal::DuplicatedParameter => (400, "invalid_request", "duplicated parameter"),
        Refusal::InvalidClient => (401, "invalid_client", "Invalid client or Invalid client credentials"),
        Refusal::WrongClientSecret => (401, "unauthorized_client", "Invalid client or Invalid client credentials"),
        Refusal::NoDirectGrants => (400, "unauthorized_client", "Client not allowed for direct access grants"),
        Refusal::InvalidScopes(scopes) => return (400, "invalid_scope", format!("Invalid scopes: {scopes}")),
        Refusal::OfflineNotAllowed => (400, "not_allowed", "Offline tokens not allowed for the user or client"),
        Refusal::MissingUsername => (401, "invalid_request", "Missing parameter: username"),
        Refusal::WrongCredentials | Refusal::Locked | Refusal::UsedCode => {
            (credentials, "invalid_grant", "Invalid user credentials")
        }
        Refusal::AccountDisabled => (400, "invalid_grant", "Account disabled"),
        Refusal::AccountNotSetUp => (400, "invalid_grant", "Account is not fully set up"),
        Refusal::TooManySessions => (401, "generic_authentication_error", "sessionLimitExceeded"),
        Refusal::PublicClient => (401, "unauthorized_client", "Public client not allowed to retrieve service account"),
        Refusal::NoServiceAccount => (401, "unauthorized_client", "Client not enabled to retrieve service account"),
        Refusal::DeviceFlowDisabled => (
            400,
            "unauthorized_client",
            "Client is not allowed to initiate OAuth 2.0 Device Authorization Grant. The flow is disabled for the client.",
        ),
        Refusal::NoRefreshToken => (400, "invalid_request", "No refresh token"),
        Refusal::InvalidRefreshToken => (400, "invalid_grant", "Invalid refresh token"),
        Refusal::OtherClientsToken => {
            (400, "invalid_grant", "Invalid refresh token. Token client and authorized client don't match")
        }
        Refusal::TokenNotActive => (400, "invalid_grant", "Token is not active"),
        Refusal::StaleToken | Refusal::ReuseOfOlder => (400, "invalid_grant", "Stale token"),
        Refusal::SessionNotActive => (400, "invalid_grant", "Session not active"),
        Refusal::OfflineSessionNotFound => (400, "invalid_grant", "Offline user session not found"),
        Refusal::UserDisabled => (400, "invalid_grant", "User disabled"),
        Refusal::ClientNotInSession => (400, "invalid_grant", "Session doesn't have required client"),
        Refusal::ReuseOfLast => (400, "invalid_grant", "Maximum allowed refresh token reuse exceeded"),
        Refusal::TokenNotProvided => (400, "invalid_request", "Token not provided"),
        Refusal::UnmatchingClients => (400, "invalid_request", "Unmatching clients"),
        Refusal::NothingToRevoke => (200, "invalid_token", "Invalid token"),
    };
    (status, error, description.to_owned())
}
