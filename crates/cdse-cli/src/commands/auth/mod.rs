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
    /// The session is stored for this machine alone. Do not copy the state folder to another machine: where refresh tokens
    /// work once, the two copies end each other's session. Log in there too, or set CDSE_ACCESS_TOKEN there.
    Login(login::Login),
    /// Show who is logged in, from where, and until when; makes no request by itself
    ///
    /// The exit code is 0 if a token is available without a login, which includes credentials in the environment that were
    /// not used yet, and 4 if not. With --check it is 5 if the service cannot be asked.
    Status(status::Command),
    /// Print a valid access token
    ///
    /// An expiring token is renewed first. The credential is that of --profile, else of the environment, else the stored
    /// session (see `cdse help credentials`). Without a login the exit code is 4; nothing is asked.
    Token(token::Token),
    /// Renew the access token now
    Refresh,
    /// End the session at the service, then remove it here
    ///
    /// It is removed here even if the service cannot be reached; the exit code is then 5. With CDSE_ACCESS_TOKEN, which is
    /// not a session, the exit code is 2.
    Logout(logout::Command),
    /// Show and end the account's sessions at the service
    ///
    /// The number of open sessions of an account is limited (100 at the Copernicus Data Space Ecosystem), and a session counts
    /// until it ends.
    Sessions(sessions::Command),
    /// Show the accounts that are logged in here
    List,
    /// Choose the default profile
    Switch(switch::Command),
    /// Print the folder where sessions are stored [env: CDSE_STATE_DIR]
    Dir,
    /// Write the Authorization header to a file, for GDAL and curl
    ///
    /// GDAL reads it with GDAL_HTTP_HEADER_FILE=PATH, curl with -H @PATH.
    HeaderFile(header_file::Command),
    /// Check what can keep a login from working; prints no secret, name or account
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
