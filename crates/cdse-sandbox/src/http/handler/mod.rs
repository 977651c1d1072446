//! What each endpoint answers.

mod account;
mod catalogue;
mod discovery;
mod download;
mod ending;
mod path;
pub(crate) mod resource;
mod stac;
mod token;
mod userinfo;

use hyper::Method;

use super::answer::Answer;
use super::received::Received;
use super::refusal;
use super::route::Route;
use crate::config::KeycloakVersion;
use crate::endpoint::Endpoint;
use crate::realm::Refusal;
use crate::state::{Core, Site};

/// The service's own answer to a request.
pub(super) fn answer(core: &mut Core, site: &Site, route: Route<'_>, request: &Received) -> Answer {
    match route {
        Route::Catalogue => catalogue::answer(core, site, request),
        Route::Download => download::answer(core, site, request),
        Route::Stac => stac::answer(core, site, request),
        _ => identity(core, site, route, request),
    }
}

fn identity(core: &mut Core, site: &Site, route: Route<'_>, request: &Received) -> Answer {
    let version = core.realm.version;
    let is_account = route.endpoint() == Endpoint::Account;
    let answer = match route {
        _ if is_account && !request.accepts_json() => {
            Ok(account::not_asked_for_json(version, &site.origins.identity, request))
        }
        _ if !has_method(route, request.method()) => Ok(method_not_allowed(version, request)),
        Route::Token => Ok(token::answer(core, request)),
        Route::Logout => ending::logout(core, request),
        Route::Revoke => ending::revoke(core, request),
        Route::Userinfo => Ok(userinfo::answer(core, request)),
        Route::Sessions | Route::Session(_) | Route::Devices => Ok(account::answer(core, route, request)),
        // No client may use it.
        Route::DeviceFlow => request.client(&core.realm).and(Err(Refusal::DeviceFlowDisabled)),
        Route::Discovery => Ok(discovery::answer(core)),
        Route::Resource => Ok(resource::answer(core, request)),
        Route::UnknownRealm => Ok(Answer::prose(404, "Realm does not exist")),
        Route::Unknown | Route::Catalogue | Route::Download | Route::Stac | Route::Control(_) => {
            Ok(Answer::prose(404, "Unable to find matching target resource method"))
        }
    };
    let answer = answer.unwrap_or_else(|refusal| refusal::answer(&refusal, version, request.accepts_json()));
    if route == Route::Resource { answer } else { answer.guarded(version) }
}

fn has_method(route: Route<'_>, method: &Method) -> bool {
    match route {
        Route::Token | Route::Revoke | Route::DeviceFlow => method == Method::POST,
        Route::Logout | Route::Userinfo => [Method::GET, Method::POST].contains(method),
        Route::Discovery | Route::Resource => [Method::GET, Method::HEAD].contains(method),
        Route::Sessions => [Method::GET, Method::DELETE].contains(method),
        Route::Session(_) => method == Method::DELETE,
        Route::Devices => method == Method::GET,
        Route::UnknownRealm | Route::Unknown | Route::Catalogue | Route::Download | Route::Stac | Route::Control(_) => {
            true
        }
    }
}

fn method_not_allowed(version: KeycloakVersion, request: &Received) -> Answer {
    let method = request.method();
    let why = match version {
        KeycloakVersion::V26 => "HTTP 405 Method Not Allowed".to_owned(),
        KeycloakVersion::V21 => {
            format!("RESTEASY003650: No resource method found for {method}, return 405 with Allow header")
        }
    };
    Answer::prose(405, &why)
}
