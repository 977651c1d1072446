//! The command line on a real identity service: what it promises, played on every judge.
//!
//! * `cargo test -p cdse-cli --test judged`: the embedded service, its times shortened.
//! * `cargo test -p cdse-cli --test judged --features keycloak`: Keycloak 26 and 21, too.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "a surprise ends the test")]

mod journeys;

#[cfg(feature = "keycloak")]
use cdse_judge::keycloak::Server;
use cdse_judge::{Realm, SandboxStage, Stage};
use cdse_sandbox::KeycloakVersion;

fn play<'a>(mut stage: impl FnMut(Realm) -> Box<dyn Stage + 'a>) {
    for (name, realm, journey) in journeys::ALL {
        // What was played last is what a failure is about.
        eprintln!("{name}");
        journey(stage(*realm).as_ref());
    }
}

#[test]
fn the_embedded_service_as_26() {
    play(|realm| Box::new(SandboxStage::new(realm, KeycloakVersion::V26)));
}

#[test]
fn the_embedded_service_as_21() {
    play(|realm| Box::new(SandboxStage::new(realm, KeycloakVersion::V21)));
}

#[cfg(feature = "keycloak")]
#[test]
fn keycloak_26() {
    let server = Server::start("26.7.3");
    play(|realm| Box::new(server.stage(realm)));
}

#[cfg(feature = "keycloak")]
#[test]
fn keycloak_21() {
    let server = Server::start("21.1.2");
    play(|realm| Box::new(server.stage(realm)));
}
