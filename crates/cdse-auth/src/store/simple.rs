use super::{Commit, Guard, MemoryTokenStore, RecordStore, StoreDescription, TokenStore};
use crate::error::{Error, ErrorKind, Result};
use crate::random::Random;
use crate::record::{Record, Slot, Version};
use crate::sync::{Arc, Mutex, lock};

/// The full contract on top of a store that only loads, saves and clears: the tokens are the store's, everything else
/// about the session lives in this process.
#[derive(Debug)]
pub(crate) struct SimpleStore {
    inner: Arc<dyn TokenStore>,
    memory: MemoryTokenStore,
    random: Random,
    /// The tokens and what is known of them change together.
    together: Mutex<()>,
}

impl SimpleStore {
    pub(crate) fn new(inner: Arc<dyn TokenStore>, random: Random) -> Self {
        Self { inner, memory: MemoryTokenStore::new(), random, together: Mutex::default() }
    }

    fn read_both(&self, slot: &Slot) -> Result<Option<Record>> {
        let known = self.memory.read(slot)?;
        let tokens = self.inner.load()?;
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
