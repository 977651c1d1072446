//! What is wrong with a keyring, and what to do about it.

use std::fmt;
use std::time::Duration;

use cdse_auth::text::printable;
use cdse_auth::{Error, ErrorKind};
use zbus::fdo;

/// Why a call did not do what it was for.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    /// The D-Bus session bus was not reached.
    NoBus(String),
    /// No keyring is running on the bus.
    NoService,
    /// The keyring has nothing to keep a secret in.
    NoCollection,
    Locked,
    /// Its user was asked to unlock it and did not.
    Declined,
    Silent(Duration),
    /// There is more than one secret where one should be.
    Several(usize),
    /// The keyring's own words.
    Failed(String),
    /// No thread, no runtime.
    Unstarted(String),
}

/// The longest text of a bus or a keyring that is shown, in characters.
pub(crate) const LONGEST: usize = 200;

/// Whether an error of this store is about the keyring. The others are about the lock file and its folder, or about what the
/// keyring holds.
#[must_use]
pub fn is_about_keyring(error: &Error) -> bool {
    std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<Trouble>)
}

impl Trouble {
    /// Where something was to be read or found.
    pub(crate) fn unusable(self) -> Error {
        self.into_error(ErrorKind::StoreUnusable)
    }

    /// Where something was to be written.
    pub(crate) fn unwritable(self) -> Error {
        let kind = match self {
            // That it did not answer says nothing of whether it takes what is written.
            Self::Silent(_) | Self::Unstarted(_) => ErrorKind::StoreUnusable,
            _ => ErrorKind::StoreUnwritable,
        };
        self.into_error(kind)
    }

    fn into_error(self, kind: ErrorKind) -> Error {
        Error::new(kind, self.to_string()).with_hint(self.hint()).with_source(self)
    }

    fn hint(&self) -> String {
        let first = match self {
            Self::NoBus(_) => "use it within a desktop session",
            Self::NoService => "start one (GNOME Keyring, KWallet, KeePassXC)",
            Self::NoCollection => "create one in its manager",
            Self::Locked | Self::Declined => "unlock it",
            Self::Silent(_) => "unlock or restart it",
            Self::Several(_) => "remove all but the newest in its manager",
            Self::Failed(_) => "look at it in its manager",
            Self::Unstarted(_) => return "try again".to_owned(),
        };
        format!("{first}, or keep the session in a file instead")
    }
}

impl std::error::Error for Trouble {}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the keyring ")?;
        match self {
            Self::NoBus(why) => write!(f, "cannot be reached, because there is no D-Bus session bus ({why})"),
            Self::NoService => f.write_str("cannot be reached, because no keyring is running on the D-Bus session bus"),
            Self::NoCollection => f.write_str("has no default collection to keep the session in"),
            Self::Locked => f.write_str("is locked"),
            Self::Declined => f.write_str("is still locked: it asked to be unlocked, and was not"),
            Self::Silent(limit) => write!(f, "did not answer within {} s", limit.as_secs_f32()),
            Self::Several(number) => write!(f, "has {number} secrets for this session instead of one"),
            Self::Failed(words) => write!(f, "failed ({words})"),
            Self::Unstarted(why) => write!(f, "could not be called: {why}"),
        }
    }
}

impl From<zbus::Error> for Trouble {
    fn from(error: zbus::Error) -> Self {
        let words = printable(&error.to_string(), LONGEST);
        match &error {
            zbus::Error::MethodError(name, ..) if name.as_str() == "org.freedesktop.Secret.Error.IsLocked" => {
                Self::Locked
            }
            zbus::Error::FDO(error) => match **error {
                fdo::Error::ServiceUnknown(_)
                | fdo::Error::NameHasNoOwner(_)
                | fdo::Error::SpawnExecFailed(_)
                | fdo::Error::SpawnChildExited(_)
                | fdo::Error::SpawnChildSignaled(_)
                | fdo::Error::SpawnFailed(_)
                | fdo::Error::SpawnServiceNotFound(_) => Self::NoService,
                _ => Self::Failed(words),
            },
            _ => Self::Failed(words),
        }
    }
}
