//! The store on a real GNOME Keyring: `CDSE_TEST_REAL=keyring cargo test --workspace --test keyring`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a surprise ends the test")]

#[cfg(unix)]
mod prompt;
#[cfg(unix)]
mod store;

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    use cdse_judge::real::{Part, run};

    if store::child_has_played() {
        return std::process::ExitCode::SUCCESS;
    }
    run(&[], Part::Keyring, &[store::ALL, prompt::ALL].concat())
}
