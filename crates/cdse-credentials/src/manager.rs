//! Managers with the settings of the environment.

use std::sync::Arc;

use cdse_auth::blocking::TokenManager;
use cdse_auth::{
    AccessTokenAuth, AuthProvider, Grant, Slot, StoredSession, TokenManager as Manager, TokenManagerBuilder,
    TokenStore, TransportConfig,
};

use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::mode::Mode;
use crate::state::{StateFolder, StoreKind};

impl Environment {
    /// Checks the address in `CDSE_IDENTITY_URL`: one that cannot be used is the variable's fault, not the credential's.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidConfig`] if it cannot be used.
    pub fn check_realm(&self) -> Result<()> {
        if self.identity_url.is_none() {
            return Ok(());
        }
        slot(&AccessTokenAuth::new("x"), self.realm())
            .map(drop)
            .map_err(|error| Error::invalid("CDSE_IDENTITY_URL", format!("CDSE_IDENTITY_URL: {error}")))
    }
}

/// Whether two addresses, however they are written, mean the same realm.
#[must_use]
pub fn is_same_realm(one: &str, other: &str) -> bool {
    let slot_at = |realm| slot(&AccessTokenAuth::new("x"), realm).ok();
    one == other || slot_at(one).is_some_and(|one| slot_at(other).is_some_and(|other| one == other))
}

/// A manager for a login, whose session is kept in its slot's store.
///
/// # Errors
///
/// [`Error::Auth`] for an address or a store that cannot be used.
pub fn for_login(
    provider: impl AuthProvider + 'static,
    environment: &Environment,
    state: &StateFolder,
    kind: StoreKind,
    may_unlock: bool,
) -> Result<(TokenManager, Arc<dyn TokenStore>)> {
    let realm = environment.realm();
    let store = state.session(&slot(&provider, realm)?, kind, may_unlock)?;
    let builder = Manager::builder(provider).realm_url(realm);
    Ok((build(builder, environment, Some(Arc::clone(&store)), Mode::OneShot)?, store))
}

/// A manager without a session, to ask the service what it is.
///
/// # Errors
///
/// [`Error::InvalidConfig`] for an address that cannot be used.
pub fn anonymous(environment: &Environment) -> Result<TokenManager> {
    environment.check_realm()?;
    let builder = Manager::builder(AccessTokenAuth::new("none")).realm_url(environment.realm());
    build(builder, environment, None, Mode::Inspect)
}

/// A manager of an access token alone, which it can neither renew nor store.
///
/// # Errors
///
/// [`Error::Auth`] for an address that cannot be used.
pub fn of_access_token(token: &str, token_url: &str, environment: &Environment) -> Result<TokenManager> {
    let builder = Manager::builder(AccessTokenAuth::new(token)).token_url(token_url);
    build(builder, environment, None, Mode::Inspect)
}

/// The slot that a provider has at a realm: the library knows how an address becomes a token endpoint.
///
/// # Errors
///
/// What is wrong with the address.
pub fn slot(provider: &dyn AuthProvider, realm: &str) -> Result<Slot, cdse_auth::Error> {
    let (client_id, grant, subject) = (provider.client_id().to_owned(), provider.grant(), provider.subject());
    // A fixed access token has no fields here; as a password's its slot can be made all the same.
    let grant = if grant == Grant::AccessToken { Grant::Password } else { grant };
    let pointer = StoredSession::new(Slot { token_url: String::new(), client_id, grant, subject }, None);
    Ok(Manager::builder(pointer).realm_url(realm).build()?.slot().clone())
}

/// A manager with the settings of the environment.
pub(crate) fn build(
    builder: TokenManagerBuilder,
    environment: &Environment,
    store: Option<Arc<dyn TokenStore>>,
    mode: Mode,
) -> Result<TokenManager> {
    let transport = TransportConfig::new().with_user_agent(concat!("cdse/", env!("CARGO_PKG_VERSION")));
    #[cfg(feature = "ring")]
    let transport = transport.with_ring();
    let mut transport = transport;
    let mut builder = builder.one_shot(mode.is_one_shot()).keep_alive(mode.is_kept_alive());
    if let Some(file) = &environment.ca_bundle {
        transport = transport.with_root_certificate_file("--ca-bundle", file);
    }
    if let Some(timeout) = environment.timeout {
        builder = builder.patience(timeout);
        // Such a request may be cut off without loss; an exchange would go on, so that its answer is kept.
        if mode == Mode::Inspect {
            transport = transport.with_timeout(timeout);
        }
    }
    if let Some(store) = store {
        if let Some(path) = store.records().and_then(|records| records.description().path) {
            log::debug!("the session is in {}", path.display());
        }
        builder = builder.store(store);
    }
    Ok(builder.transport(transport).build()?.into())
}
