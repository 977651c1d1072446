//! The tokens that were issued. They are looked up by their whole text, so that a changed signature is as unknown as
//! garbage; the text itself is not kept, only a keyed hash of 128 bits, because a benchmark issues very many.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use super::client::ClientIndex;
use super::session::Kind;
use super::time::{Issue, Seconds};
use super::user::UserIndex;

#[derive(Clone, Debug)]
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Fingerprint(u64, u64);

#[derive(Debug, Default)]
pub(super) struct Fingerprints(RandomState, RandomState);

impl Fingerprints {
    fn of(&self, text: &str) -> Fingerprint {
        Fingerprint(self.0.hash_one(text), self.1.hash_one(text))
    }
}

#[derive(Debug)]
pub(super) struct TokenTable {
    fingerprints: Fingerprints,
    access: HashMap<Fingerprint, AccessToken>,
    refresh: HashMap<Fingerprint, RefreshToken>,
}

impl TokenTable {
    pub(super) fn new(fingerprints: Fingerprints) -> Self {
        Self { fingerprints, access: HashMap::new(), refresh: HashMap::new() }
    }

    pub(super) fn enter_access(&mut self, text: &str, token: AccessToken) {
        self.access.insert(self.fingerprints.of(text), token);
    }

    pub(super) fn enter_refresh(&mut self, text: &str, token: RefreshToken) {
        self.refresh.insert(self.fingerprints.of(text), token);
    }

    pub(super) fn access(&self, text: &str) -> Option<&AccessToken> {
        self.access.get(&self.fingerprints.of(text))
    }

    pub(super) fn access_mut(&mut self, text: &str) -> Option<&mut AccessToken> {
        self.access.get_mut(&self.fingerprints.of(text))
    }

    pub(super) fn refresh(&self, text: &str) -> Option<&RefreshToken> {
        self.refresh.get(&self.fingerprints.of(text))
    }
}
