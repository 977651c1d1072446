//! The judges, each of which is asked in every journey.

use cdse_judge::keycloak::Server;
use cdse_judge::real::{self, Part};
use cdse_judge::{Realm, SandboxStage, Stage, named};
use cdse_sandbox::KeycloakVersion;

use crate::journeys;

pub(crate) fn run() -> std::process::ExitCode {
    let ordinary = named![the_embedded_service_as_26, the_embedded_service_as_21];
    real::run(ordinary, Part::Keycloak, named![keycloak_26, keycloak_21])
}

/// What was being played is what a failure is about.
struct Played(&'static str);

impl Drop for Played {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed in: {}", self.0);
        }
    }
}

fn play<'a>(mut stage: impl FnMut(Realm) -> Box<dyn Stage + 'a>) {
    for (name, realm, journey) in journeys::ALL {
        let _played = Played(name);
        journey(stage(*realm).as_ref());
    }
}

fn the_embedded_service_as_26() {
    play(|realm| Box::new(SandboxStage::new(realm, KeycloakVersion::V26)));
}

fn the_embedded_service_as_21() {
    play(|realm| Box::new(SandboxStage::new(realm, KeycloakVersion::V21)));
}

fn keycloak_26() {
    let server = Server::start("26.7.3");
    play(|realm| Box::new(server.stage(realm)));
}

fn keycloak_21() {
    let server = Server::start("21.1.2");
    play(|realm| Box::new(server.stage(realm)));
}
