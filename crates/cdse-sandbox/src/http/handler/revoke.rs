//! `…/protocol/openid-connect/revoke`

use hyper::Method;

use super::super::answer::{Answer, FRAMES};
use super::super::received::Received;
use super::super::refusal;
use super::method::method_not_allowed;
use crate::realm::Refusal;
use crate::state::Core;

pub(super) fn answer(core: &mut Core, request: &Received) -> Answer {
    let version = core.realm.version;
    if request.method() != Method::POST {
        return method_not_allowed(version, request);
    }
    match revoke(core, request) {
        Ok(()) => Answer::empty(200).header("content-security-policy", FRAMES),
        Err(refusal) => refusal::answer(&refusal, version, request.accepts_json()),
    }
}

fn revoke(core: &mut Core, request: &Received) -> Result<(), Refusal> {
    let now = core.seconds();
    let (id, secret) = request.client_credentials();
    let client = core.realm.authenticate_client(id.as_deref(), secret.as_deref())?;
    core.realm.revoke(now, client, request.form.get("token"))
}
