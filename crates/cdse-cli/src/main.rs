//! `cdse`: log in once to the Copernicus Data Space Ecosystem, use the session everywhere.
//!
//! The command line is thin: it reads arguments and environment, decides which credential wins, and leaves tokens,
//! renewals and storage to `cdse-auth`.

mod auth;
mod call;
mod cli;
mod colour;
mod complete;
mod core_dump;
mod duration;
mod explain;
mod fail;
mod help;
mod input;
mod man;
mod output;
mod prompt;
mod sandbox;
mod service;
mod signals;
mod table;
mod time;
mod variables;
mod verbose;
mod waiting;

use std::process::ExitCode;

use cdse_auth::ErrorKind;
use cli::Preview;

fn main() -> ExitCode {
    core_dump::forbid();
    match complete::answer() {
        Ok(false) => {}
        Ok(true) => return ExitCode::SUCCESS,
        Err(fail) => return fail.report(),
    }
    let arguments: Vec<_> = std::env::args_os().collect();
    let parsed = cli::parse(arguments.clone());
    let preview = parsed.as_ref().map_or_else(|_| Preview::of(&arguments), |parsed| parsed.preview(&arguments));
    colour::decide(preview.color);
    output::begin(preview.json);
    match parsed.and_then(cli::Parsed::run) {
        Ok(code) => code,
        // Only a signal shuts a manager down, and its handler ends the process with a code of its own.
        Err(fail) if fail.is(ErrorKind::ShutDown) => signals::wait_for_the_end(),
        Err(fail) => fail.report(),
    }
}
