//! A session in a file: atomic, private, locked, durable.
//!
//! The record is replaced by writing a new file beside it, syncing it and renaming it over the old one: a reader sees
//! the old record or the new one. The lock file lies beside it and is never deleted, for a deleted lock file would let
//! two processes hold two different locks of one name.

use std::ffi::OsString;
use std::fmt;
use std::fs::{File, Metadata, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{Commit, Guard, RecordStore, StoreDescription, TokenStore};
use crate::clock::{Millis, span};
use crate::error::{Error, ErrorKind, Result, cleaned};
use crate::os;
use crate::random::Random;
use crate::record::{Record, Slot, Version};
use crate::sync::{Arc, Mutex, lock};
use crate::token::TokenSet;

/// A record is some 4 kB; a file of this size is none.
const LARGEST: u64 = 1 << 20;
/// A temporary file that is older was left by a process that died.
const LEFTOVER_AGE: Millis = 60_000;

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
#[derive(Clone)]
pub struct FileTokenStore(Arc<Inner>);

struct Inner {
    path: PathBuf,
    random: Random,
    warnings: Mutex<Vec<String>>,
    open: Mutex<OpenToOthers>,
    #[cfg(any(test, feature = "testing"))]
    watcher: Mutex<Option<Watcher>>,
}

/// What was found that lets others at the session and cannot be mended here.
#[derive(Default)]
struct OpenToOthers {
    folder: bool,
    /// It keeps no permissions.
    file_system: bool,
    said: bool,
}

/// Is told of each step before it is taken, and may let it fail with an error number of the system.
#[cfg(any(test, feature = "testing"))]
type Watcher = Box<dyn FnMut(FileOperation) -> Option<i32> + Send>;

/// A step of the file store (feature `testing`).
#[cfg_attr(not(any(test, feature = "testing")), expect(unreachable_pub, reason = "public for tests only"))]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileOperation {
    /// Opening the record.
    OpenRecord,
    /// Creating the folder.
    CreateFolder,
    /// Making that durable.
    SyncParent,
    /// Creating the temporary file.
    CreateTemporary,
    /// Writing the record.
    Write,
    /// Making it durable.
    Sync,
    /// Replacing the old record.
    Rename,
    /// Making that durable.
    SyncFolder,
    /// Opening the lock file.
    OpenLock,
    /// Locking it.
    Lock,
    /// Writing into it who has locked it.
    NoteHolder,
    /// Removing what a process that died has left.
    RemoveLeftover,
}

/// An operation that fails with an error number of the system (feature `testing`).
#[cfg(any(test, feature = "testing"))]
pub type Fault = (FileOperation, i32);

impl FileTokenStore {
    /// The session in the file at `path`. Its folder is created when something is stored.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Inner {
            path: path.into(),
            random: Random::default(),
            warnings: Mutex::default(),
            open: Mutex::default(),
            #[cfg(any(test, feature = "testing"))]
            watcher: Mutex::default(),
        }))
    }

    /// The session file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
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
    #[cfg(any(test, feature = "testing"))]
    pub fn set_faults(&self, faults: impl IntoIterator<Item = Fault>) {
        let faults: Vec<Fault> = faults.into_iter().collect();
        self.watch(move |operation| faults.iter().find(|(failing, _)| *failing == operation).map(|(_, errno)| *errno));
    }

    /// From now on `watcher` is told of each operation before it is done, in place of any that was told before. What it
    /// returns is the error number of the system that the operation fails with (feature `testing`).
    #[cfg(any(test, feature = "testing"))]
    pub fn watch(&self, watcher: impl FnMut(FileOperation) -> Option<i32> + Send + 'static) {
        *lock(&self.0.watcher) = Some(Box::new(watcher));
    }

    fn step(&self, operation: FileOperation) -> io::Result<()> {
        #[cfg(any(test, feature = "testing"))]
        if let Some(errno) = lock(&self.0.watcher).as_mut().and_then(|watcher| watcher(operation)) {
            return Err(io::Error::from_raw_os_error(errno));
        }
        let _ = operation;
        Ok(())
    }

    /// One step, once more where a signal came in between (some file systems let it).
    fn take<T>(&self, operation: FileOperation, mut step: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        loop {
            match self.step(operation).and_then(|()| step()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn folder(&self) -> &Path {
        match self.0.path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        }
    }

    fn beside(&self, before: &str, after: &str) -> PathBuf {
        let mut name = OsString::from(before);
        name.push(self.0.path.file_name().unwrap_or_default());
        name.push(after);
        self.folder().join(name)
    }

    fn lock_path(&self) -> PathBuf {
        self.beside("", ".lock")
    }

    fn warn(&self, warning: String) {
        lock(&self.0.warnings).push(warning);
    }

    /// The record, whosever it is.
    fn read_any(&self) -> Result<Option<Record>> {
        let path = &self.0.path;
        let mut file = match self.take(FileOperation::OpenRecord, || os::open_read(path)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Err(self.no_folder()),
            Err(error) if os::is_link_refusal(&error) => return Err(self.unsafe_link(path)),
            Err(error) => return Err(self.unreadable(&error)),
        };
        let folder = std::fs::metadata(self.folder()).map_err(|error| self.unreadable(&error))?;
        self.check_folder(&folder)?;
        let metadata = file.metadata().map_err(|error| self.unreadable(&error))?;
        self.check_file(&file, path, &metadata)?;
        let size = metadata.len();
        if size > LARGEST {
            return Err(self.damaged("it is far too large"));
        }
        // Room for the whole file: growing would leave copies of tokens behind.
        let mut text = Zeroizing::new(Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1));
        (&mut file).take(LARGEST).read_to_end(&mut text).map_err(|error| self.unreadable(&error))?;
        match Record::from_json(&text) {
            Ok(record) => Ok(Some(record)),
            Err(error) if error.kind() == ErrorKind::StoreNewer => Err(Error::new(
                ErrorKind::StoreNewer,
                format!(
                    "the session file {} was written by a newer version ({error}); it was left untouched: update this \
                     program, or use another state folder",
                    path.display()
                ),
            )),
            Err(_) if text.is_empty() => Err(self.damaged("it is empty")),
            Err(error) => Err(self.damaged(error.message())),
        }
    }

    /// Ours, a plain file, and closed to others, if need be from now on.
    fn check_file(&self, file: &File, path: &Path, metadata: &Metadata) -> Result<()> {
        if !metadata.is_file() {
            let why = format!("{} is no plain file; move it away and try again", path.display());
            return Err(Error::new(ErrorKind::StoreUnsafe, why));
        }
        if !os::is_ours(metadata) {
            return Err(foreign(path, metadata));
        }
        if os::is_loose(metadata) {
            match os::tighten(file, metadata) {
                Ok(after) if os::is_loose(&after) => self.warn_unprotected(),
                Ok(_) => self.warn(format!(
                    "other users could read {}: its permissions were corrected; if others use this machine, log out \
                     and in again",
                    path.display()
                )),
                Err(error) => self.warn(format!("other users can read {}: {error}", path.display())),
            }
        }
        Ok(())
    }

    fn warn_unprotected(&self) {
        lock(&self.0.open).file_system = true;
    }

    fn prepare_folder(&self) -> Result<()> {
        let folder = self.folder();
        let metadata = match std::fs::metadata(folder) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if let Some((above, owner)) = os::foreign_ancestor(folder) {
                    return Err(foreign_place(folder, &above, &owner));
                }
                self.create_folder(folder).map_err(|error| unwritable(folder, "created", &error))?
            }
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Err(self.no_folder()),
            Err(error) => return Err(unwritable(folder, "used", &error)),
        };
        self.check_folder(&metadata)?;
        if let Some(why) = os::unfit_file_system(folder) {
            let why = format!("{why}, or keep the state folder on a disk of this machine");
            return Err(Error::new(ErrorKind::StoreUnsafe, why));
        }
        if os::is_open_folder(&metadata) {
            // It may be anybody's working folder: its rights are not this store's to change.
            lock(&self.0.open).folder = true;
        }
        Ok(())
    }

    fn create_folder(&self, folder: &Path) -> io::Result<Metadata> {
        for changed in self.take(FileOperation::CreateFolder, || os::create_private_folder(folder))? {
            // It may be anybody's, and closed to reading: the folder is there all the same.
            let _ = self.take(FileOperation::SyncParent, || os::sync_folder(&changed));
        }
        std::fs::metadata(folder)
    }

    fn check_folder(&self, metadata: &Metadata) -> Result<()> {
        let folder = self.folder();
        if !metadata.is_dir() {
            return Err(self.no_folder());
        }
        if !os::is_ours(metadata) {
            return Err(foreign(folder, metadata));
        }
        Ok(())
    }

    fn write(&self, record: &Record) -> Result<()> {
        self.prepare_folder()?;
        let temporary = self.beside(".", &format!(".{}.{:016x}.tmp", std::process::id(), self.0.random.u64()));
        self.write_and_rename(&temporary, record).map_err(|error| {
            // What could not be written is of no use; what cannot be removed is a leftover for the next holder.
            let _ = std::fs::remove_file(&temporary);
            unwritable(&self.0.path, "written", &error)
        })?;
        if record.tokens.is_none() && record.out {
            // Whoever logs out leaves no token behind, not even in a file that somebody left who died a moment ago.
            self.remove_leftovers(0);
        }
        Ok(())
    }

    fn write_and_rename(&self, temporary: &Path, record: &Record) -> io::Result<()> {
        let mut file = self.take(FileOperation::CreateTemporary, || os::create_private(temporary))?;
        if os::is_loose(&file.metadata()?) {
            self.warn_unprotected();
        }
        // What is written twice is no record: what interrupts it inside is begun again inside.
        self.take(FileOperation::Write, || Ok(()))?;
        file.write_all(&record.to_json())?;
        self.take(FileOperation::Sync, || file.sync_all())?;
        drop(file);
        self.take(FileOperation::Rename, || std::fs::rename(temporary, &self.0.path))?;
        self.sync_folder();
        Ok(())
    }

    /// The record is in place by now, and only a power cut can take it away again: that is said, and no reason to fail.
    fn sync_folder(&self) {
        let folder = self.folder();
        match self.take(FileOperation::SyncFolder, || os::sync_folder(folder)) {
            Err(error) if !os::has_no_folder_sync(&error) => self.warn(format!(
                "{} could not be synced ({error}): a power cut may bring an older session back; check the disk",
                folder.display()
            )),
            _ => {}
        }
    }

    fn commit_any(&self, base: Option<Version>, record: &Record) -> Result<Commit> {
        if self.read_any()?.as_ref().map(Record::version) != base {
            return Ok(Commit::Moved);
        }
        self.write(record)?;
        Ok(Commit::Done)
    }

    /// Removes the temporary files that are older than `age`, and those whose time has not come: a clock was set back
    /// since their writer died.
    fn remove_leftovers(&self, age: Millis) {
        let Ok(entries) = std::fs::read_dir(self.folder()) else { return };
        let start = self.beside(".", ".").file_name().unwrap_or_default().to_string_lossy().into_owned();
        let now = os::coarse_now().wall;
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let left = || {
                let written = entry.metadata().and_then(|metadata| metadata.modified()).ok()?;
                let written = written.duration_since(std::time::SystemTime::UNIX_EPOCH).ok()?;
                Some(now.saturating_sub(span(written)).abs() >= age)
            };
            if name.starts_with(&start) && name.ends_with(".tmp") && left() == Some(true) {
                let _ = self.take(FileOperation::RemoveLeftover, || std::fs::remove_file(entry.path()));
            }
        }
    }

    fn no_folder(&self) -> Error {
        let why = format!("{} is no folder; move it away or use another state folder", self.folder().display());
        Error::new(ErrorKind::StoreUnsafe, why)
    }

    fn unsafe_link(&self, path: &Path) -> Error {
        let why = format!(
            "{} is a symbolic link, which could lead your session anywhere; remove it and try again",
            path.display()
        );
        Error::new(ErrorKind::StoreUnsafe, why)
    }

    fn unreadable(&self, error: &io::Error) -> Error {
        let remedy =
            if error.kind() == io::ErrorKind::PermissionDenied { "; make it readable for you alone" } else { "" };
        let why = format!("the session file {} cannot be read: {error}{remedy}", self.0.path.display());
        Error::new(ErrorKind::StoreUnusable, why)
    }

    fn damaged(&self, why: &str) -> Error {
        let why = format!("the session file {} is damaged: {why}", self.0.path.display());
        Error::new(ErrorKind::StoreDamaged, why)
    }
}

fn foreign(path: &Path, metadata: &Metadata) -> Error {
    let why = format!(
        "{} belongs to {}, not to you: it is not used; choose another state folder",
        path.display(),
        os::owner(metadata)
    );
    Error::new(ErrorKind::StoreUnsafe, why)
}

/// Nothing is made in another user's folder: that user's own programs could not use it.
fn foreign_place(folder: &Path, above: &Path, owner: &Metadata) -> Error {
    let why = format!(
        "{} would be made in {}, which belongs to {}, not to you: nothing was made there; with sudo, pass -H to use your own \
         home folder, or -u '#{}' to run as its owner; or choose another state folder",
        folder.display(),
        above.display(),
        os::owner(owner),
        os::owner_id(owner)
    );
    Error::new(ErrorKind::StoreUnsafe, why)
}

fn unwritable(path: &Path, what: &str, error: &io::Error) -> Error {
    let remedy = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => "make it writable",
        io::ErrorKind::IsADirectory => "move that folder away",
        _ => "look at what is there",
    };
    let why = format!("{} cannot be {what}: {error}; {remedy}, or choose another state folder", path.display());
    Error::new(ErrorKind::StoreUnwritable, why)
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
            if self.commit_any(base, &record)? == Commit::Done {
                return Ok(());
            }
        }
    }

    fn clear(&self) -> Result<()> {
        while let Some(record) = self.read_any()? {
            if self.commit_any(Some(record.version()), &record.cleared())? == Commit::Done {
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
                    "{} holds the session of another account ({}, client {}); it was left untouched: move it away, or use another file",
                    self.0.path.display(),
                    cleaned(other.subject.as_deref().unwrap_or("no user"), 80),
                    cleaned(&other.client_id, 80)
                );
                Err(Error::new(ErrorKind::StoreUnsafe, why))
            }
            _ => Ok(record),
        }
    }

    fn commit(&self, slot: &Slot, base: Option<Version>, record: &Record) -> Result<Commit> {
        if self.read(slot)?.as_ref().map(Record::version) != base {
            return Ok(Commit::Moved);
        }
        self.write(record)?;
        Ok(Commit::Done)
    }

    fn try_guard(&self, _: &Slot) -> Result<Option<Box<dyn Guard>>> {
        self.prepare_folder()?;
        let path = self.lock_path();
        let file = match self.take(FileOperation::OpenLock, || os::open_lock(&path)) {
            Ok(file) => file,
            Err(error) if os::is_link_refusal(&error) => return Err(self.unsafe_link(&path)),
            Err(error) => return Err(unwritable(&path, "opened", &error)),
        };
        let metadata = file.metadata().map_err(|error| unwritable(&path, "opened", &error))?;
        self.check_file(&file, &path, &metadata)?;
        let locked = self.take(FileOperation::Lock, || match file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        });
        match locked {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(error) => {
                let why = format!(
                    "{} cannot be locked: {error}; this file system has no file locks: keep the state folder on a local \
                     disk",
                    path.display()
                );
                return Err(Error::new(ErrorKind::StoreUnusable, why));
            }
        }
        // A courtesy for those who wait: without it the lock is as good.
        let _ = self.take(FileOperation::NoteHolder, || note_holder(&file));
        self.remove_leftovers(LEFTOVER_AGE);
        Ok(Some(Box::new(FileGuard { file, path, owner: std::process::id() })))
    }

    fn guard_holder(&self, _: &Slot) -> Option<String> {
        let mut file = os::open_read(&self.lock_path()).ok()?;
        // The note stays when its writer is done, or dead. Whoever could share the lock sees that nobody holds it.
        if file.try_lock_shared().is_ok() {
            let _ = file.unlock();
            return None;
        }
        let mut note = String::new();
        (&mut file).take(300).read_to_string(&mut note).ok()?;
        let note = cleaned(note.trim(), 200);
        (!note.is_empty()).then_some(note)
    }

    fn set_aside(&self, slot: &Slot) -> Result<Option<PathBuf>> {
        // Somebody may have mended it since.
        if !matches!(self.read(slot), Err(error) if error.kind() == ErrorKind::StoreDamaged) {
            return Ok(None);
        }
        let aside = self.beside("", &format!(".damaged-{:08x}", self.0.random.u64() >> 32));
        std::fs::rename(&self.0.path, &aside).map_err(|error| unwritable(&self.0.path, "set aside", &error))?;
        Ok(Some(aside))
    }

    fn take_warnings(&self) -> Vec<String> {
        let mut warnings = std::mem::take(&mut *lock(&self.0.warnings));
        let mut open = lock(&self.0.open);
        let folder = self.folder().display();
        if open.file_system {
            // Its folders are open as well, and nothing can be done about either: that is said once.
            if !std::mem::replace(&mut open.said, true) {
                warnings.push(format!(
                    "the file system of {folder} keeps no permissions: other users of this machine may be able to read your \
                     session; use a state folder on a disk that keeps them"
                ));
            }
        } else if std::mem::take(&mut open.folder) {
            warnings.push(format!(
                "other users can put files into {folder}, where your session is; `chmod go-w` it, or use a folder of your own"
            ));
        }
        warnings
    }

    fn description(&self) -> StoreDescription {
        StoreDescription { kind: "file", path: Some(self.0.path.clone()), shared: true }
    }
}

/// Writes `pid@host since …` for those who wait.
fn note_holder(file: &File) -> io::Result<()> {
    let note = format!("{}@{} {}\n", std::process::id(), os::host_name(), os::coarse_now().wall / 1000);
    file.set_len(0)?;
    (&mut &*file).write_all(note.as_bytes())
}

/// Dropping it gives the lock back; so does the death of the process.
struct FileGuard {
    file: File,
    path: PathBuf,
    /// The process that locked it.
    owner: u32,
}

impl Drop for FileGuard {
    /// A process that was forked meanwhile has the lock too: while it is about to start a program, or for life where it
    /// starts none. Closing the file here would leave it the lock; it, on the other hand, must not end this one's.
    fn drop(&mut self) {
        if self.owner == std::process::id() {
            // Closing it is what is left to do.
            let _ = self.file.unlock();
        }
    }
}

impl Guard for FileGuard {
    fn holds_for(&self, _: std::time::Duration) -> bool {
        true
    }
}

impl fmt::Debug for FileGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileGuard").field("path", &self.path).finish_non_exhaustive()
    }
}

impl fmt::Debug for FileTokenStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileTokenStore").field("path", &self.0.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[cfg(not(cdse_model))]
mod tests {
    use super::*;

    fn guard(folder: &Path) -> Option<FileGuard> {
        let path = folder.join("lock");
        let file = os::open_lock(&path).unwrap();
        file.try_lock().is_ok().then(|| FileGuard { file, path, owner: std::process::id() })
    }

    #[test]
    fn s2_a_name_without_a_folder_is_in_the_working_folder() {
        assert_eq!(FileTokenStore::new("session.json").folder(), Path::new("."));
        assert_eq!(FileTokenStore::new("a/session.json").folder(), Path::new("a"));
    }

    #[test]
    fn s3_a_forked_process_neither_keeps_the_lock_nor_ends_it() {
        let folder = tempfile::tempdir().unwrap();
        let held = guard(folder.path()).unwrap();
        // What a fork does: one more descriptor of the same open file.
        let inherited = held.file.try_clone().unwrap();
        drop(held);
        let held = guard(folder.path()).expect("the lock is given back, whoever has inherited it");
        drop(inherited);
        let of_a_fork = FileGuard { file: held.file.try_clone().unwrap(), path: held.path.clone(), owner: 0 };
        drop(of_a_fork);
        assert!(guard(folder.path()).is_none(), "a forked process has ended the lock of this one");
        drop(held);
        assert!(guard(folder.path()).is_some());
    }
}
