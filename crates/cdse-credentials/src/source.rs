//! Where a credential can come from.

use std::fmt;
use std::path::PathBuf;

use crate::name::Name;

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
