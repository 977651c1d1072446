//! A store in memory that notes how it is used, and can be told to fail.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cdse_auth::store::{Commit, Guard, RecordStore, StoreDescription};
use cdse_auth::{Error, ErrorKind, MemoryTokenStore, Record, Result, Slot, TokenSet, TokenStore, Version};

#[derive(Debug, Clone, Default)]
pub(crate) struct Watched {
    pub(crate) store: MemoryTokenStore,
    /// How often it was read.
    pub(crate) looks: Arc<AtomicUsize>,
    pub(crate) writes: Arc<AtomicUsize>,
    /// This write, counted from 0, is said to have failed, though it is done.
    pub(crate) late: Option<usize>,
    /// At so many writes somebody else was faster.
    pub(crate) moved: Arc<AtomicUsize>,
    /// How long its lock was asked to last.
    pub(crate) asked: Arc<Mutex<Vec<Duration>>>,
}

#[derive(Debug)]
struct WatchedGuard(Box<dyn Guard>, Watched);

impl Guard for WatchedGuard {
    fn holds_for(&self, length: Duration) -> bool {
        self.1.asked.lock().unwrap().push(length);
        self.0.holds_for(length)
    }
}

impl TokenStore for Watched {
    fn load(&self) -> Result<Option<TokenSet>> {
        self.store.load()
    }

    fn save(&self, tokens: &TokenSet) -> Result<()> {
        self.store.save(tokens)
    }

    fn clear(&self) -> Result<()> {
        self.store.clear()
    }

    fn records(&self) -> Option<&dyn RecordStore> {
        Some(self)
    }
}

impl RecordStore for Watched {
    fn read(&self, slot: &Slot) -> Result<Option<Record>> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.store.records().unwrap().read(slot)
    }

    fn commit(&self, slot: &Slot, base: Option<Version>, record: &Record) -> Result<Commit> {
        let one_less = |left: usize| left.checked_sub(1);
        if self.moved.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok() {
            return Ok(Commit::Moved);
        }
        let done = self.store.records().unwrap().commit(slot, base, record);
        if Some(self.writes.fetch_add(1, Ordering::SeqCst)) == self.late {
            return Err(Error::new(ErrorKind::StoreUnusable, "no answer in time"));
        }
        done
    }

    fn try_guard(&self, slot: &Slot) -> Result<Option<Box<dyn Guard>>> {
        let guard = self.store.records().unwrap().try_guard(slot)?;
        Ok(guard.map(|guard| Box::new(WatchedGuard(guard, self.clone())) as Box<dyn Guard>))
    }

    fn description(&self) -> StoreDescription {
        StoreDescription { shared: true, ..self.store.records().unwrap().description() }
    }
}
