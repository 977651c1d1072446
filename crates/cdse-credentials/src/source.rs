//! Which credential wins.

use std::fmt;
use std::path::PathBuf;

use crate::active::Active;
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::name::Name;
use crate::state::StateFolder;

/// What a caller asks for, before the environment is looked at.
#[derive(Clone, Default, Debug)]
pub struct Selection {
    /// This profile, whatever the environment holds.
    pub profile: Option<Name>,
    /// Where the profile in use has no session, the netrc file's user and password: `NETRC`, else `~/.netrc`.
    pub netrc: bool,
}

/// Where the credential in use comes from. `Display` names it: "environment CDSE_USERNAME", "profile work".
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Source {
    /// `CDSE_ACCESS_TOKEN`.
    AccessToken,
    /// `CDSE_REFRESH_TOKEN`.
    RefreshToken,
    /// `CDSE_CLIENT_ID` and its secret.
    Client,
    /// `CDSE_USERNAME` and its password.
    User,
    /// A profile.
    Profile(Name),
    /// The netrc file at this path, where the profile has no session.
    Netrc(PathBuf),
    /// A session file that no profile points to.
    SessionFile(PathBuf),
    /// A session in the keyring that no profile points to, by the id of its slot.
    KeyringSecret(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AccessToken => f.write_str("environment CDSE_ACCESS_TOKEN"),
            Self::RefreshToken => f.write_str("environment CDSE_REFRESH_TOKEN"),
            Self::Client => f.write_str("environment CDSE_CLIENT_ID"),
            Self::User => f.write_str("environment CDSE_USERNAME"),
            Self::Profile(name) => write!(f, "profile {name}"),
            Self::Netrc(path) => write!(f, "netrc {}", path.display()),
            Self::SessionFile(path) => write!(f, "session file {}", path.display()),
            Self::KeyringSecret(id) => write!(f, "keyring secret {id}"),
        }
    }
}

impl Source {
    /// Whether it can open a session by itself.
    #[must_use]
    pub fn can_log_in(&self) -> bool {
        matches!(self, Self::Client | Self::User | Self::Netrc(_))
    }

    /// The profile, if it is one.
    #[must_use]
    pub fn profile(&self) -> Option<&Name> {
        match self {
            Self::Profile(name) => Some(name),
            _ => None,
        }
    }
}

/// The winner, to be used: as [`winner`], and told to the log.
///
/// # Errors
///
/// As [`winner`].
pub fn choose(selection: &Selection, environment: &Environment) -> Result<Source> {
    let source = winner(selection, environment)?;
    log::info!("the credential is that of the {source}");
    Ok(source)
}

/// The winner of the chain, [`Source::Netrc`] aside: that one is used only where the profile has no session.
///
/// # Errors
///
/// [`Error::InvalidConfig`] for half of a pair of variables, unless something above it wins, and where there is no state
/// folder; [`Error::Auth`] if the choice of `cdse auth switch` cannot be read.
pub fn winner(selection: &Selection, environment: &Environment) -> Result<Source> {
    if let Some(name) = &selection.profile {
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
    profile_in_use(selection, environment).map(Source::Profile)
}

/// The profile of a call: the one that is selected, else that of `CDSE_PROFILE`, else what `cdse auth switch` chose, else
/// `default`.
///
/// # Errors
///
/// [`Error::InvalidConfig`] where there is no state folder; [`Error::Auth`] if the choice cannot be read.
pub fn profile_in_use(selection: &Selection, environment: &Environment) -> Result<Name> {
    if let Some(name) = selection.profile.as_ref().or(environment.profile.as_ref()) {
        return Ok(name.clone());
    }
    Ok(Active::of(&StateFolder::of(environment)?).load()?.unwrap_or_default())
}

fn half(given: &str, missing: &str) -> Error {
    Error::invalid(missing, format!("{given} is set and {missing} is not: set both or neither"))
}
