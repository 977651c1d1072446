//! `auth login --store keyring` on a real GNOME Keyring: `CDSE_TEST_REAL=keyring cargo test --workspace --test keyring`.
//! What happens without one is in `tests/it/keyring.rs`.
#![allow(clippy::unwrap_used, reason = "a surprise ends the test")]

#[cfg(unix)]
mod real;
#[cfg(unix)]
#[path = "../it/schema.rs"]
mod schema;
#[cfg(unix)]
#[path = "../it/support.rs"]
#[allow(dead_code, reason = "it is there for more tests than these")]
mod support;

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    use cdse_judge::real::{Part, run};

    run(&[], Part::Keyring, real::ALL)
}
