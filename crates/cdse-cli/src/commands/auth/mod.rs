//! `cdse auth`.

mod dir;
mod doctor;
mod header_file;
mod list;
mod login;
mod logout;
mod refresh;
mod sessions;
mod status;
mod switch;
mod token;

use std::process::ExitCode;

use crate::args::call::Call;
use crate::report::fail::Result;
use clap::Subcommand;

#[derive(Subcommand, Debug)]
#[command(defer = true)]
pub(crate) enum Command {
    /// Log in; asks on the terminal for what is missing
    ///
    /// The session is stored for this machine alone. Do not copy the state folder to another one: where refresh tokens work
    /// once, the two copies end each other's session. Log in there too, or give it a CDSE_ACCESS_TOKEN.
    Login(login::Login),
    /// Show who is logged in, from where, and until when; makes no request by itself
    ///
    /// The exit code is 0 if a token can be had without anybody logging in (credentials in the environment that have not
    /// been used yet can), and 4 if not. With --check it is 5 if the service does not tell.
    Status(status::Command),
    /// Print a valid access token
    ///
    /// One that is due is renewed first. It comes from --profile, else from credentials in the environment, else from the
    /// stored session (see `cdse help credentials`). Nothing is asked: without a login the exit code is 4.
    Token(token::Token),
    /// Renew the access token now
    Refresh,
    /// End the session at the service, then remove it here
    ///
    /// It is removed here even if the service cannot be reached; the exit code is 5 then. A token in CDSE_ACCESS_TOKEN is
    /// no session: with it the exit code is 2.
    Logout(logout::Command),
    /// Show and end the account's sessions at the service
    ///
    /// An account may hold a limited number of them (100 at the Copernicus Data Space Ecosystem), and a session keeps its
    /// place until it ends.
    Sessions(sessions::Command),
    /// Show the accounts that are logged in here
    List,
    /// Choose the profile that is used when nobody names one
    Switch(switch::Command),
    /// Print the folder where sessions are stored [env: CDSE_STATE_DIR]
    Dir,
    /// Write the Authorization header to a file, for GDAL and curl
    ///
    /// GDAL reads it with GDAL_HTTP_HEADER_FILE=PATH, curl with -H @PATH.
    HeaderFile(header_file::Command),
    /// Look for what keeps a login from working; prints no secret, name or account
    Doctor,
}

impl Command {
    pub(crate) fn run(self, call: &Call) -> Result<ExitCode> {
        let done = match self {
            Self::Login(login) => login.run(call),
            Self::Status(status) => return status.run(call),
            Self::Token(token) => token.run(call),
            Self::Refresh => refresh::run(call),
            Self::Logout(logout) => return logout.run(call),
            Self::Sessions(sessions) => sessions.run(call),
            Self::List => list::run(call),
            Self::Switch(switch) => switch.run(call),
            Self::Dir => dir::run(call),
            Self::HeaderFile(header_file) => header_file.run(call),
            Self::Doctor => return doctor::run(call),
        };
        done.map(|()| ExitCode::SUCCESS)
    }
}
