//! `cdse exec`: a program with a valid token for as long as it runs.

mod credentials;
mod folder;
mod gdal;
mod watch;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command as Process, ExitCode};
use std::sync::Arc;

use cdse_auth::{HeaderValue, TokenStore};
use cdse_credentials::{Mode, Session, Source};
use cdse_http::{Endpoints, Form, TokenFile};

use self::credentials::CREDENTIALS;
use self::folder::Folder;
use crate::args::call::Call;
use crate::commands::keeping::{Keeping, Pace};
use crate::process::child::{self, Relay};
use crate::process::signals;
use crate::report::fail::{Fail, Result};
use crate::report::{explain, output, progress};

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
        let header = first_header(&session)?;
        // A signal ends this process only when the folder is gone.
        let unfinished = signals::hold_the_end();
        let folder = Folder::new(&call.environment)?;
        set_environment(&mut process, &session);
        let (token_file, header_file) = (folder.path().join("token"), folder.path().join("header"));
        process.env("CDSE_TOKEN_FILE", &token_file).env("CDSE_HEADER_FILE", &header_file);
        if self.with.contains(&With::Bearer) {
            // The token itself would win over the file.
            process.env("BEARER_TOKEN_FILE", &token_file).env_remove("BEARER_TOKEN");
        }
        if self.with.contains(&With::Gdal) {
            gdal::set_environment(&mut process, &folder, &header_file, &endpoints)?;
        }
        let files = vec![TokenFile::new(token_file, Form::Token)?, TokenFile::new(header_file, Form::Header)?];
        let meanwhile = meanwhile(session.source());
        let mut keeping = Keeping { session: &session, files, pace: Pace::Quiet, meanwhile };
        // A program may take a first refusal for good (GDAL does): the first token is there before it starts.
        keeping.begin(&header)?;
        let relay = Relay::new()?;
        if signals::unprotect() {
            drop((folder, unfinished));
            signals::wait_for_the_end();
        }
        watch::follow(&session);
        let manager = session.manager();
        std::thread::scope(|scope| {
            let kept = std::thread::Builder::new()
                .spawn_scoped(scope, || keeping.run().unwrap_or_else(|fail| output::warn(&fail.message)))
                .map_err(|error| Fail::other(format!("no thread could be started: {error}")))?;
            let ended = relay.start(&mut process).and_then(|running| {
                // From here on what is said is for people: there is no answer that it could be a part of.
                output::begin(false);
                running.wait(&|stop| manager.as_async().between_exchanges(stop))
            });
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
    if signals::unprotect() {
        signals::wait_for_the_end();
    }
    child::in_place_of_this(&mut process)
}

/// What goes on, and what helps where something does.
fn meanwhile(source: &Source) -> String {
    let login = match source {
        Source::AccessToken | Source::RefreshToken | Source::Client => return "the command goes on".to_owned(),
        Source::Profile(name) => name.login_command(),
        _ => "cdse auth login".to_owned(),
    };
    format!("the command goes on; where a login is needed, `{login}` in another terminal brings the token back")
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
    // What another `cdse exec` around this one has set is of its session.
    let outer = std::env::var_os("CDSE_TOKEN_FILE").map(PathBuf::from);
    if let Some(outer) = outer.as_deref().and_then(Path::parent) {
        for name in ["BEARER_TOKEN_FILE", "GDAL_CONFIG_FILE", "GDAL_HTTP_HEADER_FILE"] {
            if std::env::var_os(name).is_some_and(|file| Path::new(&file).starts_with(outer)) {
                process.env_remove(name);
            }
        }
    }
    let is_shared = |store: &Arc<dyn TokenStore>| store.records().is_some_and(|records| records.description().shared);
    if session.store().is_some_and(is_shared) {
        process.env("CDSE_SESSION", OsStr::new(&session.manager().as_async().slot().id()));
    }
}
