//! A session as one secret of the keyring.
//!
//! The record is the same text as in the file store's file, and is replaced as a whole. A keyring has no locks, so the guard
//! is the file store's lock file, in a folder that is given.

use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cdse_auth::store::{Commit, Guard, Holder, RecordStore, StoreDescription};
use cdse_auth::text::printable;
use cdse_auth::{
    Error, ErrorKind, FileTokenStore, Problem, Random, Record, Result, Slot, TokenSet, TokenStore, Version,
};

use crate::call::within;
use crate::service::{Attributes, Place, Service};
use crate::trouble::{LONGEST, Trouble};

/// A keyring that does not have to ask its user answers sooner.
const LIMIT: Duration = Duration::from_secs(3);

/// What the name of a lock file ends with.
const LOCK: &str = ".keyring.lock";

/// Keeps one session in the keyring of the desktop; any number of processes may use it at the same time.
///
/// The secret is found by the name and the folder, so that two folders have two sessions, as with files. A keyring has no
/// locks, so the guard is the file `<name>.keyring.lock` in that folder, which must be on a file system with locks. Creating
/// the value touches neither the folder nor the bus.
///
/// Each call of the keyring has a limit of 3 s ([`with_time_limit`](Self::with_time_limit)), and a commit makes two calls. The
/// user is not asked to unlock the keyring, except with [`with_unlock_prompt`](Self::with_unlock_prompt). A keyring that does
/// not answer, is locked or is not there is an error; the session is not kept anywhere else.
#[derive(Clone, Debug)]
pub struct KeyringTokenStore(Arc<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    folder: PathBuf,
    name: String,
    label: String,
    /// Its lock is this store's; it never has a file of its own.
    lock: FileTokenStore,
    bus: Option<String>,
    limit: Duration,
    unlock: Option<Duration>,
}

impl KeyringTokenStore {
    /// The session called `name` of those that are locked in `folder`.
    pub fn new(folder: impl Into<PathBuf>, name: impl Into<String>) -> Self {
        let (folder, name) = (folder.into(), name.into());
        let lock = FileTokenStore::new(folder.join(format!("{name}.keyring")));
        let label = format!("cdse session {name}");
        Self(Arc::new(Inner { folder, name, label, lock, bus: None, limit: LIMIT, unlock: None }))
    }

    /// The label that the keyring's manager shows.
    #[must_use]
    pub fn with_label(self, label: impl Into<String>) -> Self {
        self.with(|inner| inner.label = label.into())
    }

    /// How long one call may take. Defaults to 3 s.
    #[must_use]
    pub fn with_time_limit(self, limit: Duration) -> Self {
        self.with(|inner| inner.limit = limit)
    }

    /// Lets a locked keyring ask its user to unlock it, and waits this long. For interactive programs.
    #[must_use]
    pub fn with_unlock_prompt(self, patience: Duration) -> Self {
        self.with(|inner| inner.unlock = Some(patience))
    }

    /// The bus at this D-Bus address in place of the session bus.
    #[must_use]
    pub fn with_bus(self, address: impl Into<String>) -> Self {
        self.with(|inner| inner.bus = Some(address.into()))
    }

    /// The lock file. It is created at the first use of the session and never deleted.
    #[must_use]
    pub fn lock_path(&self) -> PathBuf {
        self.0.folder.join(format!("{}{LOCK}", self.0.name))
    }

    /// The names of the sessions that were used with this folder, whether or not the keyring still has them.
    ///
    /// # Errors
    ///
    /// When the folder is there and cannot be read.
    pub fn names(folder: &Path) -> std::io::Result<Vec<String>> {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let name = |entry: std::fs::DirEntry| Some(entry.file_name().to_str()?.strip_suffix(LOCK)?.to_owned());
        let mut names: Vec<String> = entries.flatten().filter_map(name).collect();
        names.sort();
        Ok(names)
    }

    /// Whose session the keyring holds, or `None` when it holds none, or one that was saved without a slot.
    ///
    /// # Errors
    ///
    /// As [`TokenStore::load`].
    pub fn slot(&self) -> Result<Option<Slot>> {
        Ok(self.read_any()?.and_then(|record| record.slot().cloned()))
    }

    fn with(self, change: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = Arc::unwrap_or_clone(self.0);
        change(&mut inner);
        Self(Arc::new(inner))
    }

    /// One call, and if need be and allowed the unlocking before it.
    fn call<T, F>(&self, work: impl FnOnce(Service, Attributes) -> F + Clone + Send + 'static) -> Result<T, Trouble>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Trouble>> + Send,
    {
        let Inner { limit, unlock, .. } = &*self.0;
        match (self.call_once(*limit, work.clone()), unlock) {
            (Err(Trouble::Locked), Some(patience)) => {
                self.call_once(*patience, |service, attributes| async move { service.unlock(&attributes).await })
                    .map_err(|trouble| if let Trouble::Silent(_) = trouble { Trouble::Declined } else { trouble })?;
                self.call_once(*limit, work)
            }
            (result, _) => result,
        }
    }

    fn call_once<T, F>(
        &self,
        limit: Duration,
        work: impl FnOnce(Service, Attributes) -> F + Send + 'static,
    ) -> Result<T, Trouble>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Trouble>> + Send,
    {
        let (bus, attributes) = (self.0.bus.clone(), attributes(&self.0.folder, self.0.name.clone()));
        within(limit, async move { work(Service::open(bus.as_deref()).await?, attributes).await })
    }

    /// The record, whosever it is.
    fn read_any(&self) -> Result<Option<Record>> {
        let text = self.call(|service, attributes| async move {
            match service.find(&attributes).await? {
                Place::Item(item) => service.read(&item).await.map(Some),
                Place::Collection(_) => Ok(None),
            }
        });
        text.map_err(Trouble::unusable)?.map(|text| self.parse(&text)).transpose()
    }

    fn parse(&self, text: &[u8]) -> Result<Record> {
        Record::from_json(text).map_err(|error| {
            let of_secret =
                |why: String| Error::new(error.kind(), format!("the secret '{}' in the keyring {why}", self.label()));
            if error.kind() == ErrorKind::StoreNewer {
                of_secret(format!("was written by a newer version ({error}); it was not changed"))
                    .with_hint("update this program, or keep the session in a file")
            } else {
                of_secret(format!("is damaged: {}", if text.is_empty() { "it is empty" } else { error.message() }))
            }
        })
    }

    fn write(&self, record: &Record) -> Result<()> {
        let (text, label) = (Arc::new(record.to_json()), self.0.label.clone());
        let written = self.call(move |service, attributes| async move {
            match service.find(&attributes).await? {
                Place::Item(item) => service.replace(&item, &text).await,
                Place::Collection(collection) => service.create(&collection, &label, &attributes, &text).await,
            }
        });
        written.map_err(Trouble::unwritable)
    }

    fn commit_over(&self, stored: Option<&Record>, base: Option<Version>, record: &Record) -> Result<Commit> {
        if stored == Some(record) {
            // It was stored by a call whose answer came too late.
            return Ok(Commit::Done);
        }
        if stored.map(Record::version) != base {
            return Ok(Commit::Moved);
        }
        self.write(record)?;
        Ok(Commit::Done)
    }

    fn label(&self) -> String {
        printable(&self.0.label, LONGEST)
    }
}

/// The folder is part of the name, and one folder has many paths.
fn attributes(folder: &Path, name: String) -> Attributes {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    Attributes::from([
        ("application", "cdse".to_owned()),
        ("folder", without_links(&folder).to_string_lossy().into_owned()),
        ("name", name),
    ])
}

/// The path without symbolic links, also of a folder that is not there yet.
fn without_links(folder: &Path) -> PathBuf {
    match (folder.canonicalize(), folder.parent(), folder.file_name()) {
        (Ok(path), _, _) => path,
        (Err(_), Some(parent), Some(name)) => without_links(parent).join(name),
        _ => folder.to_owned(),
    }
}

impl TokenStore for KeyringTokenStore {
    fn load(&self) -> Result<Option<TokenSet>> {
        Ok(self.read_any()?.and_then(|record| record.tokens().cloned()))
    }

    fn save(&self, tokens: &TokenSet) -> Result<()> {
        loop {
            let stored = self.read_any()?;
            let slot = stored.as_ref().and_then(Record::slot).cloned();
            let record = Record::of_tokens(slot, tokens.clone(), &Random::default());
            if self.commit_over(stored.as_ref(), stored.as_ref().map(Record::version), &record)? == Commit::Done {
                return Ok(());
            }
        }
    }

    fn clear(&self) -> Result<()> {
        // As a commit: what somebody has stored since is not what was to be cleared, and is read again.
        while let Some(stored) = self.read_any()? {
            if self.commit_over(self.read_any()?.as_ref(), Some(stored.version()), &stored.cleared())? == Commit::Done {
                break;
            }
        }
        Ok(())
    }

    fn records(&self) -> Option<&dyn RecordStore> {
        Some(self)
    }
}

impl RecordStore for KeyringTokenStore {
    fn read(&self, slot: &Slot) -> Result<Option<Record>> {
        let record = self.read_any()?;
        match record.as_ref().and_then(Record::slot) {
            Some(other) if other != slot => {
                let why = format!(
                    "the secret '{}' in the keyring holds the session of another account ({}, client {}); it was not changed",
                    self.label(),
                    printable(other.subject.as_deref().unwrap_or("no user"), LONGEST),
                    printable(&other.client_id, LONGEST)
                );
                Err(Error::new(ErrorKind::StoreUnsafe, why).with_hint("use another name"))
            }
            _ => Ok(record),
        }
    }

    fn commit(&self, slot: &Slot, base: Option<Version>, record: &Record) -> Result<Commit> {
        self.commit_over(self.read(slot)?.as_ref(), base, record)
    }

    fn try_guard(&self, slot: &Slot) -> Result<Option<Box<dyn Guard>>> {
        self.0.lock.try_guard(slot)
    }

    fn guard_holder(&self, slot: &Slot) -> Option<Holder> {
        self.0.lock.guard_holder(slot)
    }

    fn set_aside(&self, slot: &Slot) -> Result<Option<PathBuf>> {
        // Somebody may have mended it since.
        if !matches!(self.read(slot), Err(error) if error.kind() == ErrorKind::StoreDamaged) {
            return Ok(None);
        }
        let mark = format!("{:08x}", RandomState::new().hash_one(&self.0.name) >> 32);
        let aside = format!("{} (damaged {mark})", self.0.label);
        let (label, name) = (aside.clone(), format!("{}.damaged-{mark}", self.0.name));
        let renamed = self.call(move |service, mut attributes| async move {
            let Place::Item(item) = service.find(&attributes).await? else { return Ok(()) };
            attributes.insert("name", name);
            service.rename(&item, &label, &attributes).await
        });
        renamed.map_err(Trouble::unwritable)?;
        Ok(Some(aside.into()))
    }

    fn take_warnings(&self) -> Vec<Problem> {
        self.0.lock.take_warnings()
    }

    fn description(&self) -> StoreDescription {
        StoreDescription { kind: "keyring", path: None, shared: true }
    }
}
