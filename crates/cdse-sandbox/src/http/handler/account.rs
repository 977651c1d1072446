//! `…/account/sessions` and below.

use hyper::Method;
use serde_json::json;

use super::super::answer::Answer;
use super::super::received::Received;
use super::method::method_not_allowed;
use crate::config::KeycloakVersion;
use crate::realm::AccountSession;
use crate::state::Core;

/// Why the account API does nothing.
enum Refused {
    /// The token does not open the account.
    Token,
    Method,
}

pub(super) fn sessions(core: &mut Core, origin: &str, request: &Received) -> Answer {
    let now = core.seconds();
    let list_type = match core.realm.version {
        KeycloakVersion::V26 => "application/json;charset=UTF-8",
        KeycloakVersion::V21 => "application/json",
    };
    answer(core, origin, request, |core, token| match *request.method() {
        Method::GET => {
            let sessions = core.realm.account_sessions(now, token).ok_or(Refused::Token)?;
            Ok(Answer::json(200, &sessions).content_type(list_type))
        }
        Method::DELETE => {
            let current = request.query().get("current") == Some("true");
            core.realm.account_end_sessions(now, token, current).ok_or(Refused::Token)?;
            Ok(Answer::empty(204))
        }
        _ => Err(Refused::Method),
    })
}

/// The sessions by device; programs have none that is known.
pub(super) fn devices(core: &mut Core, origin: &str, request: &Received) -> Answer {
    let now = core.seconds();
    answer(core, origin, request, |core, token| match *request.method() {
        Method::GET => {
            let sessions = core.realm.account_devices_sessions(now, token).ok_or(Refused::Token)?;
            if sessions.is_empty() {
                return Ok(Answer::json(200, &json!([])));
            }
            let devices = json!([{
                "os": "Other",
                "osVersion": "Unknown",
                "device": "Other",
                "lastAccess": now,
                "current": sessions.iter().any(AccountSession::is_current),
                "sessions": sessions,
                "mobile": false,
            }]);
            Ok(Answer::json(200, &devices))
        }
        _ => Err(Refused::Method),
    })
}

pub(super) fn session(core: &mut Core, origin: &str, request: &Received, id: &str) -> Answer {
    let now = core.seconds();
    answer(core, origin, request, |core, token| match *request.method() {
        Method::DELETE => {
            core.realm.account_end_session(now, token, id).ok_or(Refused::Token)?;
            Ok(Answer::empty(204))
        }
        _ => Err(Refused::Method),
    })
}

/// What all of the account API shares: it is there only for those who ask for JSON.
fn answer(
    core: &mut Core,
    origin: &str,
    request: &Received,
    act: impl FnOnce(&mut Core, &str) -> Result<Answer, Refused>,
) -> Answer {
    let version = core.realm.version;
    if !request.accepts_json() {
        return not_asked_for_json(version, origin, request);
    }
    match act(core, request.bearer().unwrap_or_default()) {
        Ok(answer) if version == KeycloakVersion::V26 || answer.status == 200 => {
            answer.header("cache-control", "no-cache")
        }
        Ok(answer) => answer,
        Err(Refused::Token) => Answer::prose(401, "HTTP 401 Unauthorized"),
        Err(Refused::Method) => method_not_allowed(version, request),
    }
}

fn not_asked_for_json(version: KeycloakVersion, origin: &str, request: &Received) -> Answer {
    match version {
        KeycloakVersion::V26 => Answer::page(200, "Account Management", "Account Management")
            .content_type("text/html; charset=utf-8")
            .header("cache-control", "no-cache"),
        KeycloakVersion::V21 => {
            let path = request.path();
            Answer::prose(404, &format!("RESTEASY003210: Could not find resource for full path: {origin}{path}"))
        }
    }
}
