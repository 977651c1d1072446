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

/// The methods that wait in an async program block here, and differ in nothing else.
macro_rules! blocking {
    ($($method:ident($($argument:ident: $type:ty)?) -> $result:ty;)*) => {
        $(
            #[doc = concat!("See [`crate::TokenManager::", stringify!($method), "`].")]
            ///
            /// # Errors
            ///
            #[doc = concat!("As [`TokenManager::", stringify!($method), "`](crate::TokenManager::", stringify!($method), ").")]
            pub fn $method(&self $(, $argument: $type)?) -> Result<$result> {
                block_on(self.0.$method($($argument)?))
            }
        )*
    };
}

impl TokenManager {
    blocking! {
        header_for(min_validity: Duration) -> HeaderValue;
        tokens(min_validity: Duration) -> TokenSet;
        force_refresh() -> HeaderValue;
        force_refresh_after(refused: &HeaderValue) -> HeaderValue;
        login() -> Login;
        force_login() -> ();
        logout() -> ();
        sessions() -> Vec<AccountSession>;
        end_session(id: &str) -> ();
        verify() -> Verdict;
        probe() -> Probe;
        clear() -> ();
        shutdown() -> ();
        settle() -> ();
    }

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
