//! `…/protocol/openid-connect/logout`

use hyper::Method;

use super::super::answer::{Answer, FRAMES};
use super::super::received::Received;
use super::super::refusal;
use super::method::method_not_allowed;
use crate::config::KeycloakVersion;
use crate::random;
use crate::realm::Refusal;
use crate::state::Core;

pub(super) fn answer(core: &mut Core, request: &Received) -> Answer {
    let version = core.realm.version;
    if request.method() != Method::POST && request.method() != Method::GET {
        return method_not_allowed(version, request);
    }
    // Without a refresh token it is the browser's logout: a page, and nothing ends.
    let Some(token) = request.form.get("refresh_token") else {
        let cookie = format!("AUTH_SESSION_ID={};Version=1;Path=/auth/realms/CDSE/;HttpOnly", random::uuid());
        let page = Answer::page(200, "Logging out", "Do you want to log out?").header("set-cookie", &cookie);
        return own_headers(version, page);
    };
    match logout(core, request, token) {
        Ok(ended) => {
            core.record.counters.logouts += u64::from(ended);
            own_headers(version, Answer::empty(204).header("content-security-policy", FRAMES))
        }
        Err(refusal) => refusal::answer(&refusal, version, request.accepts_json()),
    }
}

fn own_headers(version: KeycloakVersion, answer: Answer) -> Answer {
    match version {
        KeycloakVersion::V26 => answer.header("cache-control", "no-cache"),
        KeycloakVersion::V21 => answer.header("x-robots-tag", "none"),
    }
}

fn logout(core: &mut Core, request: &Received, token: &str) -> Result<bool, Refusal> {
    let now = core.seconds();
    let (id, secret) = request.client_credentials();
    let client = core.realm.authenticate_client(id.as_deref(), secret.as_deref())?;
    core.realm.logout(now, client, token)
}
