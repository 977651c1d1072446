//! The session of the credential that wins: its slot, its store, its manager.

use std::sync::Arc;

use cdse_auth::blocking::TokenManager;
use cdse_auth::{
    AccessTokenAuth, AuthProvider, ClientCredentialsAuth, DEFAULT_REALM_URL, ErrorKind, FileTokenStore, Grant,
    MemoryTokenStore, PasswordAuth, RefreshTokenAuth, Secret, SessionState, Slot, StoredSession,
    TokenManager as Manager, TokenStore,
};
use cdse_files::PrivateFile;

use crate::chain;
use crate::clock;
use crate::environment::Environment;
use crate::error::{Error, NotLoggedIn, OtherService, Result};
use crate::input;
use crate::listing;
use crate::manager::{build, is_same_realm, slot as slot_of};
use crate::mode::Mode;
use crate::name::Name;
use crate::netrc;
use crate::profile::Profile;
use crate::source::{Selection, Source};
use crate::state::{StateFolder, StoreKind};
use crate::token::{check_access_token, session_id};

/// A session to work with: its manager, its store, and where it comes from.
#[derive(Debug)]
pub struct Session {
    source: Source,
    manager: TokenManager,
    store: Option<Arc<dyn TokenStore>>,
    username: Option<String>,
    beside: Option<Name>,
    second_factor: Option<&'static str>,
    suspicion: Option<(&'static str, &'static str)>,
    warnings: Vec<String>,
}

impl Session {
    /// The session of the credential that wins. Makes no request.
    ///
    /// # Errors
    ///
    /// [`Error::NotLoggedIn`] where the winner has no session, and else as [`find`](Self::find).
    pub fn open(selection: &Selection, environment: &Environment, mode: Mode) -> Result<Self> {
        let (source, session) = Self::find(selection, environment, mode)?;
        session.ok_or_else(|| {
            let looked_in = StateFolder::of(environment).ok().map(|state| state.path().to_owned());
            Error::NotLoggedIn(NotLoggedIn { source, looked_in })
        })
    }

    /// The winner, and its session if there is one.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidConfig`] for a variable or file that cannot be used, [`Error::OtherService`] for a profile of another
    /// service, [`Error::Auth`] where what is stored cannot be read, or the store or the address cannot be used.
    pub fn find(selection: &Selection, environment: &Environment, mode: Mode) -> Result<(Source, Option<Self>)> {
        let source = chain::winner(selection, environment)?;
        log::info!("the credential is that of the {source}");
        if mode == Mode::InMemory && !source.can_log_in() && !(selection.netrc && source.profile().is_some()) {
            let message = format!("a session in memory needs credentials that log in, and the {source} has none");
            let hint = "set CDSE_USERNAME and CDSE_PASSWORD, or CDSE_CLIENT_ID and CDSE_CLIENT_SECRET";
            return Err(Error::invalid("CDSE_USERNAME", message).with_hint(hint));
        }
        if source == Source::AccessToken {
            environment.access_token.as_ref().map_or(Ok(()), check_access_token)?;
            if let Some(own) = Self::own(environment, mode) {
                return Ok((own.source.clone(), Some(own)));
            }
        }
        let session = Self::of(&source, environment, mode)?;
        let stored = |session: &Self| session.source.profile().is_none() || session.manager.status().logged_in;
        if !selection.netrc || source.profile().is_none() || session.as_ref().is_some_and(stored) {
            return Ok((source, session));
        }
        let source = Source::Netrc(netrc::path(environment)?);
        let session = Self::of(&source, environment, mode)?;
        Ok((source, session))
    }

    /// The stored session that the token in `CDSE_ACCESS_TOKEN` is of, while it can be used: the token was printed here, and
    /// what is stored renews it.
    fn own(environment: &Environment, mode: Mode) -> Option<Self> {
        let id = session_id(environment.access_token.as_ref()?.expose())?;
        let state = StateFolder::of(environment).ok()?;
        let plain = Environment { identity_url: None, ..environment.without_credentials() };
        let is_own = |session: &Self| {
            let stored = session.store.as_ref().and_then(|store| store.load().ok().flatten());
            stored.is_some_and(|tokens| tokens.session_id() == Some(id.as_str())) && session.manager.status().logged_in
        };
        let mut sources: Vec<Source> = listing::profiles(&state).ok()?.into_iter().map(Source::Profile).collect();
        sources.extend(listing::files(&state.sessions()).unwrap_or_default().into_iter().map(Source::SessionFile));
        // To look at a session must renew none.
        let own = sources
            .iter()
            .find(|source| Self::of(source, &plain, Mode::Inspect).ok().flatten().as_ref().is_some_and(is_own))?;
        log::info!("the token in CDSE_ACCESS_TOKEN is of the session of the {own}, which is used in its place");
        Self::of(own, environment, mode).ok().flatten()
    }

    /// The session of a source, `None` where its profile points to nothing.
    ///
    /// # Errors
    ///
    /// As [`find`](Self::find).
    pub fn of(source: &Source, environment: &Environment, mode: Mode) -> Result<Option<Self>> {
        let realm = environment.realm();
        let variable = |variable: &Option<Secret>| variable.clone().unwrap_or_else(|| Secret::new(""));
        let name = |variable: &Option<String>| variable.clone().unwrap_or_default();
        let second_factor = environment.second_factors().next();
        let session = match source {
            Source::AccessToken => {
                environment.check_realm()?;
                let token = variable(&environment.access_token);
                check_access_token(&token)?;
                let builder = Manager::builder(AccessTokenAuth::new(token)).realm_url(realm);
                let manager = build(builder, environment, None, mode)?;
                Self { beside: profile_that_is_logged_in(environment), ..Self::new(source, manager, None, None) }
            }
            Source::RefreshToken => {
                let token = variable(&environment.refresh_token);
                let invalid = |why| Error::invalid("CDSE_REFRESH_TOKEN", format!("CDSE_REFRESH_TOKEN {why}"));
                input::check_token(&token).map_err(invalid)?;
                Self::stored(source, RefreshTokenAuth::new(token), environment, mode)?
            }
            Source::Client => {
                let secret = variable(&environment.client_secret);
                let suspicion = input::suspicion(&secret).map(|what| ("the client secret", what));
                let provider = ClientCredentialsAuth::new(name(&environment.client_id), secret);
                Self { suspicion, ..Self::stored(source, provider, environment, mode)? }
            }
            Source::User => {
                let username = name(&environment.username);
                let password = match &environment.password_command {
                    Some(_) if mode == Mode::Inspect => Secret::new(""),
                    Some(command) => {
                        if let Some(session) = Self::of_fresh(source, &username, environment, mode)? {
                            return Ok(Some(session));
                        }
                        command.secret()?
                    }
                    None => variable(&environment.password),
                };
                let suspicion = input::suspicion(&password).map(|what| ("the password", what));
                let user = environment.with_one_time_code(PasswordAuth::new(username, password))?;
                Self { second_factor, suspicion, ..Self::stored(source, user, environment, mode)? }
            }
            Source::Netrc(_) => {
                let (user, warnings) = netrc::user(environment, realm, is_same_realm(realm, DEFAULT_REALM_URL))?;
                let user = environment.with_one_time_code(user)?;
                Self { second_factor, warnings, ..Self::stored(source, user, environment, mode)? }
            }
            Source::Profile(name) => return Self::of_profile(name, environment, mode),
            Source::SessionFile(path) => {
                let store = FileTokenStore::new(path);
                return Self::unpointed(source, environment, store.slot()?, Arc::new(store), mode);
            }
            #[cfg(feature = "keyring")]
            Source::KeyringSecret(id) => {
                let store = StateFolder::of(environment)?.in_keyring(id);
                return Self::unpointed(source, environment, store.slot()?, Arc::new(store), mode);
            }
            #[cfg(not(feature = "keyring"))]
            Source::KeyringSecret(_) => return Ok(None),
        };
        Ok(Some(session))
    }

    fn of_profile(name: &Name, environment: &Environment, mode: Mode) -> Result<Option<Self>> {
        let state = StateFolder::of(environment)?;
        let Some(profile) = Profile::load(&state, name)? else {
            log::info!("there is no session of the profile {name} in {}", state.path().display());
            environment.check_realm()?;
            return Ok(None);
        };
        let slot = slot_of(&profile.pointer(), &profile.identity_url).map_err(|error| {
            let file = Profile::file(&state, name);
            let path = file.path().display();
            let message = format!("the profile {name} ({path}) points to an unusable address: {error}");
            let hint = format!("remove it and `{}`", name.login_command());
            cdse_auth::Error::new(ErrorKind::StoreDamaged, message).with_hint(hint)
        })?;
        if environment.realm() != profile.identity_url && environment.identity_url.is_some() {
            environment.check_realm()?;
            let asked = slot_of(&profile.pointer(), environment.realm())?;
            if asked != slot {
                let logged_in_at = profile.identity_url.clone();
                return Err(Error::OtherService(OtherService { profile: name.clone(), logged_in_at }));
            }
        }
        let store = state.session(&slot, profile.store, false)?;
        let builder = Manager::builder(profile.pointer()).realm_url(&profile.identity_url);
        let manager = build(builder, environment, Some(Arc::clone(&store)), mode)?;
        let username = profile.username.clone();
        Ok(Some(Self::new(&Source::Profile(name.clone()), manager, Some(store), username)))
    }

    /// What a store holds, though no profile points to it.
    fn unpointed(
        source: &Source,
        environment: &Environment,
        slot: Option<Slot>,
        store: Arc<dyn TokenStore>,
        mode: Mode,
    ) -> Result<Option<Self>> {
        let Some(slot) = slot else { return Ok(None) };
        let username = slot.subject.clone().filter(|_| slot.grant == Grant::Password);
        let token_url = slot.token_url.clone();
        let builder = Manager::builder(StoredSession::new(slot, username.clone())).token_url(&token_url);
        let manager = build(builder, environment, Some(Arc::clone(&store)), mode)?;
        Ok(Some(Self::new(source, manager, Some(store), username)))
    }

    /// The session of a user whose password a program prints, if it has a fresh token: nobody is disturbed for a password
    /// that is not sent.
    fn of_fresh(source: &Source, username: &str, environment: &Environment, mode: Mode) -> Result<Option<Self>> {
        if mode == Mode::KeepAlive {
            return Ok(None);
        }
        let user = PasswordAuth::new(username, "");
        let pointer = StoredSession::new(slot_of(&user, environment.realm())?, Some(username.to_owned()));
        let session = Self::stored(source, pointer, environment, mode)?;
        Ok((session.manager.status().state == SessionState::Fresh).then_some(session))
    }

    fn stored(
        source: &Source,
        provider: impl AuthProvider + 'static,
        environment: &Environment,
        mode: Mode,
    ) -> Result<Self> {
        environment.check_realm()?;
        let username = provider.username().map(str::to_owned);
        let slot = slot_of(&provider, environment.realm())?;
        let store = match mode {
            Mode::InMemory => Arc::new(MemoryTokenStore::new()),
            _ if slot.grant == Grant::ClientCredentials => client_store(environment, &slot),
            _ => StateFolder::of(environment)?.session(&slot, StoreKind::File, false)?,
        };
        let builder = Manager::builder(provider).realm_url(environment.realm());
        let manager = build(builder, environment, Some(Arc::clone(&store)), mode)?;
        Ok(Self::new(source, manager, Some(store), username))
    }

    fn new(
        source: &Source,
        manager: TokenManager,
        store: Option<Arc<dyn TokenStore>>,
        username: Option<String>,
    ) -> Self {
        let (source, warnings) = (source.clone(), Vec::new());
        Self { source, manager, store, username, beside: None, second_factor: None, suspicion: None, warnings }
    }

    /// Where the credential comes from.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// What keeps its token valid; [`as_async`](TokenManager::as_async) is its other face.
    #[must_use]
    pub fn manager(&self) -> &TokenManager {
        &self.manager
    }

    /// Where it is stored; `None` for a fixed access token.
    #[must_use]
    pub fn store(&self) -> Option<&Arc<dyn TokenStore>> {
        self.store.as_ref()
    }

    /// The user's name, where it is known.
    #[must_use]
    pub fn username(&self) -> Option<&str> {
        self.username.as_deref()
    }

    /// What is worth a warning: other users can read the netrc file, or it has several entries.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The profile that would be used without the token in `CDSE_ACCESS_TOKEN`, if it is logged in.
    #[must_use]
    pub fn beside(&self) -> Option<&Name> {
        self.beside.as_ref()
    }

    /// The variable that the second factor of the user comes from.
    #[must_use]
    pub fn second_factor(&self) -> Option<&'static str> {
        self.second_factor
    }

    /// What is odd about the secret, if anything is: which one ("the password"), and what, as the end of a sentence.
    #[must_use]
    pub fn suspicion(&self) -> Option<(&'static str, &'static str)> {
        self.suspicion
    }

    /// Whether tokens are stored: something to use, renew or end.
    #[must_use]
    pub fn holds_tokens(&self) -> bool {
        self.store.as_ref().is_some_and(|store| store.load().is_ok_and(|tokens| tokens.is_some()))
    }

    /// What [`StoredSessions`](crate::StoredSessions) would find it as, were there no profile.
    #[must_use]
    pub fn unpointed_source(&self) -> Option<Source> {
        let id = || self.manager.as_async().slot().id();
        let path = self.store.as_ref()?.records()?.description().path;
        Some(path.map_or_else(|| Source::KeyringSecret(id()), Source::SessionFile))
    }

    /// Why what is stored cannot be read.
    #[must_use]
    pub fn trouble(&self) -> Option<cdse_auth::Error> {
        let slot = self.manager.as_async().slot();
        self.store.as_ref().and_then(|store| store.records()?.read(slot).err())
    }
}

/// A client has no session to share or to lose: where its token cannot be kept, each process asks for one of its own.
fn client_store(environment: &Environment, slot: &Slot) -> Arc<dyn TokenStore> {
    let in_file = || -> Result<_> {
        let state = StateFolder::of(environment)?;
        let store = state.session(slot, StoreKind::File, false)?;
        match store.load() {
            // A token that is valid can be used, whether another one could be written or not.
            Ok(Some(tokens)) if !clock::is_over(tokens.access_expires_at()) => {}
            // It is set aside.
            Err(error) if error.kind() == ErrorKind::StoreDamaged => {}
            Ok(_) => PrivateFile::new(state.sessions().join(slot.id())).check_replaceable()?,
            Err(error) => return Err(error.into()),
        }
        Ok(store)
    };
    in_file().unwrap_or_else(|error| {
        log::info!("the client's token is kept in memory alone: {}", error.message());
        Arc::new(MemoryTokenStore::new())
    })
}

fn profile_that_is_logged_in(environment: &Environment) -> Option<Name> {
    let plain = environment.without_credentials();
    let name = chain::profile_in_use(&Selection::default(), &plain).ok()?;
    let session = Session::of_profile(&name, &plain, Mode::OneShot).ok()??;
    session.manager.status().logged_in.then_some(name)
}
