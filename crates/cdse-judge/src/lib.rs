//! Stages for tests: a realm of the embedded identity service, or of a real Keycloak, behind one trait.
//!
//! The suite of scenarios that all of them are judged by is in `tests/suite`; the command line plays its journeys on the
//! same stages. [`keycloak::Server`] needs what `tests/keycloak/prepare` has made, and Java. [`desktop::Desktop`] is a real
//! keyring. Tests that need either are in [`real`].
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc, reason = "a surprise ends the test")]

#[cfg(unix)]
pub mod desktop;
#[cfg(unix)]
pub mod keycloak;
#[cfg(unix)]
mod proxy;
mod random;
pub mod real;
mod stage;

pub use random::Random;
pub use stage::{Realm, SandboxStage, Stage};

use serde_json::Value;

/// Status and body of `GET url` with a bearer token.
#[must_use]
pub fn get(url: &str, token: &str) -> (u16, Value) {
    let agent = ureq::Agent::config_builder().proxy(None).http_status_as_error(false).build().new_agent();
    let request =
        agent.get(url).header("authorization", format!("Bearer {token}")).header("accept", "application/json");
    let mut answer = request.call().unwrap();
    let body = answer.body_mut().read_to_vec().unwrap();
    (answer.status().as_u16(), serde_json::from_slice(&body).unwrap_or(Value::Null))
}

/// Status and body of a form that is sent to `url`.
#[must_use]
pub fn post(url: &str, fields: &[(&str, &str)]) -> (u16, Value) {
    let agent = ureq::Agent::config_builder().proxy(None).http_status_as_error(false).build().new_agent();
    let mut answer = agent.post(url).header("accept", "application/json").send_form(fields.iter().copied()).unwrap();
    let body = answer.body_mut().read_to_vec().unwrap();
    (answer.status().as_u16(), serde_json::from_slice(&body).unwrap_or(Value::Null))
}

/// Status of `DELETE url` with a bearer token.
#[must_use]
pub fn delete(url: &str, token: &str) -> u16 {
    let agent = ureq::Agent::config_builder().proxy(None).http_status_as_error(false).build().new_agent();
    let request =
        agent.delete(url).header("authorization", format!("Bearer {token}")).header("accept", "application/json");
    request.call().unwrap().status().as_u16()
}
