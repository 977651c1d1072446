//! Where sessions are kept between calls, tasks and processes.
//!
//! Two contracts, one inside the other:
//!
//! * [`TokenStore`]: `load`, `save` and `clear` of a [`TokenSet`]. A simple store needs nothing more; it gives single
//!   flight within its process only, and [`Status`](crate::Status) says so.
//! * [`RecordStore`]: records of slots, replaced by [`commit`](RecordStore::commit), and a [`Guard`] that one process
//!   at a time can hold. Every store for several processes keeps it, and the suite `contract` (feature
//!   `testing`) tests that it does.

#[cfg(any(test, feature = "testing"))]
pub mod contract;
mod file;
mod memory;
mod simple;

use std::fmt;
use std::time::SystemTime;

#[cfg(feature = "testing")]
pub use cdse_files::{Fault, FileOperation};
pub use file::FileTokenStore;
pub use memory::MemoryTokenStore;
pub(crate) use simple::SimpleStore;

use crate::error::Result;
use crate::problem::Problem;
use crate::record::{Record, Slot, Version};
use crate::token::TokenSet;

/// Keeps the tokens of one session. All methods may block for a moment. `load`, and [`RecordStore::read`], are also called on
/// the thread of a caller that finds nothing in memory; the others on the manager's own thread.
pub trait TokenStore: fmt::Debug + Send + Sync {
    /// The stored tokens, or `None` when nothing is stored.
    ///
    /// # Errors
    ///
    /// When what is stored cannot be read; never merely because there is nothing.
    fn load(&self) -> Result<Option<TokenSet>>;

    /// Keeps the tokens in place of anything stored before.
    ///
    /// # Errors
    ///
    /// When they could not be kept; what was stored before is then still there.
    fn save(&self, tokens: &TokenSet) -> Result<()>;

    /// Removes any stored tokens.
    ///
    /// # Errors
    ///
    /// When they could not be removed.
    fn clear(&self) -> Result<()>;

    /// The full contract, for a store that keeps it.
    fn records(&self) -> Option<&dyn RecordStore> {
        None
    }
}

impl<S: TokenStore + ?Sized> TokenStore for std::sync::Arc<S> {
    fn load(&self) -> Result<Option<TokenSet>> {
        (**self).load()
    }

    fn save(&self, tokens: &TokenSet) -> Result<()> {
        (**self).save(tokens)
    }

    fn clear(&self) -> Result<()> {
        (**self).clear()
    }

    fn records(&self) -> Option<&dyn RecordStore> {
        (**self).records()
    }
}

/// Keeps one record per slot, for several processes.
pub trait RecordStore: Send + Sync {
    /// The record of `slot`, or `None` when there is none.
    ///
    /// Readers see a record as it was committed: never a part of one, and never nothing while one is being replaced.
    ///
    /// # Errors
    ///
    /// When there is a record that cannot be used (damaged, newer, unsafe, of another slot) or read.
    fn read(&self, slot: &Slot) -> Result<Option<Record>>;

    /// Replaces the record of `slot`, atomically and durably, if what is stored is `base` (`None`: nothing).
    ///
    /// Two commits that race on one base: exactly one of them is done where the [`Guard`] is held; without it the later
    /// one may win, and the generation tells.
    ///
    /// # Errors
    ///
    /// [`StoreUnwritable`](crate::ErrorKind::StoreUnwritable) when the store does not take it; what was stored before
    /// is then still there.
    fn commit(&self, slot: &Slot, base: Option<Version>, record: &Record) -> Result<Commit>;

    /// Tries to become the one process that exchanges tokens for `slot`. It does not wait.
    ///
    /// # Errors
    ///
    /// [`StoreUnusable`](crate::ErrorKind::StoreUnusable) where no guard can be had at all.
    fn try_guard(&self, slot: &Slot) -> Result<Option<Box<dyn Guard>>>;

    /// The process that holds the guard, if one does and the store knows which.
    fn guard_holder(&self, slot: &Slot) -> Option<Holder> {
        let _ = slot;
        None
    }

    /// Moves a damaged record out of the way, under the guard, and says where to. `None` if the store has no such thing.
    ///
    /// # Errors
    ///
    /// When it could not be moved.
    fn set_aside(&self, slot: &Slot) -> Result<Option<std::path::PathBuf>> {
        let _ = slot;
        Ok(None)
    }

    /// What the store has noticed or mended since the last call.
    fn take_warnings(&self) -> Vec<Problem> {
        Vec::new()
    }

    /// What it is and where.
    fn description(&self) -> StoreDescription;
}

/// The right to exchange tokens for a slot; given back on drop, and by the death of its process.
pub trait Guard: fmt::Debug + Send {
    /// Whether the guard will still be held for `length`.
    fn holds_for(&self, length: std::time::Duration) -> bool;
}

/// The process that holds a guard. `Display` shows the process.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Holder {
    /// `pid@host`.
    pub process: String,
    /// Since when, where that is known.
    pub since: Option<SystemTime>,
}

impl Holder {
    /// The process `pid@host`.
    pub fn new(process: impl Into<String>, since: Option<SystemTime>) -> Self {
        Self { process: process.into(), since }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.process)
    }
}

/// What became of a commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Commit {
    /// The record is stored.
    Done,
    /// Something else than the base is stored: read again.
    Moved,
}

/// A store, for people and for `status`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoreDescription {
    /// `memory`, `file`, or the store's own name.
    pub kind: &'static str,
    /// Where it is, if it is somewhere.
    pub path: Option<std::path::PathBuf>,
    /// Whether several processes share one session through it. `false`: single flight within this process only.
    pub shared: bool,
}
