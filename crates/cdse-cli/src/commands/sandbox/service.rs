//! The service that the commands of this group start, and the environment of its clients.

use std::io;
use std::time::Duration;

use cdse_sandbox::{Config, Lifetimes, Rotation, Sandbox};
use clap::Args;

use crate::args::duration;
use crate::report::fail::{Fail, Result};

#[derive(Args, Debug)]
pub(super) struct Behaviour {
    /// Port on 127.0.0.1. Defaults to a free port
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    port: u16,
    /// Refresh tokens work once, and using one again ends the session
    #[arg(long)]
    rotation: bool,
    /// Lifetime of access tokens. Defaults to 10m
    #[arg(long, value_name = "DURATION", value_parser = duration::parse_positive)]
    lifetime: Option<Duration>,
    /// Idle lifetime of a session. Defaults to 1h
    #[arg(long, value_name = "DURATION", value_parser = duration::parse_positive)]
    idle_lifetime: Option<Duration>,
    /// Maximum lifetime of a session. Defaults to 10h
    #[arg(long, value_name = "DURATION", value_parser = duration::parse_positive)]
    max_lifetime: Option<Duration>,
    /// Open sessions per user. Defaults to 100
    #[arg(long, value_name = "N")]
    session_limit: Option<usize>,
}

impl Behaviour {
    pub(super) fn start(&self) -> Result<(Sandbox, Config)> {
        let usual = Config::default();
        let lifetimes = Lifetimes {
            access: self.lifetime.unwrap_or(usual.lifetimes.access),
            idle: self.idle_lifetime.unwrap_or(usual.lifetimes.idle),
            max: self.max_lifetime.unwrap_or(usual.lifetimes.max),
        };
        let rotation = if self.rotation { Rotation::OneTime } else { Rotation::Off };
        let session_limit = self.session_limit.or(usual.session_limit);
        let config = Config { port: self.port, lifetimes, rotation, session_limit, ..usual };
        Ok((start(config.clone())?, config))
    }
}

pub(super) fn start(config: Config) -> Result<Sandbox> {
    let port = config.port;
    Sandbox::start(config).map_err(|error| {
        let fail = Fail::other(format!("the service could not be started: {error}"));
        if error.kind() == io::ErrorKind::AddrInUse {
            fail.hint(format!(
                "port {port} or one of the three after it is taken: choose another --port, or leave it out"
            ))
        } else {
            fail
        }
    })
}

/// A folder that is gone when this process is.
pub(super) fn throw_away_folder() -> Result<tempfile::TempDir> {
    let mut folder = tempfile::Builder::new();
    #[cfg(unix)]
    folder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    folder
        .prefix("cdse-sandbox-")
        .tempdir()
        .map_err(|error| Fail::other(format!("no temporary folder could be made: {error}")))
}

/// The environment of a client of the service: its own, and nothing that points elsewhere.
pub(super) fn environment(sandbox: &Sandbox, state: &std::path::Path) -> Vec<(String, String)> {
    let mut variables = sandbox.environment();
    variables.push(("CDSE_STATE_DIR".to_owned(), state.to_string_lossy().into_owned()));
    variables
}
