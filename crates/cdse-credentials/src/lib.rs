//! The credential chain of the Copernicus Data Space Ecosystem (CDSE): which credential is used here, where its session is
//! stored, and the manager that keeps its token valid. It is what the command `cdse` uses for everything, so a program that
//! calls it joins the login of the command line.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let manager = cdse_credentials::default_manager()?;
//! let header = manager.authorization_header().await?;
//! # let _ = header;
//! # Ok(())
//! # }
//! ```
//!
//! The chain, first match wins:
//!
//! 1. the profile that the caller names ([`Selection::profile`]);
//! 2. `CDSE_ACCESS_TOKEN`, used as it is;
//! 3. `CDSE_REFRESH_TOKEN`;
//! 4. `CDSE_CLIENT_ID` and `CDSE_CLIENT_SECRET`;
//! 5. `CDSE_USERNAME` and `CDSE_PASSWORD`, with `CDSE_TOTP…` for a second factor;
//! 6. the profile in `CDSE_PROFILE`, else the one that `cdse auth switch` chose, else `default`: the session that
//!    `cdse auth login` has stored;
//! 7. on request ([`Selection::netrc`]), the netrc file, where that profile has no session.
//!
//! Nothing here prints, asks or ends the process. Errors are values ([`Error`]); what is worth a warning is in
//! [`Session::warnings`]; what is decided is told to [`log`]. Opening a session makes no request; it reads the profile and at
//! most the session's file, and runs a program only where `CDSE_PASSWORD_COMMAND` or `CDSE_TOTP_COMMAND` names one.

/// The examples of the README are compiled with the others.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

mod active;
mod chain;
mod clock;
mod environment;
mod error;
pub mod input;
mod listing;
mod manager;
mod mode;
mod name;
mod netrc;
mod profile;
mod secret_command;
mod secret_text;
mod session;
mod source;
mod state;
mod stored;
mod token;

pub use active::Active;
pub use chain::{profile_in_use, winner};
pub use environment::Environment;
pub use error::{Error, InvalidConfig, NotLoggedIn, OtherService, Result};
pub use manager::{anonymous, for_login, is_same_realm, of_access_token, slot};
pub use mode::Mode;
pub use name::Name;
pub use profile::Profile;
pub use secret_command::SecretCommand;
pub use session::Session;
pub use source::{Selection, Source};
pub use state::{StateFolder, StoreKind};
pub use stored::{Stored, StoredSessions};

/// The manager of the credential that the environment, or the login of the command `cdse`, provides.
///
/// It renews the token when it is used, and shares the session with every other process of this user.
///
/// # Errors
///
/// [`Error::NotLoggedIn`] where the chain ends without a session; [`Error::InvalidConfig`] for a variable or file that cannot
/// be used; [`Error::OtherService`] where `CDSE_IDENTITY_URL` names another service than the one of the login;
/// [`Error::Auth`] where what is stored cannot be read.
pub fn default_manager() -> Result<cdse_auth::TokenManager> {
    Session::open(&Selection::default(), &Environment::read()?, Mode::Program)
        .map(|session| session.manager().as_async().clone())
}
