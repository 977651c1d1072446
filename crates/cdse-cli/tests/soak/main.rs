//! Many processes on one session, for a while, with signals at random: what is promised of them, on every judge.
//!
//! * `cargo test --workspace --test soak`: the embedded service.
//! * with `CDSE_TEST_REAL=keycloak`: Keycloak 26 and 21, too.
//!
//! `CDSE_SOAK_SECONDS` is how long on each (10 unless said, half an hour at most), `CDSE_SOAK_PROCESSES` how many at a
//! time (16), `CDSE_SOAK_SEED` the beginning of all chance (1).
//!
//! Refresh tokens work once, a token lives for a second or two, and each answer takes a while. One process after the
//! other calls `cdse auth token`; others use the library, from a thread or from a runtime, refuse tokens, and ask the
//! service whether it takes them; somebody logs out and in again. Signals end them or stop them for a while, some at
//! any moment, some in an exchange. Nobody but the one who logs in has credentials: a session that is lost is seen by
//! everybody.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "real processes in real time; a surprise ends the test"
)]

#[cfg(unix)]
mod crowd;
#[cfg(unix)]
mod library_user;
#[cfg(unix)]
mod report;
#[cfg(unix)]
mod signals;
#[cfg(unix)]
mod watch;

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    use std::sync::Mutex;

    use libtest_mimic::{Arguments, Trial, run};

    /// Each has it for itself.
    static MACHINE: Mutex<()> = Mutex::new(());
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(library_user::ROLE) {
        return library_user::run(&arguments.collect::<Vec<_>>());
    }
    let trial = |(name, play): (&'static str, Play)| {
        Trial::test(name, move || {
            let _alone = crowd::lock(&MACHINE);
            play()
        })
    };
    run(&Arguments::from_args(), trials().into_iter().map(trial).collect()).exit_code()
}

/// How long an answer takes, in ms: long enough to be met by a signal.
#[cfg(unix)]
const ANSWER: u64 = 80;

#[cfg(unix)]
type Play = fn() -> Result<(), libtest_mimic::Failed>;

#[cfg(unix)]
fn trials() -> Vec<(&'static str, Play)> {
    use cdse_judge::keycloak::Server;
    use cdse_judge::real::Part;
    use cdse_judge::{Realm, SandboxStage};
    use cdse_sandbox::KeycloakVersion;

    let mut trials: Vec<(_, Play)> =
        vec![("sandbox", || play("the embedded service", &SandboxStage::new(Realm::Brief, KeycloakVersion::V26)))];
    if Part::Keycloak.is_asked_for() {
        trials.push(("keycloak_26", || {
            let server = Server::start("26.7.3");
            play("Keycloak 26.7.3", &server.stage(Realm::Brief))
        }));
        trials.push(("keycloak_21", || {
            let server = Server::start("21.1.2");
            play("Keycloak 21.1.2", &server.stage(Realm::Brief))
        }));
    }
    trials
}

#[cfg(unix)]
fn play(name: &str, stage: &dyn cdse_judge::Stage) -> Result<(), libtest_mimic::Failed> {
    use std::time::Duration;

    let number = |variable, usual| match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|error| panic!("{variable}: {error}")),
        Err(_) => usual,
    };
    let (seconds, processes) = (number("CDSE_SOAK_SECONDS", 10), number("CDSE_SOAK_PROCESSES", 16));
    let seed = number("CDSE_SOAK_SEED", 1);
    assert!(processes >= 4, "a crowd has somebody of each kind");
    println!("{name}: {seconds} s, {processes} processes, CDSE_SOAK_SEED={seed}");
    stage.delay_answers(Duration::from_millis(ANSWER));
    let happened = crowd::run(&stage.realm_url(), Duration::from_secs(seconds), processes, seed);
    stage.delay_answers(Duration::ZERO);
    let said = report::Said {
        token_requests: stage.token_requests(),
        reuse_detected: stage.reuse_detected(),
        open_sessions: stage.open_sessions(crowd::USER),
    };
    println!("{}", report::figures(&happened, &said));
    let broken = report::broken_rules(&happened, &said);
    if broken.is_empty() { Ok(()) } else { Err(broken.join("\n").into()) }
}
