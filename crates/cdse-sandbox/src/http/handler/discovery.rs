//! `…/.well-known/openid-configuration`

use super::super::answer::Answer;
use crate::config::KeycloakVersion;
use crate::state::Core;

/// The documents as they were seen, `{issuer}` in the place of the realm's address. They name endpoints that are not served
/// here, too.
const V26: &str = include_str!("discovery/v26.json");
const V21: &str = include_str!("discovery/v21.json");

pub(super) fn answer(core: &Core) -> Answer {
    let document = match core.realm.version {
        KeycloakVersion::V26 => V26,
        KeycloakVersion::V21 => V21,
    };
    let document = document.replace("{issuer}", &core.realm.issuer);
    let answer = Answer::scripted(200, Vec::new(), document.into_bytes());
    answer
        .header("content-type", "application/json")
        .header("cache-control", "no-cache, must-revalidate, no-transform, no-store")
        // Keycloak has none; the proxy in front of the real service adds it, and clients compare their clock with it.
        .header("date", &httpdate::fmt_http_date(core.now()))
}
