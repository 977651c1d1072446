use super::{Commit, Guard, MemoryTokenStore, RecordStore, StoreDescription, TokenStore};
use crate::error::{Error, ErrorKind, Result};
use crate::random::Random;
use crate::record::{Record, Slot, Version};
use crate::secret::{Fingerprint, Secret};
use crate::sync::{Arc, Mutex, OnceLock, lock};
use crate::token::TokenSet;

/// The full contract on top of a store that only loads, saves and clears: the tokens are the store's, everything else
/// about the session lives in this process.
#[derive(Debug)]
pub(crate) struct SimpleStore {
    inner: Arc<dyn TokenStore>,
    memory: MemoryTokenStore,
    random: Random,
    /// The tokens and what is known of them change together.
    together: Mutex<()>,
    /// In a forked process: the refresh token that it has from its parent, once that was looked for.
    inherited: Option<OnceLock<Option<Fingerprint>>>,
}

impl SimpleStore {
    pub(crate) fn new(inner: Arc<dyn TokenStore>, random: Random) -> Self {
        Self { inner, memory: MemoryTokenStore::new(), random, together: Mutex::default(), inherited: None }
    }

    /// What is in the store at first was put there by the process that forked this one, or is known to it: its refresh token
    /// may work once, and is not sent from here.
    pub(crate) fn in_forked_process(inner: Arc<dyn TokenStore>, random: Random) -> Self {
        Self { inherited: Some(OnceLock::new()), ..Self::new(inner, random) }
    }

    fn load(&self) -> Result<Option<TokenSet>> {
        let mut tokens = self.inner.load()?;
        if let (Some(inherited), Some(tokens)) = (&self.inherited, &mut tokens) {
            let refresh = tokens.refresh.as_ref().map(Secret::fingerprint);
            if inherited.get_or_init(|| refresh.clone()) == &refresh {
                (tokens.refresh, tokens.refresh_life) = (None, None);
            }
        }
        Ok(tokens)
    }

    fn read_both(&self, slot: &Slot) -> Result<Option<Record>> {
        let known = self.memory.read(slot)?;
        let tokens = self.load()?;
        if known.as_ref().is_some_and(|record| record.tokens == tokens) || (known.is_none() && tokens.is_none()) {
            return Ok(known);
        }
        // Somebody else wrote to the store: what it holds is another session.
        let mut record = Record::new(Some(slot.clone()), &self.random);
        record.tokens = tokens;
        let base = known.as_ref().map(Record::version);
        match self.memory.commit(slot, base, &record)? {
            Commit::Done => Ok(Some(record)),
            Commit::Moved => self.memory.read(slot),
        }
    }
}

impl RecordStore for SimpleStore {
    fn read(&self, slot: &Slot) -> Result<Option<Record>> {
        let _together = lock(&self.together);
        self.read_both(slot)
    }

    fn commit(&self, slot: &Slot, base: Option<Version>, record: &Record) -> Result<Commit> {
        let _together = lock(&self.together);
        let known = self.read_both(slot)?;
        if known.as_ref().map(Record::version) != base {
            return Ok(Commit::Moved);
        }
        let before = known.as_ref().and_then(Record::tokens);
        match &record.tokens {
            after if after.as_ref() == before => {}
            Some(tokens) => self.inner.save(tokens).map_err(unwritable)?,
            None => self.inner.clear().map_err(unwritable)?,
        }
        self.memory.commit(slot, base, record)
    }

    fn try_guard(&self, slot: &Slot) -> Result<Option<Box<dyn Guard>>> {
        self.memory.try_guard(slot)
    }

    fn description(&self) -> StoreDescription {
        StoreDescription { kind: "simple", path: None, shared: false }
    }
}

fn unwritable(error: Error) -> Error {
    error.with_kind(ErrorKind::StoreUnwritable)
}
