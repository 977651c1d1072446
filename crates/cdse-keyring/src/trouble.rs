//! What is wrong with a keyring, and what to do about it.

use std::fmt;
use std::time::Duration;

use cdse_auth::{Error, ErrorKind};
use zbus::fdo;

/// Why a call did not do what it was for.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    /// The D-Bus session bus was not reached.
    NoBus(String),
    /// Nobody on the bus is a keyring.
    NoService,
    /// The keyring has nothing to keep a secret in.
    NoCollection,
    Locked,
    /// Somebody was asked to unlock it and would not.
    Declined,
    Silent(Duration),
    /// There is more than one secret where one should be.
    Several(usize),
    /// The keyring's own words.
    Failed(String),
    /// No thread, no runtime.
    Unstarted(String),
}

/// What all errors about the keyring begin with.
const BEGINNING: &str = "the keyring ";

const INSTEAD: &str = "or keep the session in a file instead";

/// Whether an error of this store is about the keyring. The others are about the lock file and its folder.
#[must_use]
pub fn is_about_keyring(error: &Error) -> bool {
    error.message().starts_with(BEGINNING)
}

impl Trouble {
    /// Where something was to be read or found.
    pub(crate) fn unusable(&self) -> Error {
        Error::new(ErrorKind::StoreUnusable, self.to_string())
    }

    /// Where something was to be written.
    pub(crate) fn unwritable(&self) -> Error {
        let kind = match self {
            // That it did not answer says nothing of whether it takes what is written.
            Self::Silent(_) | Self::Unstarted(_) => ErrorKind::StoreUnusable,
            _ => ErrorKind::StoreUnwritable,
        };
        Error::new(kind, self.to_string())
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(BEGINNING)?;
        match self {
            Self::NoBus(why) => write!(
                f,
                "cannot be reached, for there is no D-Bus session bus ({why}); use it within a desktop session, {INSTEAD}"
            ),
            Self::NoService => write!(
                f,
                "cannot be reached, for nobody on the D-Bus session bus is one; start one (GNOME Keyring, KWallet, \
                 KeePassXC), {INSTEAD}"
            ),
            Self::NoCollection => {
                write!(f, "has no default collection to keep the session in; create one in its manager, {INSTEAD}")
            }
            Self::Locked => write!(f, "is locked; unlock it, {INSTEAD}"),
            Self::Declined => write!(f, "is still locked, for nobody unlocked it when asked to; unlock it, {INSTEAD}"),
            Self::Silent(limit) => {
                write!(f, "did not answer within {} s; unlock it or start it again, {INSTEAD}", limit.as_secs_f32())
            }
            Self::Several(number) => write!(
                f,
                "has {number} secrets where this session should be; remove all but the newest in its manager, {INSTEAD}"
            ),
            Self::Failed(words) => write!(f, "failed ({words}); look at it in its manager, {INSTEAD}"),
            Self::Unstarted(why) => write!(f, "could not be asked: {why}; try again"),
        }
    }
}

impl From<zbus::Error> for Trouble {
    fn from(error: zbus::Error) -> Self {
        let words = cleaned(&error.to_string());
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

/// Words of others, fit to show.
pub(crate) fn cleaned(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}
