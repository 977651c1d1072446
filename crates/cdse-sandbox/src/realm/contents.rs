//! What a realm consists of.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use super::scope::Scope;
use super::tables::Table;
use super::time::{Issue, Seconds};
use super::user::{UserIndex, UserRecord};
use crate::config::{BruteForce, Client, Config, KeycloakVersion, Lifetimes, Rotation};
use crate::random;

#[derive(Debug)]
pub(crate) struct Realm {
    pub(crate) version: KeycloakVersion,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) rotation: Rotation,
    pub(crate) session_limit: Option<usize>,
    pub(super) brute_force: Option<BruteForce>,
    pub(crate) issuer: String,
    pub(super) access_kid: String,
    pub(super) refresh_kid: String,
    pub(super) users: Vec<UserRecord>,
    /// With `sub` of the tokens that each gets for itself.
    pub(super) clients: Vec<(Client, String)>,
    pub(super) sessions: HashMap<Arc<str>, Session>,
    /// The sessions without an end. 21.1.2 has an ordinary one of the same name beside each, until that one ends.
    pub(super) offline: HashMap<Arc<str>, Session>,
    pub(super) access_tokens: Table<AccessToken>,
    pub(super) refresh_tokens: Table<RefreshToken>,
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
        Ok(Self {
            version: config.version,
            lifetimes: config.lifetimes,
            rotation: config.rotation,
            session_limit: config.session_limit,
            brute_force: config.brute_force,
            issuer,
            access_kid: random::base64url::<32>(),
            refresh_kid: random::uuid(),
            users: config.users.iter().map(UserRecord::new).collect::<io::Result<_>>()?,
            clients: config.clients.iter().map(|client| (client.clone(), random::uuid())).collect(),
            sessions: HashMap::new(),
            offline: HashMap::new(),
            access_tokens: Table::new(),
            refresh_tokens: Table::new(),
            issued: 0,
            stale_before: 0,
            not_before: 0,
        })
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

/// A client's place in the realm's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClientIndex(pub(super) usize);

/// What the refresh tokens of a session are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Online,
    /// Asked for with the scope `offline_access`: it has no end, and outlives the service.
    Offline,
}

/// One session of a user.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) id: Arc<str>,
    pub(super) kind: Kind,
    pub(super) user: UserIndex,
    /// `None` after a refresh token was used twice: the session is open, but nothing can be done with it.
    pub(super) client: Option<ClientIndex>,
    pub(super) scope: Scope,
    pub(super) started: Seconds,
    pub(super) last_access: Seconds,
    /// Of the newest refresh token.
    pub(super) generation: u64,
    /// Of the refresh token that was used last while they worked once.
    pub(super) used: Option<u64>,
}

impl Session {
    /// When it ends if it is refreshed all the time.
    pub(super) fn maximum(&self, lifetimes: &Lifetimes) -> Seconds {
        self.started + lifetimes.max.as_secs()
    }

    pub(super) fn is_valid(&self, lifetimes: &Lifetimes, now: Seconds) -> bool {
        now < self.maximum(lifetimes) && now < self.last_access + lifetimes.idle.as_secs()
    }
}

#[derive(Debug)]
pub(super) struct AccessToken {
    /// `None`: a service account's token, which has no session.
    pub(super) session: Option<Arc<str>>,
    pub(super) user: Option<UserIndex>,
    pub(super) client: ClientIndex,
    pub(super) expires: Seconds,
    pub(super) issue: Issue,
    pub(super) openid: bool,
    pub(super) revoked: bool,
}

#[derive(Clone, Debug)]
pub(super) struct RefreshToken {
    pub(super) session: Arc<str>,
    pub(super) user: UserIndex,
    pub(super) client: ClientIndex,
    pub(super) kind: Kind,
    /// An offline token has no end.
    pub(super) expires: Option<Seconds>,
    pub(super) issue: Issue,
    /// Its place among the refresh tokens of its session.
    pub(super) generation: u64,
}

impl RefreshToken {
    pub(super) fn has_expired(&self, now: Seconds) -> bool {
        self.expires.is_some_and(|end| now > end)
    }
}
