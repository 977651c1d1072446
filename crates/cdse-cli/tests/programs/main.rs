//! The recipes of `docs/recipes`, word for word, with real programs: `CDSE_TEST_REAL=programs cargo test --workspace --test
//! programs`, after `tests/programs/prepare`.
#![allow(clippy::unwrap_used, reason = "a surprise ends the test")]

#[cfg(unix)]
mod foreign;
#[cfg(unix)]
mod recipe;
#[cfg(unix)]
mod recipes;

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    use cdse_judge::real::{Part, run};

    run(&[], Part::Programs, recipes::ALL)
}
