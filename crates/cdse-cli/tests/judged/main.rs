//! The command line on a real identity service: what it promises, played on every judge.
//!
//! * `cargo test --workspace --test judged`: the embedded service, its times shortened.
//! * with `CDSE_TEST_REAL=keycloak`: Keycloak 26 and 21, too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "a surprise ends the test")]

#[cfg(unix)]
mod journeys;
#[cfg(unix)]
mod judges;

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    judges::run()
}
