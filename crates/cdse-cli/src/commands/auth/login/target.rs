//! Where a login goes.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use cdse_auth::blocking::TokenManager;
use cdse_auth::{AuthProvider, Grant, TokenStore};
use cdse_credentials::{Name, Profile, StateFolder, StoreKind, for_login};

use crate::args::call::Call;
use crate::report::fail::Result;
use crate::report::output;

/// Where a login goes: the profile that will point to it, and what it points to now.
pub(super) struct Target<'a> {
    pub(super) state: StateFolder,
    pub(super) name: Name,
    pub(super) before: Option<Profile>,
    pub(super) kind: StoreKind,
    /// Somebody is at the terminal, and can unlock a keyring.
    pub(super) somebody: bool,
    pub(super) call: &'a Call,
    /// What `--timeout` says.
    pub(super) timeout: Option<Duration>,
    pub(super) warned: Cell<bool>,
}

impl Target<'_> {
    /// A profile of a session here.
    pub(super) fn profile(
        &self,
        client: &str,
        grant: Grant,
        username: Option<String>,
        subject: Option<String>,
    ) -> Profile {
        Profile::new(self.call.environment.realm(), client, grant, username, subject, self.kind)
    }

    pub(super) fn manager(
        &self,
        provider: impl AuthProvider + 'static,
        kind: StoreKind,
    ) -> Result<(TokenManager, Arc<dyn TokenStore>)> {
        Ok(for_login(provider, &self.call.environment, &self.state, kind, self.somebody)?)
    }

    pub(super) fn warn_once(&self, text: &str) {
        if !self.warned.replace(true) {
            output::warn(text);
        }
    }
}
