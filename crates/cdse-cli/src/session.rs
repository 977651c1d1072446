//! The session of the credential that wins: its slot, its store, its manager.

use std::sync::Arc;

use cdse_auth::blocking::TokenManager;
use cdse_auth::{
    AccessTokenAuth, AuthProvider, ClientCredentialsAuth, DEFAULT_REALM_URL, DataService, Error, ErrorKind,
    FileTokenStore, Grant, MemoryTokenStore, PasswordAuth, RefreshTokenAuth, Secret, SessionState, Slot, StoredSession,
    TokenManagerBuilder, TokenStore, TotpSecret, TransportConfig,
};

use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

use crate::cli::Global;
use crate::command::SecretCommand;
use crate::environment::Environment;
use crate::fail::{Fail, Result};
use crate::netrc;
use crate::output;
use crate::outside;
use crate::private_file;
use crate::profile::{Name, Profile};
use crate::signals;
use crate::source::{self, Source, login_command, not_logged_in};
use crate::state::{StateFolder, StoreKind};
use crate::stored;
use crate::time;

/// A clock that is off by more than this makes codes fail (RFC 6238: a step is 30 s).
const A_STEP: i64 = 30;

/// How a session is kept.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) enum Pace {
    /// For a command that uses it once: nothing is renewed behind its back.
    #[default]
    OneShot,
    /// For a command that neither renews nor logs in: no program is run for a password.
    Looking,
    /// Renewed for as long as the command runs.
    KeptAlive,
    /// The same, and the session is this process's alone.
    InMemory,
}

impl Pace {
    fn lasts(self) -> bool {
        matches!(self, Self::KeptAlive | Self::InMemory)
    }
}

/// A session to work with.
pub(crate) struct Session {
    pub(crate) source: Source,
    pub(crate) manager: TokenManager,
    /// Where it is stored; a fixed access token is stored nowhere.
    pub(crate) store: Option<Arc<dyn TokenStore>>,
    pub(crate) username: Option<String>,
    /// The profile that would be used without the token in `CDSE_ACCESS_TOKEN`.
    beside: Option<Name>,
    /// What may be said of the secrets that were sent, if they are refused.
    sent: Sent,
}

#[derive(Clone, Copy, Default, Debug)]
struct Sent {
    /// The variable that the second factor comes from.
    second_factor: Option<&'static str>,
    /// The variable that the secret comes from, and what may have been meant by it.
    suspicion: Option<(&'static str, &'static str)>,
}

impl Sent {
    fn of(environment: &Environment) -> Self {
        let second_factor = [
            ("CDSE_TOTP", environment.totp.is_some()),
            (environment.totp_secret_name, environment.totp_secret.is_some()),
            ("CDSE_TOTP_COMMAND", environment.totp_command.is_some()),
        ];
        Self {
            second_factor: second_factor.into_iter().find_map(|(name, given)| given.then_some(name)),
            suspicion: None,
        }
    }

    fn suspecting(self, name: &'static str, secret: Option<&Secret>) -> Self {
        Self { suspicion: secret.and_then(outside::suspicion).map(|what| (name, what)), ..self }
    }
}

impl Session {
    /// The session of whatever wins. No request, and no file but the profile's is read.
    pub(crate) fn open(global: &Global, environment: &Environment) -> Result<Self> {
        Self::open_at(Pace::OneShot, global, environment)
    }

    pub(crate) fn open_at(pace: Pace, global: &Global, environment: &Environment) -> Result<Self> {
        let (source, session) = Self::find_at(pace, global, environment)?;
        session.ok_or_else(|| not_logged_in(&source))
    }

    /// The winner, and its session if there is one.
    pub(crate) fn find(global: &Global, environment: &Environment) -> Result<(Source, Option<Self>)> {
        Self::find_at(Pace::Looking, global, environment)
    }

    fn find_at(pace: Pace, global: &Global, environment: &Environment) -> Result<(Source, Option<Self>)> {
        let source = source::choose(global, environment)?;
        if pace == Pace::InMemory && !source.can_log_in() && !(global.netrc && source.profile().is_some()) {
            let why =
                format!("a session in memory needs credentials that log in, and the {} has none", source.describe());
            return Err(
                Fail::usage(why).hint("set CDSE_USERNAME and CDSE_PASSWORD, or CDSE_CLIENT_ID and CDSE_CLIENT_SECRET")
            );
        }
        if source == Source::AccessToken {
            environment.access_token.as_ref().map_or(Ok(()), check_access_token)?;
            if let Some(own) = Self::own(environment, pace) {
                return Ok((own.source.clone(), Some(own)));
            }
        }
        let session = Self::of(&source, environment, pace)?;
        let stored = |session: &Self| session.source.profile().is_none() || session.manager.status().logged_in;
        if !global.netrc || source.profile().is_none() || session.as_ref().is_some_and(stored) {
            return Ok((source, session));
        }
        let source = Source::Netrc(netrc::path(environment)?);
        let session = Self::of(&source, environment, pace)?;
        Ok((source, session))
    }

    /// The stored session that the token in `CDSE_ACCESS_TOKEN` is of, while it can be used: the token was printed here, and
    /// what is stored renews it.
    fn own(environment: &Environment, pace: Pace) -> Option<Self> {
        let id = session_id(environment.access_token.as_ref()?.expose())?;
        let state = StateFolder::of(environment).ok()?;
        let plain = Environment { identity_url: None, ..environment.without_credentials() };
        let is_own = |session: &Self| {
            let stored = session.store.as_ref().and_then(|store| store.load().ok().flatten());
            stored.is_some_and(|tokens| tokens.session_id() == Some(id.as_str())) && session.manager.status().logged_in
        };
        let mut sources: Vec<Source> = stored::profiles(&state).ok()?.into_iter().map(Source::Profile).collect();
        sources.extend(stored::files(&state.sessions()).unwrap_or_default().into_iter().map(Source::Stored));
        let own =
            sources.iter().find(|source| Self::of(source, &plain, pace).ok().flatten().as_ref().is_some_and(is_own))?;
        log::info!(
            "the token in CDSE_ACCESS_TOKEN is of the session of the {}, which is used in its place",
            own.describe()
        );
        Self::of(own, environment, pace).ok().flatten()
    }

    /// `None` where the profile points to nothing.
    pub(crate) fn of(source: &Source, environment: &Environment, pace: Pace) -> Result<Option<Self>> {
        let realm = realm(environment);
        let variable = |variable: &Option<Secret>| variable.clone().unwrap_or_else(|| Secret::new(""));
        let name = |variable: &Option<String>| variable.clone().unwrap_or_default();
        let session = match source {
            Source::AccessToken => {
                check_realm(environment)?;
                let token = variable(&environment.access_token);
                check_access_token(&token)?;
                let provider = AccessTokenAuth::new(token);
                let manager = build(provider, realm, environment, None, pace)?;
                let beside = profile_that_is_logged_in(environment);
                Self { source: source.clone(), manager, store: None, username: None, beside, sent: Sent::default() }
            }
            Source::RefreshToken => {
                let token = variable(&environment.refresh_token);
                check_token("CDSE_REFRESH_TOKEN", &token)?;
                Self::stored(source, RefreshTokenAuth::new(token), environment, pace)?
            }
            Source::Client => {
                let provider =
                    ClientCredentialsAuth::new(name(&environment.client_id), variable(&environment.client_secret));
                let session = Self::stored(source, provider, environment, pace)?;
                let sent = Sent::default().suspecting("the client secret", environment.client_secret.as_ref());
                Self { sent, ..session }
            }
            Source::User => {
                let username = name(&environment.username);
                let password = match &environment.password_command {
                    Some(_) if pace == Pace::Looking => Secret::new(""),
                    Some(command) => {
                        if let Some(session) = Self::of_fresh(source, &username, environment, pace)? {
                            return Ok(Some(session));
                        }
                        command.secret()?
                    }
                    None => variable(&environment.password),
                };
                let sent = Sent::of(environment).suspecting("the password", Some(&password));
                let user = with_environment_code(PasswordAuth::new(username, password), environment)?;
                Self { sent, ..Self::stored(source, user, environment, pace)? }
            }
            Source::Netrc(_) => {
                let user = netrc::user(environment, realm, is_same_service(realm, DEFAULT_REALM_URL))?;
                let session = Self::stored(source, with_environment_code(user, environment)?, environment, pace)?;
                Self { sent: Sent::of(environment), ..session }
            }
            Source::Profile(name) => return Self::of_profile(name, environment, pace),
            Source::Stored(path) => {
                let store = FileTokenStore::new(path);
                return Self::unpointed(source, environment, store.slot()?, Arc::new(store), pace);
            }
            Source::InKeyring(id) => {
                let store = StateFolder::of(environment)?.in_keyring(id);
                return Self::unpointed(source, environment, store.slot()?, Arc::new(store), pace);
            }
        };
        Ok(Some(session))
    }

    fn of_profile(name: &Name, environment: &Environment, pace: Pace) -> Result<Option<Self>> {
        let state = StateFolder::of(environment)?;
        let Some(profile) = Profile::load(&state, name)? else {
            log::info!("there is no session of the profile {name} in {}", state.path().display());
            check_realm(environment)?;
            return Ok(None);
        };
        let slot = slot_of(&profile.pointer(), &profile.identity_url).map_err(|error| {
            let path = Profile::path(&state, name);
            let why = format!("the profile {name} ({}) points to an unusable address: {error}", path.display());
            Fail::from(Error::new(ErrorKind::StoreDamaged, why))
                .hint(format!("remove it and `{}`", login_command(name)))
        })?;
        if realm(environment) != profile.identity_url && environment.identity_url.is_some() {
            check_realm(environment)?;
            let asked = slot_of(&profile.pointer(), realm(environment))?;
            if asked != slot {
                let why = format!(
                    "the profile {name} is logged in at {}, and CDSE_IDENTITY_URL names another service",
                    profile.identity_url
                );
                return Err(Fail::login_required(
                    why,
                    format!("unset CDSE_IDENTITY_URL, or `{}`", login_command(name)),
                ));
            }
        }
        let store = state.session(&slot, profile.store, false);
        let store_too = Some(Arc::clone(&store));
        let manager = build(profile.pointer(), &profile.identity_url, environment, store_too, pace)?;
        let username = profile.username.clone();
        Ok(Some(Self {
            source: Source::Profile(name.clone()),
            manager,
            store: Some(store),
            username,
            beside: None,
            sent: Sent::default(),
        }))
    }

    /// What a store holds, though no profile points to it.
    fn unpointed(
        source: &Source,
        environment: &Environment,
        slot: Option<Slot>,
        store: Arc<dyn TokenStore>,
        pace: Pace,
    ) -> Result<Option<Self>> {
        let Some(slot) = slot else { return Ok(None) };
        let username = slot.subject.clone().filter(|_| slot.grant == Grant::Password);
        let token_url = slot.token_url.clone();
        let provider = StoredSession::new(slot, username.clone());
        let builder = cdse_auth::TokenManager::builder(provider).token_url(&token_url);
        let manager = with_settings(builder, environment, Some(Arc::clone(&store)), pace)?;
        Ok(Some(Self {
            source: source.clone(),
            manager,
            store: Some(store),
            username,
            beside: None,
            sent: Sent::default(),
        }))
    }

    /// The session of a user whose password a program prints, if it has a fresh token: nobody is disturbed for a password
    /// that is not sent.
    fn of_fresh(source: &Source, username: &str, environment: &Environment, pace: Pace) -> Result<Option<Self>> {
        if pace == Pace::KeptAlive {
            return Ok(None);
        }
        let user = PasswordAuth::new(username, "");
        let pointer = StoredSession::new(slot_of(&user, realm(environment))?, Some(username.to_owned()));
        let session = Self::stored(source, pointer, environment, pace)?;
        Ok((session.manager.status().state == SessionState::Fresh).then_some(session))
    }

    fn stored(
        source: &Source,
        provider: impl AuthProvider + 'static,
        environment: &Environment,
        pace: Pace,
    ) -> Result<Self> {
        check_realm(environment)?;
        let username = provider.username().map(str::to_owned);
        let slot = slot_of(&provider, realm(environment))?;
        let store = match pace {
            Pace::InMemory => Arc::new(MemoryTokenStore::new()),
            _ if slot.grant == Grant::ClientCredentials => client_store(environment, &slot),
            _ => StateFolder::of(environment)?.session(&slot, StoreKind::File, false),
        };
        let manager = build(provider, realm(environment), environment, Some(Arc::clone(&store)), pace)?;
        Ok(Self { source: source.clone(), manager, store: Some(store), username, beside: None, sent: Sent::default() })
    }

    /// Says before any request that this kind of credential does not reach the service.
    pub(crate) fn check_reach(&self, service: Option<DataService>) -> Result<()> {
        let grant = self.manager.as_async().slot().grant;
        service.map_or(Ok(()), |service| grant.check_reach(service)).map_err(|error| self.explain(error))
    }

    /// Whose session it is, for people.
    pub(crate) fn who(&self) -> String {
        let slot = self.manager.as_async().slot();
        match &self.username {
            Some(name) => name.clone(),
            None if slot.grant == Grant::ClientCredentials => format!("client {}", slot.client_id),
            None => "the session".to_owned(),
        }
    }

    /// Reads the store, and says what it has mended: permissions that let others read.
    pub(crate) fn say_what_was_mended(&self) {
        let mended = self.news();
        mended.iter().filter(|problem| problem.contains("other users")).for_each(|problem| output::warn(problem));
    }

    /// The problems that were not there at the login, or that the login did not tell: a file system keeps no permissions for
    /// as long as it is there.
    pub(crate) fn news(&self) -> Vec<String> {
        let problems = self.manager.status().problems.into_iter();
        problems.filter(|problem| !problem.contains("keeps no permissions")).collect()
    }

    /// Whether there is anything to use, renew or end.
    pub(crate) fn holds_tokens(&self) -> bool {
        self.store.as_ref().is_some_and(|store| store.load().is_ok_and(|tokens| tokens.is_some()))
    }

    /// What [`crate::stored`] would find it as, were there no profile.
    pub(crate) fn unpointed_source(&self) -> Option<Source> {
        let id = || self.manager.as_async().slot().id();
        let path = self.store.as_ref()?.records()?.description().path;
        Some(path.map_or_else(|| Source::InKeyring(id()), Source::Stored))
    }

    /// What stands in the way of reading what is stored.
    pub(crate) fn trouble(&self) -> Option<Error> {
        let slot = self.manager.as_async().slot();
        self.store.as_ref().and_then(|store| store.records()?.read(slot).err())
    }

    /// What to do about a secret that was refused.
    fn about_secret(&self) -> String {
        match self.sent.suspicion {
            Some((name, what)) => format!("correct them: {name} {what}"),
            None => "correct them".to_owned(),
        }
    }

    /// What a refusal may have to do with the second factor that was sent, or was not.
    fn about_second_factor(&self) -> String {
        let Some(name) = self.sent.second_factor else {
            return "no second factor was sent: an account that has one needs CDSE_TOTP, CDSE_TOTP_SECRET or \
                    CDSE_TOTP_COMMAND"
                .to_owned();
        };
        if name == "CDSE_TOTP" {
            return "the code in CDSE_TOTP was sent, which works once and for half a minute: set it to a new one"
                .to_owned();
        }
        // The service tells the time to anybody.
        let clock = match self.manager.probe().ok().and_then(|probe| probe.ahead) {
            Some(ahead) if ahead.abs() > A_STEP => {
                let which = if ahead.is_negative() { "behind" } else { "ahead of" };
                format!("this machine's clock is {} s {which} the service's: set it", ahead.unsigned_abs())
            }
            Some(_) => {
                "this machine's clock agrees with the service's, so compare the secret with the account's".to_owned()
            }
            None => "`cdse auth doctor` tells whether this machine's clock is right".to_owned(),
        };
        format!("a code from {name} was sent: {clock}")
    }

    fn is_clients(&self) -> bool {
        self.manager.as_async().slot().grant == Grant::ClientCredentials
    }

    /// What the library says, with the name of what has to be changed.
    pub(crate) fn explain(&self, error: Error) -> Fail {
        let kind = error.kind();
        if kind == ErrorKind::ShutDown {
            signals::wait_for_the_end();
        }
        let message = error.message().to_owned();
        let fail = Fail::from(error);
        let login = matches!(kind, ErrorKind::ReauthRequired | ErrorKind::CredentialsRefused | ErrorKind::StoreDamaged);
        match &self.source {
            source if kind == ErrorKind::WrongCredential => fail.message(format!("{}: {message}", source.describe())),
            Source::Profile(name) if login && kind != ErrorKind::StoreDamaged && self.is_clients() => {
                let client = self.manager.as_async().slot().client_id.clone();
                let left = self.manager.status().access_expires_at.filter(|_| self.manager.status().logged_in);
                let message = match left {
                    Some(end) => format!(
                        "the token of the client {client} cannot be renewed without its secret; it is valid until {}",
                        time::for_people(end)
                    ),
                    None => {
                        format!("the token of the client {client} has ended; it cannot be renewed without its secret")
                    }
                };
                let force = if left.is_some() { " --force" } else { "" };
                let login = login_command(name);
                fail.message(message).hint(format!("{login} --client-id {client} --client-secret-stdin{force}"))
            }
            Source::Profile(name) if login => fail.hint(login_command(name)),
            Source::AccessToken if login => {
                let fail = fail.message(
                    "the access token in CDSE_ACCESS_TOKEN has ended or was refused, and it cannot be renewed",
                );
                fail.hint(match &self.beside {
                    Some(name) => format!("a session is stored (profile {name}): unset CDSE_ACCESS_TOKEN to use it"),
                    None => "set CDSE_ACCESS_TOKEN to a new one, or unset it and `cdse auth login`".to_owned(),
                })
            }
            Source::RefreshToken if login && kind != ErrorKind::StoreDamaged => fail
                .message(format!("CDSE_REFRESH_TOKEN: {message}"))
                .hint("set CDSE_REFRESH_TOKEN to a new one, or unset it and `cdse auth login`"),
            Source::Netrc(path) if login && kind != ErrorKind::StoreDamaged => fail
                .message(format!("--netrc: {}: {message}", path.display()))
                .hint(format!("correct it, or `cdse auth login`; {}", self.about_second_factor())),
            Source::User if kind == ErrorKind::CredentialsRefused => fail
                .message(format!("CDSE_USERNAME, CDSE_PASSWORD: {message}"))
                .hint(format!("{}; {}", self.about_secret(), self.about_second_factor())),
            Source::User if kind == ErrorKind::ReauthRequired => {
                fail.message(format!("CDSE_USERNAME: {message}")).hint(
                    "set CDSE_TOTP to a new code, or CDSE_TOTP_SECRET or CDSE_TOTP_COMMAND once, or `cdse auth login`",
                )
            }
            Source::Client if kind == ErrorKind::CredentialsRefused => {
                fail.message(format!("CDSE_CLIENT_ID, CDSE_CLIENT_SECRET: {message}")).hint(self.about_secret())
            }
            _ => fail,
        }
    }
}

/// A client has no session to share or to lose: where its token cannot be kept, each process asks for one of its own.
fn client_store(environment: &Environment, slot: &Slot) -> Arc<dyn TokenStore> {
    let in_file = || -> Result<_> {
        let state = StateFolder::of(environment)?;
        let store = state.session(slot, StoreKind::File, false);
        match store.load() {
            // A token that is valid can be used, whether another one could be written or not.
            Ok(Some(tokens)) if time::seconds_until(tokens.access_expires_at()) > 0 => {}
            // It is set aside.
            Err(error) if error.kind() == ErrorKind::StoreDamaged => {}
            Ok(_) => private_file::check_writable(&state.sessions().join(slot.id()))?,
            Err(error) => return Err(error.into()),
        }
        Ok(store)
    };
    in_file().unwrap_or_else(|fail| {
        log::info!("the client's token is kept in memory alone: {}", fail.text());
        Arc::new(MemoryTokenStore::new())
    })
}

/// The session that an access token of the service says it is of. It is not verified: nothing but a choice among one's own
/// sessions depends on it.
fn session_id(token: &str) -> Option<String> {
    let payload = token.split('.').nth(1)?;
    let claims = Zeroizing::new(BASE64URL_NOPAD.decode(payload.trim_end_matches('=').as_bytes()).ok()?);
    let claims: serde_json::Value = serde_json::from_slice(&claims).ok()?;
    let id = claims.get("sid").or_else(|| claims.get("session_state"))?.as_str()?;
    Some(id.to_owned()).filter(|id| !id.is_empty())
}

fn profile_that_is_logged_in(environment: &Environment) -> Option<Name> {
    let plain = environment.without_credentials();
    let name = source::profile_in_use(&Global::default(), &plain).ok()?;
    let session = Session::of_profile(&name, &plain, Pace::OneShot).ok()??;
    session.manager.status().logged_in.then_some(name)
}

/// The realm to log in at.
pub(crate) fn realm(environment: &Environment) -> &str {
    environment.identity_url.as_deref().unwrap_or(DEFAULT_REALM_URL)
}

/// An address that cannot be used is the variable's fault, not the credential's.
pub(crate) fn check_realm(environment: &Environment) -> Result<()> {
    if environment.identity_url.is_none() {
        return Ok(());
    }
    slot_of(&AccessTokenAuth::new("x"), realm(environment))
        .map(drop)
        .map_err(|error| Fail::usage(format!("CDSE_IDENTITY_URL: {error}")))
}

/// Whether two addresses, however they are written, mean the same realm.
pub(crate) fn is_same_service(one: &str, other: &str) -> bool {
    let slot = |realm| slot_of(&AccessTokenAuth::new("x"), realm).ok();
    one == other || slot(one).is_some_and(|one| slot(other).is_some_and(|other| one == other))
}

/// A manager for somebody who logs in, whose session is kept in its slot's store.
pub(crate) fn manager(
    provider: impl AuthProvider + 'static,
    environment: &Environment,
    state: &StateFolder,
    kind: StoreKind,
    somebody: bool,
) -> Result<(TokenManager, Arc<dyn TokenStore>)> {
    let realm = realm(environment);
    let store = state.session(&slot_of(&provider, realm)?, kind, somebody);
    Ok((build(provider, realm, environment, Some(Arc::clone(&store)), Pace::OneShot)?, store))
}

fn build(
    provider: impl AuthProvider + 'static,
    realm: &str,
    environment: &Environment,
    store: Option<Arc<dyn TokenStore>>,
    pace: Pace,
) -> Result<TokenManager, Error> {
    with_settings(cdse_auth::TokenManager::builder(provider).realm_url(realm), environment, store, pace)
}

fn with_settings(
    builder: TokenManagerBuilder,
    environment: &Environment,
    store: Option<Arc<dyn TokenStore>>,
    pace: Pace,
) -> Result<TokenManager, Error> {
    // ring, for the start of a short command (`with_ring`).
    let transport = TransportConfig::new().with_user_agent(concat!("cdse/", env!("CARGO_PKG_VERSION"))).with_ring();
    let transport = match &environment.ca_bundle {
        Some(file) => transport.with_root_certificate_file("--ca-bundle", file),
        None => transport,
    };
    // Nothing is lost where such a request is broken off; an exchange goes on behind the caller's back, to be kept.
    let transport = match environment.timeout.filter(|_| pace == Pace::Looking) {
        Some(timeout) => transport.with_timeout(timeout),
        None => transport,
    };
    let builder = builder.transport(transport).one_shot(!pace.lasts()).keep_alive(pace.lasts());
    let builder = match environment.timeout {
        Some(timeout) => builder.patience(timeout),
        None => builder,
    };
    let builder = match store {
        Some(store) => {
            if let Some(path) = store.records().and_then(|records| records.description().path) {
                log::debug!("the session is in {}", path.display());
            }
            builder.store(store)
        }
        None => builder,
    };
    Ok(builder.build()?.into())
}

/// The slot that a provider has at a realm: the library knows how an address becomes a token endpoint.
pub(crate) fn slot_of(provider: &dyn AuthProvider, realm: &str) -> Result<Slot, Error> {
    let (client_id, grant, subject) = (provider.client_id().to_owned(), provider.grant(), provider.subject());
    // A fixed access token has no fields here; as a password's its slot can be made all the same.
    let grant = if grant == Grant::AccessToken { Grant::Password } else { grant };
    let pointer = StoredSession::new(Slot { token_url: String::new(), client_id, grant, subject }, None);
    Ok(cdse_auth::TokenManager::builder(pointer).realm_url(realm).build()?.slot().clone())
}

/// With the source of codes that the environment names.
pub(crate) fn with_environment_code(user: PasswordAuth, environment: &Environment) -> Result<PasswordAuth> {
    let given = [
        ("CDSE_TOTP", environment.totp.is_some()),
        (environment.totp_secret_name, environment.totp_secret.is_some()),
        ("CDSE_TOTP_COMMAND", environment.totp_command.is_some()),
    ];
    let mut given = given.into_iter().filter_map(|(name, given)| given.then_some(name));
    if let (Some(one), Some(other)) = (given.next(), given.next()) {
        return Err(Fail::usage(format!("{one} and {other} are both set: unset one of them")));
    }
    if let Some(code) = &environment.totp {
        let code = outside::code(code.expose()).map_err(|why| Fail::usage(format!("CDSE_TOTP: {why}")))?;
        return Ok(user.with_code(code));
    }
    if let Some(secret) = &environment.totp_secret {
        let secret = TotpSecret::new(secret.expose())
            .map_err(|error| Fail::usage(format!("{}: {}", environment.totp_secret_name, error.message())))?;
        return Ok(user.with_totp_secret(secret));
    }
    if let Some(command) = &environment.totp_command {
        let command = SecretCommand::new("CDSE_TOTP_COMMAND", command).map_err(Fail::usage)?;
        return Ok(with_code_command(user, command));
    }
    Ok(user)
}

/// With a program that prints codes.
pub(crate) fn with_code_command(user: PasswordAuth, command: SecretCommand) -> PasswordAuth {
    user.with_code_from(move || {
        let text = command.secret()?;
        outside::code(text.expose()).map_err(|why| {
            Error::new(ErrorKind::Configuration, format!("the program of {} gave none: {why}", command.name()))
        })
    })
}

/// A token as a header may carry it (`b64token` of RFC 6750 §2.1), and none that is for the identity service alone: an access
/// token goes to whichever host is asked for data.
fn check_access_token(token: &Secret) -> Result<()> {
    let text = token.expose();
    let body = text.trim_end_matches('=');
    let fits = !body.is_empty() && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte));
    if !fits {
        return Err(Fail::usage(
            "CDSE_ACCESS_TOKEN is no access token: it holds characters that no token has, such as quotation marks or \
             braces; set it to the token alone",
        ));
    }
    match jwt_type(text).as_deref() {
        Some("Refresh" | "Offline") => Err(Fail::usage(
            "CDSE_ACCESS_TOKEN holds a refresh token, which is for the identity service alone; set CDSE_REFRESH_TOKEN to it",
        )),
        Some("ID") => Err(Fail::usage(
            "CDSE_ACCESS_TOKEN holds an ID token, which says who somebody is and opens nothing; set it to an access token",
        )),
        _ => Ok(()),
    }
}

/// What a JWT of Keycloak says that it is.
fn jwt_type(token: &str) -> Option<String> {
    let mut parts = token.split('.').skip(1);
    let (claims, _signature) = (parts.next()?, parts.next()?);
    let claims = BASE64URL_NOPAD.decode(claims.as_bytes()).ok().map(Zeroizing::new)?;
    #[derive(serde::Deserialize)]
    struct Claims {
        typ: String,
    }
    serde_json::from_slice::<Claims>(&claims).ok().map(|claims| claims.typ)
}

/// Something that could be a token, to be sent to the service.
pub(crate) fn check_token(name: &str, token: &Secret) -> Result<()> {
    let fits = !token.expose().is_empty() && token.expose().bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(()) } else { Err(Fail::usage(format!("{name} is no token: it holds characters that no token has"))) }
}

/// A manager of nobody's session, to ask the service who it is.
pub(crate) fn of_nobody(environment: &Environment) -> Result<TokenManager> {
    check_realm(environment)?;
    Ok(build(AccessTokenAuth::new("none"), realm(environment), environment, None, Pace::Looking)?)
}

/// Reads the certificate authorities, as the first request over TLS would.
pub(crate) fn read_authorities(environment: &Environment) -> Result<(), Error> {
    build(AccessTokenAuth::new("none"), DEFAULT_REALM_URL, environment, None, Pace::Looking)?.prepare()
}

/// A manager of a token alone, which it can neither renew nor store.
pub(crate) fn of_token(token: &str, token_url: &str, environment: &Environment) -> Result<TokenManager> {
    let builder = cdse_auth::TokenManager::builder(AccessTokenAuth::new(token)).token_url(token_url);
    Ok(with_settings(builder, environment, None, Pace::Looking)?)
}
