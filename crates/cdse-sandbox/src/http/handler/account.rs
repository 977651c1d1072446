//! `…/account/sessions` and below.

use hyper::Method;
use serde_json::{Value, json};

use super::super::answer::Answer;
use super::super::received::Received;
use super::super::route::Route;
use crate::config::KeycloakVersion;
use crate::realm::{AccountSession, Seconds};
use crate::state::Core;

/// For those who ask for JSON.
pub(super) fn answer(core: &mut Core, route: Route<'_>, request: &Received) -> Answer {
    let now = core.seconds();
    let token = request.bearer().unwrap_or_default();
    let realm = &mut core.realm;
    let is_26 = realm.version == KeycloakVersion::V26;
    let done = match route {
        Route::Devices => {
            realm.account_devices_sessions(now, token).map(|sessions| Answer::json(200, &devices(now, &sessions)))
        }
        Route::Session(id) => realm.account_end_session(now, token, id).map(|()| Answer::empty(204)),
        _ if request.method() == Method::DELETE => {
            let current = request.query().get("current") == Some("true");
            realm.account_end_sessions(now, token, current).map(|()| Answer::empty(204))
        }
        _ => realm.account_sessions(now, token).map(|sessions| {
            let list = Answer::json(200, &sessions);
            if is_26 { list.content_type("application/json;charset=UTF-8") } else { list }
        }),
    };
    match done {
        Some(answer) if is_26 || answer.status == 200 => answer.header("cache-control", "no-cache"),
        Some(answer) => answer,
        // The token does not open the account.
        None => Answer::prose(401, "HTTP 401 Unauthorized"),
    }
}

/// The sessions by device; programs have none that is known.
fn devices(now: Seconds, sessions: &[AccountSession]) -> Value {
    if sessions.is_empty() {
        return json!([]);
    }
    json!([{
        "os": "Other",
        "osVersion": "Unknown",
        "device": "Other",
        "lastAccess": now,
        "current": sessions.iter().any(|session| session.current.is_some()),
        "sessions": sessions,
        "mobile": false,
    }])
}

pub(super) fn not_asked_for_json(version: KeycloakVersion, origin: &str, request: &Received) -> Answer {
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
