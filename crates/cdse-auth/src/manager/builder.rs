//! The settings of a manager, and what is made of them.

use std::time::Duration;

use super::core::{Core, Store};
use super::header::HeaderCell;
use super::shared::Shared;
use super::{Handle, TokenManager, keep_alive};
use crate::clock::{Clock, Millis, Now, span};
use crate::endpoint::{DEFAULT_REALM_URL, Endpoints, HttpSend, Service, TransportConfig, jwt_times};
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;
use crate::plan::PATIENCE;
use crate::provider::{AuthProvider, given_refresh_token};
use crate::random::Random;
use crate::record::{Grant, Record, Slot};
use crate::store::{MemoryTokenStore, TokenStore};
use crate::sync::{Arc, Condvar, Mutex, OnceLock};
use crate::token::TokenSet;

/// Settings of a [`TokenManager`].
#[derive(Debug)]
pub struct TokenManagerBuilder {
    provider: Arc<dyn AuthProvider>,
    endpoints: Result<Endpoints>,
    transport: TransportConfig,
    sender: Option<Arc<dyn HttpSend>>,
    store: Arc<dyn TokenStore>,
    expiry_skew: Duration,
    patience: Duration,
    one_shot: bool,
    keep_alive: bool,
    clock: Clock,
    random: Random,
}

/// Methods that put a value in the place of the default.
macro_rules! settings {
    ($($(#[doc = $doc:literal])* $setting:ident: $type:ty;)*) => {
        $(
            $(#[doc = $doc])*
            #[must_use]
            pub fn $setting(mut self, $setting: $type) -> Self {
                self.$setting = $setting;
                self
            }
        )*
    };
}

impl TokenManagerBuilder {
    settings! {
        /// How the identity service is reached.
        transport: TransportConfig;
        /// How long before its end a token counts as ended where waiting for a new one is possible. Defaults to 30 s, and is
        /// never more than a quarter of the token's life.
        expiry_skew: Duration;
        /// How long a caller waits for a token when it has none. Defaults to 60 s.
        patience: Duration;
        /// For a program that needs one token and ends: nothing is renewed in the background. A token that is due for renewal is
        /// renewed if that needs no login and no other process is renewing it, and served as it is otherwise.
        one_shot: bool;
        /// Renews the session before its refresh token ends, without a call. Defaults to `false`: only calls cause renewals.
        keep_alive: bool;
        /// The source of time.
        clock: Clock;
        /// The source of randomness for jitter.
        random: Random;
    }

    /// The address of the realm. Defaults to `https://identity.dataspace.copernicus.eu/auth/realms/CDSE`. It must be https,
    /// except on this machine itself.
    #[must_use]
    pub fn realm_url(mut self, url: &str) -> Self {
        self.endpoints = Endpoints::of_realm(url);
        self
    }

    /// The token endpoint; the other endpoints are its siblings.
    #[must_use]
    pub fn token_url(mut self, url: &str) -> Self {
        self.endpoints = Endpoints::of_token_endpoint(url);
        self
    }

    /// Who sends requests, in place of the library's own client. Of the [`transport`](Self::transport) only the limit for an
    /// exchange is used then.
    #[must_use]
    pub fn http(mut self, sender: impl HttpSend + 'static) -> Self {
        self.sender = Some(Arc::new(sender));
        self
    }

    /// Where the session is kept. Defaults to memory.
    #[must_use]
    pub fn store(mut self, store: impl TokenStore + 'static) -> Self {
        self.store = Arc::new(store);
        self
    }

    /// Makes the manager. It sends no request, touches no file and starts no thread (except for
    /// [`keep_alive`](Self::keep_alive)).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] for an address that cannot be used; [`ErrorKind::MalformedAnswer`] for a fixed
    /// access token with characters that an HTTP header must not contain; what a provider with a token says of its form.
    pub fn build(self) -> Result<TokenManager> {
        let endpoints = self.endpoints?;
        let slot = Slot {
            token_url: endpoints.token.as_str().to_owned(),
            client_id: self.provider.client_id().to_owned(),
            grant: self.provider.grant(),
            subject: self.provider.subject(),
        };
        let fixed = fixed_token(self.provider.as_ref(), &slot, &self.clock, &self.random)?;
        let store = if fixed.is_some() { Arc::new(MemoryTokenStore::new()) } else { self.store };
        let process = std::process::id();
        let core = Arc::new(Core {
            process,
            child: OnceLock::new(),
            store: Store::new(store, &self.random),
            service: Service::new(endpoints, self.transport, self.sender, self.clock.clone()),
            given: given_refresh_token(self.provider.as_ref())?,
            provider: self.provider,
            slot,
            skew: span(self.expiry_skew),
            patience: span(self.patience),
            one_shot: self.one_shot,
            ahead: ahead(&self.clock),
            timer: Arc::default(),
            clock: self.clock,
            random: self.random,
            header: HeaderCell::default(),
            shared: Mutex::new(Shared::default()),
            changed: Arc::new(Condvar::new()),
            section: Mutex::new(()),
            me: Core::name(process),
        });
        if let Some(record) = fixed {
            let _ = core.store.records().commit(&core.slot, None, &record)?;
        }
        if self.keep_alive {
            keep_alive::start(&core)?;
        }
        Ok(TokenManager { _handle: Arc::new(Handle(Arc::clone(&core))), core })
    }
}

/// How far a clock is ahead of the system's.
fn ahead(clock: &Clock) -> Now {
    let (here, there) = (Clock::default().now(), clock.now());
    Now { wall: there.wall.saturating_sub(here.wall), mono: there.mono.saturating_sub(here.mono) }
}

/// The life of a fixed token that does not say when it ends: a century.
const ENDLESS: Millis = 100 * 365 * 24 * 3600 * 1000;

/// The record of a fixed access token.
pub(super) fn fixed_token(
    provider: &dyn AuthProvider,
    slot: &Slot,
    clock: &Clock,
    random: &Random,
) -> Result<Option<Record>> {
    if provider.grant() != Grant::AccessToken {
        return Ok(None);
    }
    let Some((_, access)) = provider.grant_data()?.into_iter().next() else { return Ok(None) };
    let now = clock.now().wall;
    let left = jwt_times(access.expose()).expires_at.map_or(ENDLESS, |end| end.saturating_sub(now));
    let tokens = TokenSet::of(access, now, left.clamp(0, ENDLESS))?;
    Ok(Some(Record { generation: 1, ..Record::of_tokens(Some(slot.clone()), tokens, random) }))
}

impl TokenManager {
    /// A manager for the Copernicus Data Space Ecosystem that keeps its session in memory.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::MalformedAnswer`] for a fixed access token with characters that an HTTP header must not contain.
    pub fn new(provider: impl AuthProvider + 'static) -> Result<Self> {
        Self::builder(provider).build()
    }

    /// A manager with other settings.
    pub fn builder(provider: impl AuthProvider + 'static) -> TokenManagerBuilder {
        TokenManagerBuilder {
            provider: Arc::new(provider),
            endpoints: Endpoints::of_realm(DEFAULT_REALM_URL),
            transport: TransportConfig::default(),
            sender: None,
            store: Arc::new(MemoryTokenStore::new()),
            expiry_skew: Duration::from_secs(30),
            patience: Duration::from_millis(PATIENCE.unsigned_abs()),
            one_shot: false,
            keep_alive: false,
            clock: Clock::default(),
            random: Random::default(),
        }
    }
}
