//! How the chain fails.

use std::fmt;
use std::path::PathBuf;

use crate::name::Name;
use crate::source::Source;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why there is no session to work with. It holds no secret.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// A variable, an argument or a file that the user has set cannot be used.
    InvalidConfig(InvalidConfig),
    /// The chain ends without a session.
    NotLoggedIn(NotLoggedIn),
    /// The profile is logged in at another service than the one that is asked for.
    OtherService(OtherService),
    /// The library's error: what is stored cannot be read, or a setting of its own is wrong.
    Auth(cdse_auth::Error),
}

/// What is wrong with which setting.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InvalidConfig {
    /// The variable or argument that has to be changed, such as `CDSE_PASSWORD_FILE`.
    pub name: String,
    /// The sentence: what is wrong. It names the setting, and repeats no value that could be a secret.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Where a session was looked for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NotLoggedIn {
    /// The credential that wins.
    pub source: Source,
    /// The state folder in which it has no session.
    pub looked_in: Option<PathBuf>,
}

/// Two services, where one was meant.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OtherService {
    /// The profile.
    pub profile: Name,
    /// The realm at which it is logged in. `CDSE_IDENTITY_URL` names another one.
    pub logged_in_at: String,
}

impl Error {
    pub(crate) fn invalid(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self::InvalidConfig(InvalidConfig { name: name.into(), message: message.into(), hint: None })
    }

    /// With what to do about a setting.
    pub(crate) fn with_hint<'a>(mut self, hint: impl Into<Option<&'a str>>) -> Self {
        if let Self::InvalidConfig(invalid) = &mut self {
            invalid.hint = hint.into().map(str::to_owned);
        }
        self
    }

    /// The sentence: what happened, to what.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::InvalidConfig(invalid) => invalid.message.clone(),
            Self::NotLoggedIn(NotLoggedIn { source, .. }) => match source {
                Source::Profile(name) if name.is_default() => "you are not logged in".to_owned(),
                Source::Profile(name) => format!("the profile {name} is not logged in"),
                other => format!("{other}: no session is open"),
            },
            Self::OtherService(OtherService { profile, logged_in_at: realm }) => {
                format!("the profile {profile} is logged in at {realm}, and CDSE_IDENTITY_URL names another service")
            }
            Self::Auth(error) => error.message().to_owned(),
        }
    }

    /// What to do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::InvalidConfig(invalid) => invalid.hint.clone(),
            Self::NotLoggedIn(NotLoggedIn { source, .. }) => {
                Some(source.profile().map_or_else(|| Name::default().login_command(), Name::login_command))
            }
            Self::OtherService(OtherService { profile, .. }) => {
                Some(format!("unset CDSE_IDENTITY_URL, or `{}`", profile.login_command()))
            }
            Self::Auth(error) => error.hint().map(str::to_owned),
        }
    }
}

/// The sentence and what to do about it.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())?;
        match self.hint() {
            Some(hint) if matches!(self, Self::NotLoggedIn(_)) => write!(f, "; run `{hint}`"),
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Auth(error) => std::error::Error::source(error),
            _ => None,
        }
    }
}

impl From<cdse_auth::Error> for Error {
    fn from(error: cdse_auth::Error) -> Self {
        Self::Auth(error)
    }
}

impl From<cdse_files::Error> for Error {
    fn from(error: cdse_files::Error) -> Self {
        Self::Auth(error.into())
    }
}
