//! `…/protocol/openid-connect/token`

use super::super::answer::Answer;
use super::super::received::Received;
use super::super::refusal;
use crate::config::KeycloakVersion;
use crate::endpoint::Grant;
use crate::realm::{Object, PasswordGrant, Refusal};
use crate::state::Core;

/// Fields longer than this are too much for 26.7.3: 100 kB are fine there, 2 MB are not.
const LONGEST_FIELD: usize = 1024 * 1024;

pub(super) fn answer(core: &mut Core, request: &Received) -> Answer {
    let version = core.realm.version;
    match version {
        KeycloakVersion::V21 if request.has_content_type() && !request.is_form() => {
            return Answer::prose(415, "RESTEASY003065: Cannot consume content type");
        }
        KeycloakVersion::V26 if request.form.longest() > LONGEST_FIELD => {
            return Answer::prose(413, "HTTP 413 Request Entity Too Large");
        }
        _ => {}
    }
    let answer = match grant(core, request) {
        Ok((grant, tokens)) => {
            let answer = Answer::json(200, &tokens);
            if version == KeycloakVersion::V21 { clear_cookies(answer, grant) } else { answer }
        }
        Err(refusal) => refusal::answer(&refusal, version, request.accepts_json()),
    };
    answer.no_store()
}

/// 21.1.2 clears the cookies of a browser's login, whoever logs in.
fn clear_cookies(answer: Answer, grant: Grant) -> Answer {
    let names: &[&str] = match grant {
        Grant::Password => &["KEYCLOAK_LOCALE", "KC_RESTART"],
        Grant::RefreshToken => &[],
        Grant::ClientCredentials => &["KC_RESTART"],
    };
    names.iter().fold(answer, |answer, name| {
        let cookie = format!(
            "{name}=; Version=1; Expires=Thu, 01-Jan-1970 00:00:10 GMT; Max-Age=0; Path=/auth/realms/CDSE/; HttpOnly"
        );
        answer.header("set-cookie", &cookie)
    })
}

fn grant(core: &mut Core, request: &Received) -> Result<(Grant, Object), Refusal> {
    let grant_type = request.form.get("grant_type").ok_or(Refusal::MissingGrantType)?;
    let grant = Grant::from_type(grant_type).ok_or(Refusal::UnsupportedGrantType)?;
    let result = grant_of(core, grant, request);
    let counters = &mut core.record.counters;
    let is_ok = u64::from(result.is_ok());
    match grant {
        Grant::Password => {
            counters.password_grants += 1;
            counters.logins_ok += is_ok;
            counters.login_failures += 1 - is_ok;
        }
        Grant::RefreshToken => {
            counters.refresh_grants += 1;
            counters.refreshes_ok += is_ok;
            counters.refresh_failures += 1 - is_ok;
        }
        Grant::ClientCredentials => {
            counters.client_credentials_grants += 1;
            counters.client_credentials_ok += is_ok;
        }
    }
    if let Err(refusal) = &result {
        counters.reuse_detected += u64::from(refusal.is_reuse());
        counters.totp_reused += u64::from(*refusal == Refusal::UsedCode);
    }
    result.map(|tokens| (grant, tokens))
}

fn grant_of(core: &mut Core, grant: Grant, request: &Received) -> Result<Object, Refusal> {
    let now = core.seconds();
    let realm = &mut core.realm;
    let form = &request.form;
    let client = request.client(realm)?;
    if form.has_duplicate() {
        return Err(Refusal::DuplicatedParameter);
    }
    match grant {
        Grant::Password => realm.password_grant(
            now,
            &PasswordGrant {
                client,
                username: form.get("username"),
                password: form.get("password"),
                code: form.get("otp").or_else(|| form.get("totp")),
                scope: form.get("scope"),
            },
        ),
        Grant::RefreshToken => realm.refresh_grant(now, client, form.get("refresh_token")),
        Grant::ClientCredentials => realm.client_credentials_grant(now, client, form.get("scope")),
    }
}
