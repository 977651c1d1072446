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

use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    core_dump::forbid();
    let arguments: Vec<_> = std::env::args_os().collect();
    // Known before the arguments are understood, for errors about the arguments are JSON too.
    let json = arguments.iter().skip(1).take_while(|argument| *argument != "--").any(|argument| argument == "--json");
    colour::decide(&arguments);
    match answer_or_run(arguments) {
        Ok(code) => code,
        Err(fail) => fail.report(json),
    }
}

fn answer_or_run(arguments: Vec<OsString>) -> fail::Result<ExitCode> {
    if complete::answer()? {
        return Ok(ExitCode::SUCCESS);
    }
    cli::parse(arguments)?.run()
}
