//! `cdse`: log in once to the Copernicus Data Space Ecosystem, use the session everywhere.
//!
//! The command line is thin: it reads arguments and environment, decides which credential wins, and leaves tokens,
//! renewals and storage to `cdse-auth`.

mod active;
mod auth;
mod cli;
mod colour;
mod command;
mod complete;
mod core_dump;
mod duration;
mod environment;
mod fail;
mod help;
mod man;
mod netrc;
mod output;
mod outside;
mod private_file;
mod profile;
mod prompt;
mod sandbox;
mod service;
mod session;
mod signals;
mod source;
mod state;
mod stored;
mod table;
mod time;
mod verbose;
mod waiting;

use std::process::ExitCode;

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
    parsed.and_then(cli::Parsed::run).unwrap_or_else(|fail| fail.report())
}
