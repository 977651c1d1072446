//! The tokens that were issued. They are looked up by their whole text, so that a changed signature is as unknown as
//! garbage; the text itself is not kept, only a keyed hash of 128 bits, because a benchmark issues very many.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

#[derive(Debug)]
pub(super) struct Table<T> {
    keys: [RandomState; 2],
    tokens: HashMap<[u64; 2], T>,
}

impl<T> Table<T> {
    pub(super) fn new() -> Self {
        Self { keys: Default::default(), tokens: HashMap::new() }
    }

    fn fingerprint(&self, text: &str) -> [u64; 2] {
        self.keys.each_ref().map(|key| key.hash_one(text))
    }

    pub(super) fn enter(&mut self, text: &str, token: T) {
        self.tokens.insert(self.fingerprint(text), token);
    }

    pub(super) fn get(&self, text: &str) -> Option<&T> {
        self.tokens.get(&self.fingerprint(text))
    }

    pub(super) fn get_mut(&mut self, text: &str) -> Option<&mut T> {
        self.tokens.get_mut(&self.fingerprint(text))
    }
}
