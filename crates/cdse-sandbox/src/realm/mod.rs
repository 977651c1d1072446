//! The realm: its users, clients, sessions and tokens, and the rules between them. Nothing here knows HTTP, and the
//! time is an argument everywhere.

mod account;
mod bearer;
mod claims;
mod client;
mod jwt;
mod lockout;
mod login;
mod logout;
mod mint;
mod refresh;
mod refusal;
mod revoke;
mod scope;
mod service_account;
mod session;
mod tables;
mod user;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

pub(crate) use account::AccountSession;
pub use account::SessionView;
pub(crate) use bearer::BearerRefusal;
pub(crate) use login::PasswordGrant;
pub(crate) use mint::TokenAnswer;
pub(crate) use refusal::Refusal;

use crate::config::{BruteForce, Config, KeycloakVersion, Lifetimes, Rotation};
use crate::random;
use client::ClientRecord;
use session::Session;
use tables::{Fingerprints, TokenTable};
use user::UserRecord;

/// Whole seconds since 1970, the resolution in which Keycloak does all of its reckoning.
pub(crate) type Seconds = u64;

/// The order in which tokens were issued; finer than the clock.
type Issue = u64;

#[derive(Debug)]
pub(crate) struct Realm {
    pub(crate) version: KeycloakVersion,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) rotation: Rotation,
    pub(crate) session_limit: Option<usize>,
    brute_force: Option<BruteForce>,
    issuer: String,
    access_kid: String,
    refresh_kid: String,
    users: Vec<UserRecord>,
    clients: Vec<ClientRecord>,
    sessions: HashMap<Arc<str>, Session>,
    /// The sessions without an end. 21.1.2 has an ordinary one of the same name beside each, until that one ends.
    offline: HashMap<Arc<str>, Session>,
    tokens: TokenTable,
    issued: Issue,
    stale_before: Issue,
    not_before: Seconds,
}

impl Realm {
    /// The name of the realm, with which its paths begin.
    pub(crate) const NAME: &str = "CDSE";

    /// # Errors
    ///
    /// A TOTP secret that is not base32.
    pub(crate) fn new(config: &Config, issuer: String) -> io::Result<Self> {
        let users = config.users.iter().map(UserRecord::new).collect::<io::Result<Vec<_>>>()?;
        Ok(Self {
            version: config.version,
            lifetimes: config.lifetimes,
            rotation: config.rotation,
            session_limit: config.session_limit,
            brute_force: config.brute_force,
            issuer,
            access_kid: random::base64url::<32>(),
            refresh_kid: random::uuid(),
            users,
            clients: config.clients.iter().map(ClientRecord::new).collect(),
            sessions: HashMap::new(),
            offline: HashMap::new(),
            tokens: TokenTable::new(Fingerprints::default()),
            issued: 0,
            stale_before: 0,
            not_before: 0,
        })
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Tokens issued until now are stale from now on.
    pub(crate) fn push_not_before(&mut self, now: Seconds) {
        self.not_before = now;
        self.stale_before = self.issued;
    }

    /// Ordinary sessions are forgotten; the offline ones and the keys, and with them the tokens' authenticity, stay.
    pub(crate) fn restart(&mut self) {
        self.sessions.clear();
    }
}
