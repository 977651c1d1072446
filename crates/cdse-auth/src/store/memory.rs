use std::collections::HashMap;
use std::fmt;

use super::{Commit, Guard, RecordStore, StoreDescription, TokenStore};
use crate::error::Result;
use crate::random::Random;
use crate::record::{Record, Slot, Version};
use crate::sync::{Arc, Mutex, lock};
use crate::token::TokenSet;

/// Keeps tokens for the lifetime of the process: the default. It touches no file.
///
/// Clones share one memory, so that several managers of a process can share a session.
#[derive(Clone, Default)]
pub struct MemoryTokenStore(Arc<Mutex<Memory>>);

#[derive(Default)]
struct Memory {
    /// `None` is the slot of the simple contract.
    records: HashMap<Option<Slot>, Record>,
    guarded: Vec<Slot>,
}

impl MemoryTokenStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl TokenStore for MemoryTokenStore {
    fn load(&self) -> Result<Option<TokenSet>> {
        Ok(lock(&self.0).records.get(&None).and_then(|record| record.tokens.clone()))
    }

    fn save(&self, tokens: &TokenSet) -> Result<()> {
        let mut record = Record::new(None, &Random::default());
        record.tokens = Some(tokens.clone());
        lock(&self.0).records.insert(None, record);
        Ok(())
    }

    fn clear(&self) -> Result<()> {
        lock(&self.0).records.remove(&None);
        Ok(())
    }

    fn records(&self) -> Option<&dyn RecordStore> {
        Some(self)
    }
}

impl RecordStore for MemoryTokenStore {
    fn read(&self, slot: &Slot) -> Result<Option<Record>> {
        Ok(lock(&self.0).records.get(&Some(slot.clone())).cloned())
    }

    fn commit(&self, slot: &Slot, base: Option<Version>, record: &Record) -> Result<Commit> {
        let mut memory = lock(&self.0);
        let key = Some(slot.clone());
        if memory.records.get(&key).map(Record::version) != base {
            return Ok(Commit::Moved);
        }
        memory.records.insert(key, record.clone());
        Ok(Commit::Done)
    }

    fn try_guard(&self, slot: &Slot) -> Result<Option<Box<dyn Guard>>> {
        let mut memory = lock(&self.0);
        if memory.guarded.contains(slot) {
            return Ok(None);
        }
        memory.guarded.push(slot.clone());
        Ok(Some(Box::new(MemoryGuard { store: self.clone(), slot: slot.clone() })))
    }

    fn description(&self) -> StoreDescription {
        StoreDescription { kind: "memory", path: None, shared: false }
    }
}

impl fmt::Debug for MemoryTokenStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryTokenStore")
    }
}

struct MemoryGuard {
    store: MemoryTokenStore,
    slot: Slot,
}

impl Guard for MemoryGuard {
    fn holds_for(&self, _: std::time::Duration) -> bool {
        true
    }
}

impl Drop for MemoryGuard {
    fn drop(&mut self) {
        lock(&self.store.0).guarded.retain(|slot| *slot != self.slot);
    }
}

impl fmt::Debug for MemoryGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryGuard")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s1_a_memory_names_no_holder_sets_nothing_aside_and_has_nothing_to_mend() {
        let store = MemoryTokenStore::new();
        let (token_url, client_id) = ("https://id.example/token".to_owned(), "cdse-public".to_owned());
        let slot = Slot { token_url, client_id, grant: crate::record::Grant::Password, subject: None };
        let guard = store.try_guard(&slot).unwrap().expect("nobody else has it");
        assert_eq!(store.guard_holder(&slot), None);
        assert_eq!(store.set_aside(&slot).unwrap(), None);
        assert!(store.take_warnings().is_empty());
        drop(guard);
    }
}
