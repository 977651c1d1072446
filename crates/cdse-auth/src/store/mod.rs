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
    /// When the stored tokens cannot be read; that there are none is not an error.
    fn load(&self) -> Result<Option<TokenSet>>;

    /// Keeps the tokens in place of anything stored before.
    ///
    /// # Errors
    ///
    /// When they could not be stored; what was stored before is then still there.
    fn save(&self, tokens: &TokenSet) -> Result<()>;

    /// Removes any stored tokens.
    ///
    /// # Errors
    ///
    /// When they could not be removed.
    fn clear(&self) -> Result<()>;

    /// The larger contract, if the store keeps it.
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
    /// Readers see a whole record, as it was committed: the old one or the new one while it is being replaced.
    ///
    /// # Errors
    ///
    /// When there is a record that cannot be used (damaged, newer, unsafe, of another slot) or read.
    fn read(&self, slot: &Slot) -> Result<Option<Record>>;

    /// Replaces the record of `slot`, atomically and durably, if what is stored is `base` (`None`: nothing).
    ///
    /// Of two commits on one base exactly one is done if the [`Guard`] is held; without it the later one may win, which the
    /// generation shows.
    ///
    /// # Errors
    ///
    /// [`StoreUnwritable`](crate::ErrorKind::StoreUnwritable) when it could not be stored; what was stored before is then
    /// still there.
    fn commit(&self, slot: &Slot, base: Option<Version>, record: &Record) -> Result<Commit>;

    /// Tries to become the one process that exchanges tokens for `slot`. It does not wait.
    ///
    /// # Errors
    ///
    /// [`StoreUnusable`](crate::ErrorKind::StoreUnusable) where guards do not work at all.
    fn try_guard(&self, slot: &Slot) -> Result<Option<Box<dyn Guard>>>;

    /// The process that holds the guard, if one does and the store knows which.
    fn guard_holder(&self, _slot: &Slot) -> Option<Holder> {
        None
    }

    /// Moves a damaged record out of the way, under the guard, and returns where it is now. `None` if there is none, or the
    /// store cannot do that.
    ///
    /// # Errors
    ///
    /// When it could not be moved.
    fn set_aside(&self, _slot: &Slot) -> Result<Option<std::path::PathBuf>> {
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
    /// What is stored is not the base: read it again.
    Moved,
}

/// What a store is, for [`Status`](crate::Status).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoreDescription {
    /// `memory`, `file`, or the store's own name.
    pub kind: &'static str,
    /// Its path, if it has one.
    pub path: Option<std::path::PathBuf>,
    /// Whether several processes share one session through it. `false`: single flight within this process only.
    pub shared: bool,
}
