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
    records: HashMap<Slot, Record>,
    /// Saved by the simple contract; it belongs to the slot that uses it first, as a file does.
    unowned: Option<Record>,
    /// Whose record was committed last.
    last: Option<Slot>,
    guarded: Vec<Slot>,
}

impl Memory {
    fn of(&self, slot: &Slot) -> Option<&Record> {
        self.unowned.as_ref().or_else(|| self.records.get(slot))
    }
}

impl MemoryTokenStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

/// The simple contract sees the session that was stored last, of any slot.
impl TokenStore for MemoryTokenStore {
    fn load(&self) -> Result<Option<TokenSet>> {
        let memory = lock(&self.0);
        let last = memory.last.as_ref().and_then(|slot| memory.records.get(slot));
        Ok(memory.unowned.as_ref().or(last).and_then(|record| record.tokens.clone()))
    }

    fn save(&self, tokens: &TokenSet) -> Result<()> {
        let record = Record::of_tokens(None, tokens.clone(), &Random::default());
        lock(&self.0).unowned = Some(record);
        Ok(())
    }

    fn clear(&self) -> Result<()> {
        let mut memory = lock(&self.0);
        memory.unowned = None;
        for record in memory.records.values_mut() {
            *record = record.cleared();
        }
        Ok(())
    }

    fn records(&self) -> Option<&dyn RecordStore> {
        Some(self)
    }
}

impl RecordStore for MemoryTokenStore {
    fn read(&self, slot: &Slot) -> Result<Option<Record>> {
        Ok(lock(&self.0).of(slot).cloned())
    }

    fn commit(&self, slot: &Slot, base: Option<Version>, record: &Record) -> Result<Commit> {
        let mut memory = lock(&self.0);
        if memory.of(slot).map(Record::version) != base {
            return Ok(Commit::Moved);
        }
        memory.unowned = None;
        memory.records.insert(slot.clone(), record.clone());
        memory.last = Some(slot.clone());
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

#[derive(Debug)]
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

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(client_id: &str) -> Slot {
        let (token_url, client_id) = ("https://id.example/token".to_owned(), client_id.to_owned());
        Slot { token_url, client_id, grant: crate::record::Grant::Password, subject: None }
    }

    fn tokens(access: &str) -> TokenSet {
        TokenSet::new(access, std::time::Duration::from_secs(600)).unwrap()
    }

    /// One blind spot of the two contracts: what a manager has stored is what `load` gives and `clear` removes.
    #[test]
    fn s1_a_managed_session_is_loaded_and_cleared() {
        let store = MemoryTokenStore::new();
        let managed = Record::of_tokens(Some(slot("a")), tokens("managed"), &Random::seeded(1));
        assert_eq!(store.commit(&slot("a"), None, &managed).unwrap(), Commit::Done);
        assert_eq!(store.load().unwrap().unwrap().access_token(), "managed");
        store.clear().unwrap();
        assert!(store.load().unwrap().is_none());
        assert!(store.read(&slot("a")).unwrap().unwrap().tokens().is_none());
    }

    #[test]
    fn s1_what_was_saved_belongs_to_the_slot_that_uses_it_first() {
        let store = MemoryTokenStore::new();
        store.save(&tokens("saved")).unwrap();
        let read = store.read(&slot("a")).unwrap().unwrap();
        assert_eq!(store.commit(&slot("a"), Some(read.version()), &read.next()).unwrap(), Commit::Done);
        assert_eq!(store.load().unwrap().unwrap().access_token(), "saved");
        assert!(store.read(&slot("b")).unwrap().is_none(), "and to no other");
    }

    #[test]
    fn s1_a_memory_names_no_holder_sets_nothing_aside_and_has_nothing_to_mend() {
        let store = MemoryTokenStore::new();
        let slot = slot("a");
        let guard = store.try_guard(&slot).unwrap().expect("nobody else has it");
        assert_eq!(store.guard_holder(&slot), None);
        assert_eq!(store.set_aside(&slot).unwrap(), None);
        assert!(store.take_warnings().is_empty());
        drop(guard);
    }
}
