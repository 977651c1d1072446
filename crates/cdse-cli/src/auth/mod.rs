//! `cdse auth`.

mod ask;
mod login;
mod logout;
mod place;
mod refresh;
mod status;
mod token;

use std::process::ExitCode;

use clap::Subcommand;

use crate::cli::Global;
use crate::environment::Environment;
use crate::fail::Result;

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Log in; asks on the terminal for what is missing
    ///
    /// The session is stored for this machine alone. Do not copy the state folder to another one: where refresh tokens work
    /// once, the two copies end each other's session. Log in there too, or give it a CDSE_ACCESS_TOKEN.
    Login(login::Login),
    /// Show who is logged in, from where, and until when; makes no request
    ///
    /// The exit code is 0 if a token can be had without anybody logging in (credentials in the environment that have not
    /// been used yet can), and 4 if not.
    Status,
    /// Print a valid access token
    Token(token::Token),
    /// Renew the access token now
    Refresh,
    /// End the session at the service, then remove it here
    ///
    /// It is removed here even if the service cannot be reached; the exit code is 5 then. A token in CDSE_ACCESS_TOKEN is
    /// no session: with it the exit code is 2.
    Logout,
}

impl Command {
    pub(crate) fn run(self, global: &Global, environment: &Environment) -> Result<ExitCode> {
        let done = match self {
            Self::Login(login) => login.run(global, environment),
            Self::Status => return status::run(global, environment),
            Self::Token(token) => token.run(global, environment),
            Self::Refresh => refresh::run(global, environment),
            Self::Logout => return logout::run(global, environment),
        };
        done.map(|()| ExitCode::SUCCESS)
    }
}
