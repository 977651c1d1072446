//! The answer to a method that an endpoint does not have.

use super::super::answer::Answer;
use super::super::received::Received;
use crate::config::KeycloakVersion;

pub(super) fn method_not_allowed(version: KeycloakVersion, request: &Received) -> Answer {
    match version {
        KeycloakVersion::V26 => Answer::prose(405, "HTTP 405 Method Not Allowed"),
        KeycloakVersion::V21 => {
            let method = request.method();
            Answer::prose(
                405,
                &format!("RESTEASY003650: No resource method found for {method}, return 405 with Allow header"),
            )
        }
    }
}
