//! How a command fails: one sentence, what to do about it, and the exit code.

use cdse_auth::{Error, ErrorKind};
use cdse_http::{TokenFileError, TokenFileErrorKind};
use serde::Serialize;

use crate::report::exit_code;

pub(crate) type Result<T, E = Fail> = std::result::Result<T, E>;

/// A failure as it is reported; its JSON shape is part of the interface. It holds no secret.
#[must_use]
#[derive(Clone, Serialize, Debug)]
pub(crate) struct Fail {
    pub(crate) code: &'static str,
    pub(crate) exit: u8,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Fail {
    /// A bad argument or environment value.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { code: "usage", exit: 2, message: message.into(), hint: None }
    }

    /// Something that no other code tells apart.
    pub(crate) fn other(message: impl Into<String>) -> Self {
        Self { code: "other", exit: 1, message: message.into(), hint: None }
    }

    /// A file that is not touched, for it may be somebody's.
    pub(crate) fn unsafe_file(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::StoreUnsafe, message).into()
    }

    /// What to do about it, in place of what was said before.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// What to do about it before what was said of it.
    pub(crate) fn hint_first(self, hint: &str) -> Self {
        let hint = self.hint.as_ref().map_or_else(|| hint.to_owned(), |rest| format!("{hint}; {rest}"));
        self.hint(hint)
    }

    pub(crate) fn message(self, message: impl Into<String>) -> Self {
        Self { message: message.into(), ..self }
    }

    /// With another exit code, as `env` has for a command that cannot be started.
    pub(crate) fn exit_with(self, exit: u8) -> Self {
        Self { exit, ..self }
    }

    pub(crate) fn is(&self, kind: ErrorKind) -> bool {
        self.code == kind.code()
    }
}

impl From<Error> for Fail {
    fn from(error: Error) -> Self {
        let kind = error.kind();
        let hint = match (error.hint(), advice(kind)) {
            (Some(hint), _) if cdse_keyring::is_about_keyring(&error) => Some(format!("{hint} ({KEYRING})")),
            (Some(hint), Some(advice)) => Some(format!("{hint}, or {advice}")),
            (hint, advice) => hint.or(advice).map(str::to_owned),
        };
        Self { code: kind.code(), exit: exit_code::of(kind), message: error.message().to_owned(), hint }
    }
}

impl From<cdse_credentials::Error> for Fail {
    fn from(error: cdse_credentials::Error) -> Self {
        use cdse_credentials::Error as Chain;
        let (message, hint) = (error.message(), error.hint());
        match error {
            Chain::Auth(error) => error.into(),
            Chain::NotLoggedIn(_) | Chain::OtherService(_) => {
                Self { hint, ..Error::new(ErrorKind::ReauthRequired, message).into() }
            }
            // What is set wrong, and what a newer chain may find.
            _ => Self { hint, ..Self::usage(message) },
        }
    }
}

impl From<cdse_files::Error> for Fail {
    fn from(error: cdse_files::Error) -> Self {
        Error::from(error).into()
    }
}

impl From<TokenFileError> for Fail {
    fn from(error: TokenFileError) -> Self {
        let fail = match error.kind() {
            TokenFileErrorKind::Unsafe => Self::unsafe_file(error.message()),
            _ => Self::other(error.message()),
        };
        match error.hint() {
            Some(hint) => fail.hint(hint),
            None => fail,
        }
    }
}

const KEYRING: &str =
    "`cdse auth login` at a terminal asks to unlock it, `cdse auth login --store file` keeps the session in a file";

/// What to do about a kind of error on the command line.
fn advice(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::StoreUnwritable | ErrorKind::StoreUnsafe | ErrorKind::StoreNewer | ErrorKind::StoreUnusable => {
            Some("set CDSE_STATE_DIR to a folder of your own on a local disk")
        }
        ErrorKind::SessionLimit => {
            Some("end a session with `cdse auth sessions` on a machine that is logged in, or on your account page")
        }
        ErrorKind::UnknownAuthority => Some("pass --ca-bundle FILE to trust the authorities in a file as well"),
        _ => None,
    }
}
