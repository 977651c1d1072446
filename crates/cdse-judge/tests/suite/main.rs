//! Every scenario is written once. What each judge answers is compared with what is on record for the version of Keycloak
//! that it is, or stands for: `tests/suite/seen/*.json`, seen on the real one.
//!
//! * `cargo test --workspace --test suite`: the embedded service, as both versions.
//! * with `CDSE_TEST_REAL=keycloak`: the real ones too; with `CDSE_JUDGE_RECORD=1` as well they write the record.
//!
//! "The same" means status, content type, `error`, `error_description`, and the keys with their JSON types; not values,
//! times or order. What the embedded service does not copy is in `differences.txt`, with the reason.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a surprise ends the test, and what was compared is said"
)]

#[cfg(unix)]
mod compared;
#[cfg(unix)]
mod observed;
#[cfg(unix)]
mod scenarios;

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    compared::run()
}
