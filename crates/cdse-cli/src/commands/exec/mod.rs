//! `cdse exec`: a program with a valid token for as long as it runs.

mod folder;
mod gdal;

use std::ffi::{OsStr, OsString};
use std::process::{Command as Process, ExitCode};

use cdse_auth::HeaderValue;
use cdse_credentials::{Mode, Session, Source};
use cdse_http::{Endpoints, Form, TokenFile};

use self::folder::Folder;
use crate::args::call::Call;
use crate::commands::keeping::{Keeping, Pace};
use crate::process::child::{self, Relay};
use crate::process::signals;
use crate::report::fail::{Fail, Result};
use crate::report::{explain, output, progress};

/// What a credential is given by, or names another one: nothing of it reaches the program.
const CREDENTIALS: &[&str] = &[
    "CDSE_ACCESS_TOKEN",
    "CDSE_REFRESH_TOKEN",
    "CDSE_REFRESH_TOKEN_FILE",
    "CDSE_CLIENT_ID",
    "CDSE_CLIENT_SECRET",
    "CDSE_CLIENT_SECRET_FILE",
    "CDSE_USERNAME",
    "CDSE_PASSWORD",
    "CDSE_PASSWORD_FILE",
    "CDSE_PASSWORD_COMMAND",
    "CDSE_TOTP",
    "CDSE_TOTP_SECRET",
    "CDSE_TOTP_SECRET_FILE",
    "CDSE_TOTP_COMMAND",
    "CDSE_PROFILE",
    "CDSE_SESSION",
    // Of another `cdse exec` around this one.
    "CDSE_TOKEN_FILE",
    "CDSE_HEADER_FILE",
];

#[derive(clap::Args, Debug)]
pub(crate) struct Command {
    /// Put a token into CDSE_ACCESS_TOKEN and leave the rest to the program: it replaces this one, and nothing renews the token
    #[arg(long, conflicts_with = "with")]
    once: bool,
    /// Set what these read, too: `bearer` BEARER_TOKEN_FILE, `gdal` GDAL's header file, for the hosts of CDSE
    #[arg(long, value_name = "KIND", value_enum, value_delimiter = ',')]
    with: Vec<With>,
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
enum With {
    /// BEARER_TOKEN_FILE (WLCG Bearer Token Discovery)
    Bearer,
    /// GDAL reads the header file when it reads from CDSE
    Gdal,
}

impl Command {
    pub(crate) fn run(&self, call: &Call) -> Result<ExitCode> {
        let [program, arguments @ ..] = &self.command[..] else {
            return Err(Fail::usage("a command is missing"));
        };
        let mut process = Process::new(program);
        process.args(arguments);
        if self.once { once(call, process) } else { self.supervise(call, process) }
    }

    /// This process stays, and keeps the files fresh until the program ends.
    fn supervise(&self, call: &Call, mut process: Process) -> Result<ExitCode> {
        let endpoints = endpoints()?;
        let session = call.open(Mode::KeepAlive)?;
        signals::protect(session.manager());
        let folder = Folder::new(&call.environment)?;
        let header = first_header(&session)?;
        set_environment(&mut process, &session);
        let (token_file, header_file) = (folder.path().join("token"), folder.path().join("header"));
        process.env("CDSE_TOKEN_FILE", &token_file).env("CDSE_HEADER_FILE", &header_file);
        if self.with.contains(&With::Bearer) {
            process.env("BEARER_TOKEN_FILE", &token_file);
        }
        if self.with.contains(&With::Gdal) {
            gdal::set_environment(&mut process, &folder, &header_file, &endpoints)?;
        }
        let files = vec![TokenFile::new(token_file, Form::Token)?, TokenFile::new(header_file, Form::Header)?];
        let meanwhile = "the command goes on, and `cdse auth login` in another terminal helps it";
        let mut keeping = Keeping { session: &session, files, pace: Pace::Quiet, meanwhile };
        // A program may take a first refusal for good (GDAL does): the first token is there before it starts.
        keeping.begin(&header)?;
        let relay = Relay::new()?;
        signals::unprotect();
        let manager = session.manager();
        std::thread::scope(|scope| {
            let kept = std::thread::Builder::new()
                .spawn_scoped(scope, || keeping.run().unwrap_or_else(|fail| output::warn(&fail.message)))
                .map_err(|error| Fail::other(format!("no thread could be started: {error}")))?;
            let ended = relay.run(&mut process, &|stop| manager.as_async().between_exchanges(stop));
            // Whoever follows the session stops.
            manager.settle().unwrap_or_else(|error| output::warn(error.message()));
            let _ = kept.join();
            ended
        })
    }
}

/// The program takes this one's place.
fn once(call: &Call, mut process: Process) -> Result<ExitCode> {
    let session = call.open(Mode::OneShot)?;
    // Reads the store. With a fresh token nothing follows that could be interrupted.
    explain::say_what_was_mended(&session);
    let header = match session.manager().as_async().fresh_header() {
        Some(header) => header,
        None => {
            signals::protect(session.manager());
            let header = first_header(&session)?;
            session.manager().settle().map_err(|error| explain::of(&session, error))?;
            header
        }
    };
    set_environment(&mut process, &session);
    process.env("CDSE_ACCESS_TOKEN", token(&header));
    signals::unprotect();
    child::in_place_of_this(&mut process)
}

fn endpoints() -> Result<Endpoints> {
    let variable = |name: &str| std::env::var(name).ok();
    Endpoints::from_variables(variable).map_err(|error| Fail::usage(error.to_string()))
}

fn first_header(session: &Session) -> Result<HeaderValue> {
    let _told = progress::show(session.manager());
    let header = session.manager().authorization_header().map_err(|error| explain::of(session, error))?;
    explain::say_what_was_mended(session);
    Ok(header)
}

fn token(header: &HeaderValue) -> &str {
    let value = header.to_str().unwrap_or_default();
    value.strip_prefix("Bearer ").unwrap_or(value)
}

/// No credential of ours, but the name of the session: a call of `cdse` in the program joins it.
fn set_environment(process: &mut Process, session: &Session) {
    let fixed = *session.source() == Source::AccessToken;
    for name in CREDENTIALS.iter().filter(|name| !(fixed && **name == "CDSE_ACCESS_TOKEN")) {
        process.env_remove(name);
    }
    if session.store().is_some() {
        process.env("CDSE_SESSION", OsStr::new(&session.manager().as_async().slot().id()));
    }
}
