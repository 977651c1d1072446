//! What a realm consists of.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use super::client::ClientRecord;
use super::session::Session;
use super::tables::{Fingerprints, TokenTable};
use super::time::{Issue, Seconds};
use super::user::UserRecord;
use crate::config::{BruteForce, Config, KeycloakVersion, Lifetimes, Rotation};
use crate::random;

#[derive(Debug)]
pub(crate) struct Realm {
    pub(crate) version: KeycloakVersion,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) rotation: Rotation,
    pub(crate) session_limit: Option<usize>,
    pub(super) brute_force: Option<BruteForce>,
    pub(super) issuer: String,
    pub(super) access_kid: String,
    pub(super) refresh_kid: String,
    pub(super) users: Vec<UserRecord>,
    pub(super) clients: Vec<ClientRecord>,
    pub(super) sessions: HashMap<Arc<str>, Session>,
    /// The sessions without an end. 21.1.2 has an ordinary one of the same name beside each, until that one ends.
    pub(super) offline: HashMap<Arc<str>, Session>,
    pub(super) tokens: TokenTable,
    pub(super) issued: Issue,
    pub(super) stale_before: Issue,
    pub(super) not_before: Seconds,
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
