//! Which credential wins.
//!
//! The order: a flag, then `CDSE_ACCESS_TOKEN`, `CDSE_REFRESH_TOKEN`, `CDSE_CLIENT_ID` with `CDSE_CLIENT_SECRET`,
//! `CDSE_USERNAME` with `CDSE_PASSWORD`, then what the profile points to, then, with `--netrc`, the netrc file.

use std::path::PathBuf;

use crate::active;
use crate::cli::Global;
use crate::environment::Environment;
use crate::fail::{Fail, Result};
use crate::profile::Name;
use crate::state::StateFolder;

/// Where the credential in use comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Source {
    AccessToken,
    RefreshToken,
    Client,
    User,
    Profile(Name),
    /// With `--netrc`, where the profile has no session.
    Netrc(PathBuf),
    /// A stored session that no profile points to.
    Stored(PathBuf),
    /// The same in the keyring, by the id of its slot.
    InKeyring(String),
}

impl Source {
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::AccessToken => "environment CDSE_ACCESS_TOKEN".to_owned(),
            Self::RefreshToken => "environment CDSE_REFRESH_TOKEN".to_owned(),
            Self::Client => "environment CDSE_CLIENT_ID".to_owned(),
            Self::User => "environment CDSE_USERNAME".to_owned(),
            Self::Profile(name) => format!("profile {name}"),
            Self::Netrc(path) => format!("netrc {}", path.display()),
            Self::Stored(path) => format!("session file {}", path.display()),
            Self::InKeyring(id) => format!("keyring secret {id}"),
        }
    }

    /// Can open a session by itself.
    pub(crate) fn can_log_in(&self) -> bool {
        matches!(self, Self::Client | Self::User | Self::Netrc(_))
    }

    pub(crate) fn profile(&self) -> Option<&Name> {
        match self {
            Self::Profile(name) => Some(name),
            _ => None,
        }
    }
}

/// The winner, to work with it.
pub(crate) fn choose(global: &Global, environment: &Environment) -> Result<Source> {
    let source = winner(global, environment)?;
    log::info!("the credential is that of the {}", source.describe());
    Ok(source)
}

/// The winner among flags and environment. Half a pair is an error, unless something above it wins.
pub(crate) fn winner(global: &Global, environment: &Environment) -> Result<Source> {
    if let Some(name) = &global.profile {
        return Ok(Source::Profile(name.clone()));
    }
    if environment.access_token.is_some() {
        return Ok(Source::AccessToken);
    }
    if environment.refresh_token.is_some() {
        return Ok(Source::RefreshToken);
    }
    let pairs = [
        (
            Source::Client,
            "CDSE_CLIENT_ID",
            environment.client_id.is_some(),
            "CDSE_CLIENT_SECRET",
            environment.client_secret.is_some(),
        ),
        (
            Source::User,
            "CDSE_USERNAME",
            environment.username.is_some(),
            "CDSE_PASSWORD",
            environment.password.is_some() || environment.password_command.is_some(),
        ),
    ];
    for (source, first, has_first, second, has_second) in pairs {
        match (has_first, has_second) {
            (true, true) => return Ok(source),
            (true, false) => return Err(half(first, second)),
            (false, true) => return Err(half(second, first)),
            (false, false) => {}
        }
    }
    profile_in_use(global, environment).map(Source::Profile)
}

/// The profile of a call: as the flag says, the environment, the last `cdse auth switch`.
pub(crate) fn profile_in_use(global: &Global, environment: &Environment) -> Result<Name> {
    if let Some(name) = global.profile.as_ref().or(environment.profile.as_ref()) {
        return Ok(name.clone());
    }
    Ok(active::load(&StateFolder::of(environment)?)?.unwrap_or_default())
}

fn half(given: &str, missing: &str) -> Fail {
    Fail::usage(format!("{given} is set and {missing} is not: set both or neither"))
}

pub(crate) fn not_logged_in(source: &Source) -> Fail {
    match source {
        Source::Profile(name) if name.is_default() => {
            Fail::login_required("you are not logged in", login_command(name))
        }
        Source::Profile(name) => {
            Fail::login_required(format!("the profile {name} is not logged in"), login_command(name))
        }
        _ => Fail::login_required(format!("{}: no session is open", source.describe()), "cdse auth login"),
    }
}

/// The command that mends it.
pub(crate) fn login_command(name: &Name) -> String {
    if name.is_default() { "cdse auth login".to_owned() } else { format!("cdse auth login --profile {name}") }
}
