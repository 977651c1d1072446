//! The manager for plain threads: the methods have the same names, and each call blocks until it has its result.
//!
//! It needs no runtime and starts none. Inside an async task use [`crate::TokenManager`] instead: a blocking call there blocks
//! the thread of the task.
//!
//! ```no_run
//! use cdse_auth::{PasswordAuth, blocking::TokenManager};
//!
//! let manager = TokenManager::new(PasswordAuth::new("user@example.com", "not-a-real-password"))?;
//! let header = manager.authorization_header()?;
//! # Ok::<(), cdse_auth::Error>(())
//! ```

use std::time::Duration;

use crate::endpoint::{AccountSession, Probe};
use crate::error::Result;
use crate::manager::{Login, Status, Verdict, Waiting};
use crate::provider::AuthProvider;
use crate::sync::block_on;
use crate::token::TokenSet;
use http::HeaderValue;

/// The blocking face of [`crate::TokenManager`], which documents every method.
#[derive(Clone, Debug)]
pub struct TokenManager(crate::TokenManager);

impl From<crate::TokenManager> for TokenManager {
    fn from(manager: crate::TokenManager) -> Self {
        Self(manager)
    }
}

impl TokenManager {
    /// See [`crate::TokenManager::new`].
    ///
    /// # Errors
    ///
    /// As [`TokenManager::new`](crate::TokenManager::new).
    pub fn new(provider: impl AuthProvider + 'static) -> Result<Self> {
        crate::TokenManager::new(provider).map(Self)
    }

    /// The async face of the same session.
    #[must_use]
    pub fn as_async(&self) -> &crate::TokenManager {
        &self.0
    }

    /// See [`crate::TokenManager::authorization_header`].
    ///
    /// # Errors
    ///
    /// As [`TokenManager::authorization_header`](crate::TokenManager::authorization_header).
    #[inline(always)]
    pub fn authorization_header(&self) -> Result<HeaderValue> {
        self.0.fresh_header_or(|| self.wait_for_header())
    }

    #[cold]
    fn wait_for_header(&self) -> Result<HeaderValue> {
        block_on(self.0.authorization_header())
    }

    /// See [`crate::TokenManager::header_for`].
    ///
    /// # Errors
    ///
    /// As [`TokenManager::header_for`](crate::TokenManager::header_for).
    pub fn header_for(&self, min_validity: Duration) -> Result<HeaderValue> {
        block_on(self.0.header_for(min_validity))
    }

    /// See [`crate::TokenManager::tokens`].
    ///
    /// # Errors
    ///
    /// As [`TokenManager::tokens`](crate::TokenManager::tokens).
    pub fn tokens(&self, min_validity: Duration) -> Result<TokenSet> {
        block_on(self.0.tokens(min_validity))
    }

    /// See [`crate::TokenManager::force_refresh`].
    ///
    /// # Errors
    ///
    /// As [`TokenManager::force_refresh`](crate::TokenManager::force_refresh).
    pub fn force_refresh(&self) -> Result<HeaderValue> {
        block_on(self.0.force_refresh())
    }

    /// See [`crate::TokenManager::force_refresh_after`].
    ///
    /// # Errors
    ///
    /// As [`TokenManager::force_refresh_after`](crate::TokenManager::force_refresh_after).
    pub fn force_refresh_after(&self, refused: &HeaderValue) -> Result<HeaderValue> {
        block_on(self.0.force_refresh_after(refused))
    }

    /// See [`crate::TokenManager::login`].
    ///
    /// # Errors
    ///
    /// As [`TokenManager::login`](crate::TokenManager::login).
    pub fn login(&self) -> Result<Login> {
        block_on(self.0.login())
    }

    /// See [`crate::TokenManager::force_login`].
    ///
    /// # Errors
    ///
    /// As [`TokenManager::force_login`](crate::TokenManager::force_login).
    pub fn force_login(&self) -> Result<()> {
        block_on(self.0.force_login())
    }

    /// See [`crate::TokenManager::logout`].
    ///
    /// # Errors
    ///
    /// As [`TokenManager::logout`](crate::TokenManager::logout).
    pub fn logout(&self) -> Result<()> {
        block_on(self.0.logout())
    }

    /// See [`crate::TokenManager::sessions`].
    ///
    /// # Errors
    ///
    /// As [`TokenManager::sessions`](crate::TokenManager::sessions).
    pub fn sessions(&self) -> Result<Vec<AccountSession>> {
        block_on(self.0.sessions())
    }

    /// See [`crate::TokenManager::end_session`].
    ///
    /// # Errors
    ///
    /// As [`TokenManager::end_session`](crate::TokenManager::end_session).
    pub fn end_session(&self, id: &str) -> Result<()> {
        block_on(self.0.end_session(id))
    }

    /// See [`crate::TokenManager::verify`].
    ///
    /// # Errors
    ///
    /// As [`TokenManager::verify`](crate::TokenManager::verify).
    pub fn verify(&self) -> Result<Verdict> {
        block_on(self.0.verify())
    }

    /// See [`crate::TokenManager::probe`].
    ///
    /// # Errors
    ///
    /// As [`TokenManager::probe`](crate::TokenManager::probe).
    pub fn probe(&self) -> Result<Probe> {
        block_on(self.0.probe())
    }

    /// See [`crate::TokenManager::clear`].
    ///
    /// # Errors
    ///
    /// As [`TokenManager::clear`](crate::TokenManager::clear).
    pub fn clear(&self) -> Result<()> {
        block_on(self.0.clear())
    }

    /// See [`crate::TokenManager::shutdown`].
    ///
    /// # Errors
    ///
    /// As [`TokenManager::shutdown`](crate::TokenManager::shutdown).
    pub fn shutdown(&self) -> Result<()> {
        block_on(self.0.shutdown())
    }

    /// See [`crate::TokenManager::settle`].
    ///
    /// # Errors
    ///
    /// As [`TokenManager::settle`](crate::TokenManager::settle).
    pub fn settle(&self) -> Result<()> {
        block_on(self.0.settle())
    }

    /// See [`crate::TokenManager::prepare`].
    ///
    /// # Errors
    ///
    /// As [`TokenManager::prepare`](crate::TokenManager::prepare).
    pub fn prepare(&self) -> Result<()> {
        self.0.prepare()
    }

    /// See [`crate::TokenManager::changed`].
    #[must_use]
    pub fn changed(&self, generation: u64) -> Status {
        block_on(self.0.changed(generation))
    }

    /// See [`crate::TokenManager::waiting`].
    #[must_use]
    pub fn waiting(&self) -> Option<Waiting> {
        self.0.waiting()
    }

    /// See [`crate::TokenManager::status`].
    #[must_use]
    pub fn status(&self) -> Status {
        self.0.status()
    }
}
