//! A session in a file: atomic, private, locked, durable ([`PrivateFile`]).

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use cdse_files::PrivateFile;

use super::{Commit, Guard, Holder, RecordStore, StoreDescription, TokenStore};
use crate::error::{Error, ErrorKind, Result};
use crate::problem::Problem;
use crate::random::Random;
use crate::record::{Record, Slot, Version};
use crate::sync::Arc;
use crate::text::printable;
use crate::token::TokenSet;

/// A record is some 4 kB; a larger file is not a record.
const LARGEST: u64 = 1 << 20;

/// Persists one session to one JSON file that only its owner can read (mode 0600), so that a login survives across
/// processes; any number of processes may use it at the same time.
///
/// The password and the TOTP secret are never stored. Creating the value touches no file.
///
/// A session file belongs to one machine: where refresh tokens are one-time, two copies of it end each other's session.
///
/// ```no_run
/// use cdse_auth::{FileTokenStore, PasswordAuth, TokenManager};
///
/// let manager = TokenManager::builder(PasswordAuth::new("user@example.com", "not-a-real-password"))
///     .store(FileTokenStore::new("/home/me/.local/state/my-tool/session.json"))
///     .build()?;
/// # Ok::<(), cdse_auth::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct FileTokenStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: PrivateFile,
    random: Random,
}

impl FileTokenStore {
    /// The session in the file at `path`. Its folder is created when something is stored.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let file = PrivateFile::new(path).called("the session file").with_limit(LARGEST).in_own_folder();
        Self(Arc::new(Inner { file, random: Random::default() }))
    }

    /// The session file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.file.path()
    }

    /// Whose session the file holds, or `None` when there is no file, or one that was saved without a slot.
    ///
    /// # Errors
    ///
    /// As [`TokenStore::load`].
    pub fn slot(&self) -> Result<Option<Slot>> {
        Ok(self.read_any()?.and_then(|record| record.slot))
    }

    /// From now on these operations fail (feature `testing`).
    #[cfg(feature = "testing")]
    pub fn set_faults(&self, faults: impl IntoIterator<Item = cdse_files::Fault>) {
        self.0.file.set_faults(faults);
    }

    /// From now on calls `watcher`, in place of any other, before each operation. An error number of the system that it returns
    /// makes the operation fail (feature `testing`).
    #[cfg(feature = "testing")]
    pub fn watch(&self, watcher: impl FnMut(cdse_files::FileOperation) -> Option<i32> + Send + 'static) {
        self.0.file.watch(watcher);
    }

    /// The record, whosever it is.
    fn read_any(&self) -> Result<Option<Record>> {
        let text = match self.0.file.read() {
            Err(error) if error.kind() == cdse_files::ErrorKind::TooLarge => {
                return Err(self.damaged("it is too large"));
            }
            read => read?,
        };
        let Some(text) = text else { return Ok(None) };
        match Record::from_json(&text) {
            Ok(record) => Ok(Some(record)),
            Err(error) if error.kind() == ErrorKind::StoreNewer => {
                let path = self.path().display();
                let why =
                    format!("the session file {path} was written by a newer version ({error}); it was not changed");
                Err(Error::new(ErrorKind::StoreNewer, why).with_hint("update this program"))
            }
            Err(_) if text.is_empty() => Err(self.damaged("it is empty")),
            Err(error) => Err(self.damaged(error.message())),
        }
    }

    /// In the place of `stored`, if that is `base`.
    fn commit_over(&self, stored: Option<&Record>, base: Option<Version>, record: &Record) -> Result<Commit> {
        if stored.map(Record::version) != base {
            return Ok(Commit::Moved);
        }
        self.0.file.replace(&record.to_json())?;
        if record.tokens.is_none() && record.out {
            // A logout leaves no token behind, not even in the temporary file of a process that died a moment ago.
            self.0.file.remove_leftovers();
        }
        Ok(Commit::Done)
    }

    fn damaged(&self, why: &str) -> Error {
        Error::new(ErrorKind::StoreDamaged, format!("the session file {} is damaged: {why}", self.path().display()))
    }
}

impl TokenStore for FileTokenStore {
    fn load(&self) -> Result<Option<TokenSet>> {
        Ok(self.read_any()?.and_then(|record| record.tokens))
    }

    fn save(&self, tokens: &TokenSet) -> Result<()> {
        loop {
            let stored = self.read_any()?;
            let base = stored.as_ref().map(Record::version);
            let record = Record::of_tokens(stored.and_then(|record| record.slot), tokens.clone(), &self.0.random);
            if self.commit_over(self.read_any()?.as_ref(), base, &record)? == Commit::Done {
                return Ok(());
            }
        }
    }

    fn clear(&self) -> Result<()> {
        while let Some(record) = self.read_any()? {
            if self.commit_over(self.read_any()?.as_ref(), Some(record.version()), &record.cleared())? == Commit::Done {
                break;
            }
        }
        Ok(())
    }

    fn records(&self) -> Option<&dyn RecordStore> {
        Some(self)
    }
}

impl RecordStore for FileTokenStore {
    fn read(&self, slot: &Slot) -> Result<Option<Record>> {
        let record = self.read_any()?;
        match record.as_ref().and_then(Record::slot) {
            Some(other) if other != slot => {
                let why = format!(
                    "{} holds the session of another account ({}, client {}); it was not changed",
                    self.path().display(),
                    printable(other.subject.as_deref().unwrap_or("no user"), 80),
                    printable(&other.client_id, 80)
                );
                Err(Error::new(ErrorKind::StoreUnsafe, why).with_hint("move it away"))
            }
            _ => Ok(record),
        }
    }

    fn commit(&self, slot: &Slot, base: Option<Version>, record: &Record) -> Result<Commit> {
        self.commit_over(self.read(slot)?.as_ref(), base, record)
    }

    fn try_guard(&self, _: &Slot) -> Result<Option<Box<dyn Guard>>> {
        Ok(self.0.file.try_lock()?.map(|lock| Box::new(FileGuard(lock)) as Box<dyn Guard>))
    }

    fn guard_holder(&self, _: &Slot) -> Option<Holder> {
        let note = printable(&self.0.file.lock_holder()?, 200);
        let mut words = note.split_whitespace();
        let process = words.next()?;
        let seconds = words.next().and_then(|since| since.parse().ok()).map(Duration::from_secs);
        Some(Holder::new(process, seconds.and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since))))
    }

    fn set_aside(&self, slot: &Slot) -> Result<Option<PathBuf>> {
        // Another process may have mended it since.
        if !matches!(self.read(slot), Err(error) if error.kind() == ErrorKind::StoreDamaged) {
            return Ok(None);
        }
        Ok(Some(self.0.file.set_aside(&format!(".damaged-{:08x}", self.0.random.u64() >> 32))?))
    }

    fn take_warnings(&self) -> Vec<Problem> {
        self.0.file.take_warnings().iter().map(Problem::of_file).collect()
    }

    fn description(&self) -> StoreDescription {
        StoreDescription { kind: "file", path: Some(self.path().to_owned()), shared: true }
    }
}

/// A file lock, which the kernel frees when its holder dies.
#[derive(Debug)]
struct FileGuard(#[expect(dead_code, reason = "it is held")] cdse_files::Lock);

impl Guard for FileGuard {
    fn holds_for(&self, _: Duration) -> bool {
        true
    }
}
