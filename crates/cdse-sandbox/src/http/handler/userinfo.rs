//! `…/protocol/openid-connect/userinfo`

use hyper::header::WWW_AUTHENTICATE;

use super::super::answer::Answer;
use super::super::received::Received;
use crate::config::KeycloakVersion;
use crate::realm::{BearerRefusal, Realm};
use crate::state::Core;

pub(super) fn answer(core: &mut Core, request: &Received) -> Answer {
    let version = core.realm.version;
    let answer = match request.bearer() {
        None => challenge(version, 401, None),
        Some(token) => match core.realm.userinfo(core.seconds(), token) {
            Ok(claims) => Answer::json(200, &claims).header("cache-control", "no-cache"),
            Err(refusal) => refused(version, refusal),
        },
    };
    match version {
        KeycloakVersion::V26 => answer.no_store(),
        KeycloakVersion::V21 => answer,
    }
}

fn refused(version: KeycloakVersion, refusal: BearerRefusal) -> Answer {
    let (status, error, description) = match refusal {
        BearerRefusal::Invalid | BearerRefusal::Expired => (401, "invalid_token", "Token verification failed"),
        BearerRefusal::MissingOpenid => (403, "insufficient_scope", "Missing openid scope"),
        BearerRefusal::UserDisabled => (401, "invalid_token", "User disabled"),
        BearerRefusal::SessionEnded => match version {
            KeycloakVersion::V26 => (401, "invalid_token", "user_session_not_found"),
            KeycloakVersion::V21 => {
                (401, "invalid_token", "User session not found or doesn't have client attached on it")
            }
        },
    };
    challenge(version, status, Some((error, description)))
}

fn challenge(version: KeycloakVersion, status: u16, error: Option<(&str, &str)>) -> Answer {
    let mut value = format!(r#"Bearer realm="{}""#, Realm::NAME);
    if let Some((error, description)) = error {
        value.push_str(&format!(r#", error="{error}", error_description="{description}""#));
    }
    let content_type = match version {
        KeycloakVersion::V26 => "text/plain;charset=utf-8",
        KeycloakVersion::V21 => "application/json",
    };
    Answer::empty(status).header(WWW_AUTHENTICATE.as_str(), &value).header("content-type", content_type)
}
