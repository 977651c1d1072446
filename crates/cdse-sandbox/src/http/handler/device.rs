//! `…/protocol/openid-connect/auth/device`: the device flow, which no client here may use.

use hyper::Method;

use super::super::answer::Answer;
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
    let (id, secret) = request.client_credentials();
    let refused = match core.realm.authenticate_client(id.as_deref(), secret.as_deref()) {
        Ok(_) => Refusal::DeviceFlowDisabled,
        Err(refusal) => refusal,
    };
    refusal::answer(&refused, version, request.accepts_json())
}
