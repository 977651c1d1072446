//! Valid access tokens for the Copernicus Data Space Ecosystem (CDSE).
//!
//! This crate answers one question: *what is a valid `Authorization` header right now?*
//!
//! | part | what it does |
//! |---|---|
//! | [`AuthProvider`] | says how the first token is obtained; makes no request |
//! | [`TokenManager`] | owns the exchange, every renewal, and the logout; [`blocking`] has it for plain threads |
//! | [`TokenStore`] | keeps the session: in memory (the default), or in a file for all processes of a user |
//!
//! Any number of tasks, threads and processes that share a session cause one request per renewal. A renewal runs on a
//! thread of the library's own and is saved even if every caller is gone; a one-time refresh token is recorded before
//! it is sent, and never sent again once its successor was saved.
//!
//! ```no_run
//! use cdse_auth::{FileTokenStore, PasswordAuth, TokenManager, TotpSecret};
//!
//! # async fn example() -> cdse_auth::Result<()> {
//! let provider = PasswordAuth::new("user@example.com", "not-a-real-password")
//!     .with_totp_secret(TotpSecret::new("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")?);
//! let manager = TokenManager::builder(provider)
//!     .store(FileTokenStore::new("/home/me/.local/state/my-tool/session.json"))
//!     .build()?;
//! let header = manager.authorization_header().await?;
//! # let _ = header;
//! # Ok(())
//! # }
//! ```
//!
//! # TLS
//!
//! The library brings no cryptography of its own. It uses what the program has: the
//! [`CryptoProvider`](https://docs.rs/rustls/0.23/rustls/crypto/struct.CryptoProvider.html) that is installed as the
//! process's default, else the one that the features of `rustls` 0.23 name (its own default is `aws_lc_rs`), and installs
//! none itself. A program that has neither enables the feature `ring` here; without it the first request fails with
//! [`ErrorKind::Transport`], even one without TLS.
//!
//! The feature also enables that of `rustls`. A program that has `aws_lc_rs` as well has two then, and `rustls` asks it to
//! install one of them before it makes connections of its own; for those of the library the feature decides.
//! `TransportConfig::with_ring` takes ring whatever else there is: a command that runs for a moment wants that, for
//! `aws-lc-rs` takes some 30 ms for the first random byte of a process.

pub mod blocking;
mod clock;
mod endpoint;
mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzz;
#[cfg(feature = "fuzzing")]
mod fuzz_support;
mod manager;
mod plan;
mod problem;
mod provider;
mod random;
mod reach;
mod record;
mod secret;
pub mod store;
mod sync;
pub mod text;
mod token;

pub use clock::{Clock, ManualClock};
#[cfg(cdse_model)]
pub use endpoint::modelled;
pub use endpoint::{AccountSession, DEFAULT_REALM_URL, HttpSend, Probe, Proxy, SendError, TransportConfig};
pub use error::{Error, ErrorKind, Result};
pub use http::HeaderValue;
pub use manager::{Login, SessionState, Status, TokenManager, TokenManagerBuilder, Verdict, WaitCause, Waiting};
pub use problem::{Problem, ProblemKind};
pub use provider::{
    Ability, AccessTokenAuth, AuthProvider, ClientCredentialsAuth, CodeSource, DEFAULT_CLIENT_ID, GrantData,
    OneTimeCode, PasswordAuth, RefreshTokenAuth, StoredSession, TotpSecret,
};
pub use random::Random;
pub use reach::DataService;
pub use record::{Grant, Record, Slot, Version};
pub use secret::Secret;
pub use store::{FileTokenStore, MemoryTokenStore, TokenStore};
#[cfg(cdse_model)]
pub use sync::is_releasing;
pub use token::TokenSet;
