//! One module per endpoint.

mod account;
mod device;
mod discovery;
mod logout;
mod method;
pub(crate) mod resource;
mod revoke;
mod token;
mod userinfo;

use super::answer::Answer;
use super::received::Received;
use super::route::Route;
use crate::state::Core;

/// The service's own answer to a request.
pub(super) fn answer(core: &mut Core, route: Route<'_>, origin: &str, request: &Received) -> Answer {
    let version = core.realm.version;
    let answer = match route {
        Route::Token => token::answer(core, request),
        Route::Logout => logout::answer(core, request),
        Route::Revoke => revoke::answer(core, request),
        Route::Userinfo => userinfo::answer(core, request),
        Route::Sessions => account::sessions(core, origin, request),
        Route::Session(id) => account::session(core, origin, request, id),
        Route::Devices => account::devices(core, origin, request),
        Route::DeviceFlow => device::answer(core, request),
        Route::Discovery => discovery::answer(core, request),
        Route::Resource => return resource::answer(core, request),
        Route::UnknownRealm => Answer::prose(404, "Realm does not exist"),
        Route::Unknown | Route::Control(_) => Answer::prose(404, "Unable to find matching target resource method"),
    };
    answer.guarded(version)
}
