//! `…/protocol/openid-connect/logout` and `…/revoke`

use super::super::answer::{Answer, FRAMES};
use super::super::received::Received;
use crate::config::KeycloakVersion;
use crate::random;
use crate::realm::Refusal;
use crate::state::Core;

pub(super) fn logout(core: &mut Core, request: &Received) -> Result<Answer, Refusal> {
    let answer = if let Some(token) = request.form.get("refresh_token") {
        let client = request.client(&core.realm)?;
        let ended = core.realm.logout(core.seconds(), client, token)?;
        core.record.counters.logouts += u64::from(ended);
        Answer::empty(204).header("content-security-policy", FRAMES)
    } else {
        // It is the browser's logout: a page, and nothing ends.
        let cookie = format!("AUTH_SESSION_ID={};Version=1;Path=/auth/realms/CDSE/;HttpOnly", random::uuid());
        Answer::page(200, "Logging out", "Do you want to log out?").header("set-cookie", &cookie)
    };
    Ok(match core.realm.version {
        KeycloakVersion::V26 => answer.header("cache-control", "no-cache"),
        KeycloakVersion::V21 => answer.header("x-robots-tag", "none"),
    })
}

pub(super) fn revoke(core: &mut Core, request: &Received) -> Result<Answer, Refusal> {
    let client = request.client(&core.realm)?;
    core.realm.revoke(core.seconds(), client, request.form.get("token"))?;
    Ok(Answer::empty(200).header("content-security-policy", FRAMES))
}
