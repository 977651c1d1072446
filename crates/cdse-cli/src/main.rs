//! `cdse`: log in once to the Copernicus Data Space Ecosystem, use the session everywhere.
//!
//! The command line is thin: arguments, questions, reports and exit codes. Which credential is used is decided by
//! `cdse-credentials`; tokens, renewals and storage are the business of `cdse-auth`.

mod args;
mod cli;
mod commands;
mod process;
mod report;

use std::process::ExitCode;

use cdse_auth::ErrorKind;

use crate::process::{hardening, signals};
use crate::report::{colour, output};

fn main() -> ExitCode {
    hardening::forbid_core_dumps();
    match cli::answer_completion() {
        Ok(false) => {}
        Ok(true) => return ExitCode::SUCCESS,
        Err(fail) => return output::fail(&fail),
    }
    let arguments: Vec<_> = std::env::args_os().collect();
    let parsed = cli::parse(arguments.clone());
    let early = cli::early(&parsed, &arguments);
    colour::decide(early.color);
    output::begin(early.json);
    match parsed.and_then(cli::Parsed::run) {
        Ok(code) => code,
        // Only a signal shuts a manager down, and its handler ends the process with a code of its own.
        Err(fail) if fail.is(ErrorKind::ShutDown) => signals::wait_for_the_end(),
        Err(fail) => output::fail(&fail),
    }
}
