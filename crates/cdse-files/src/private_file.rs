//! One private file.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind, Result};
use crate::lock::{self, Lock};
use crate::operation::{FileOperation, Steps};
use crate::os;
use crate::warning::{Warning, WarningKind};

/// Unless [`PrivateFile::with_limit`] says otherwise.
const LIMIT: u64 = 64 * 1024;
/// A temporary file that is older was left by a process that died.
const LEFTOVER_AGE: Duration = Duration::from_secs(60);

/// A file that only its owner can read (mode 0600).
///
/// It is replaced as a whole: a new file is written beside it, synced, and renamed over the old one, so that a reader sees
/// the old contents or the new ones, whatever happens in between. Symbolic links, files of other users and anything but a
/// regular file are refused.
///
/// Its lock is a second file beside it, `<name>.lock`. That file is never deleted: two processes could otherwise hold locks
/// of two files of one name.
///
/// Creating the value touches no file. Any number of threads and processes may use one path at the same time.
pub struct PrivateFile {
    path: PathBuf,
    what: String,
    limit: u64,
    own_folder: bool,
    synced: bool,
    warnings: Mutex<Warnings>,
    steps: Steps,
}

/// What was noticed, and not told yet.
#[derive(Default)]
struct Warnings {
    found: Vec<Warning>,
    /// Others can put files into the folder.
    open_folder: bool,
    /// The file system keeps no permissions.
    no_permissions: bool,
    said_no_permissions: bool,
}

impl PrivateFile {
    /// The file at `path`. A folder that is not there is created, closed to other users, when something is written or locked.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            what: String::new(),
            limit: LIMIT,
            own_folder: false,
            synced: true,
            warnings: Mutex::default(),
            steps: Steps::default(),
        }
    }

    /// What errors call the file, before its path: "the session file".
    #[must_use]
    pub fn called(self, what: &str) -> Self {
        Self { what: format!("{what} "), ..self }
    }

    /// The largest size, in bytes, that is read. Defaults to 64 KiB.
    #[must_use]
    pub fn with_limit(self, bytes: u64) -> Self {
        Self { limit: bytes, ..self }
    }

    /// The folder must belong to the user and be on a file system whose locks keep other processes out. Permissions that let
    /// other users read the file are corrected as soon as they are noticed.
    #[must_use]
    pub fn in_own_folder(self) -> Self {
        Self { own_folder: true, ..self }
    }

    /// Its contents need not survive a power cut, which may leave the older ones or an empty file: [`replace`](Self::replace)
    /// waits for no disk.
    #[must_use]
    pub fn unsynced(self) -> Self {
        Self { synced: false, ..self }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of the file: the working folder for a name alone.
    #[must_use]
    pub fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        }
    }

    /// The lock file.
    #[must_use]
    pub fn lock_path(&self) -> PathBuf {
        self.folder().join(self.name("", ".lock"))
    }

    /// The contents, or `None` if there is no file.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Unsafe`] for a symbolic link, another user's file, and anything but a regular file; and, with
    ///   [`in_own_folder`](Self::in_own_folder), for another user's folder.
    /// - [`ErrorKind::TooLarge`] above the limit.
    /// - [`ErrorKind::Unreadable`] if the system refuses.
    pub fn read(&self) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let unreadable = |error| Error::unreadable(&self.what, &self.path, error);
        let mut file = match self.steps.take(FileOperation::Open, || os::open_read(&self.path)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Err(self.not_a_folder()),
            Err(error) if os::is_link_refusal(&error) => return Err(link(&self.path)),
            Err(error) => return Err(unreadable(error)),
        };
        if self.own_folder {
            self.check_folder(&fs::metadata(self.folder()).map_err(unreadable)?)?;
        }
        let metadata = file.metadata().map_err(unreadable)?;
        self.check_file(&file, &self.path, &metadata)?;
        let size = metadata.len();
        // Room for the whole file: growing would leave copies of secrets behind.
        let mut contents = Zeroizing::new(Vec::with_capacity(usize::try_from(size.min(self.limit)).unwrap_or(0) + 1));
        (&mut file).take(self.limit + 1).read_to_end(&mut contents).map_err(unreadable)?;
        if contents.len() as u64 > self.limit {
            let message = format!("{}{} is too large", self.what, self.path.display());
            return Err(Error::new(ErrorKind::TooLarge, message).with_hint("move it away"));
        }
        Ok(Some(contents))
    }

    /// Replaces the contents. When it returns, they survive a power cut (but see [`take_warnings`](Self::take_warnings), and
    /// [`unsynced`](Self::unsynced)).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsafe`] for a folder that must not be used, [`ErrorKind::Unwritable`] if the system refuses. The old
    /// contents are then still there.
    pub fn replace(&self, contents: &[u8]) -> Result<()> {
        self.prepare_folder()?;
        self.write_and_rename(contents).map_err(|error| Error::unwritable(&self.path, "written", error))
    }

    /// Checks whether [`replace`](Self::replace) would work: creates the folder, and a temporary file in it.
    ///
    /// # Errors
    ///
    /// As [`replace`](Self::replace); and [`ErrorKind::Unsafe`] if there is a folder at the path.
    pub fn check_replaceable(&self) -> Result<()> {
        if fs::symlink_metadata(&self.path).is_ok_and(|found| found.is_dir()) {
            return Err(in_the_way(&self.path, "is a folder"));
        }
        self.prepare_folder()?;
        self.temporary().map(drop).map_err(|error| Error::unwritable(&self.path, "written", error))
    }

    /// Removes the file, if it is there.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unwritable`] if the system refuses.
    pub fn remove(&self) -> Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::unwritable(&self.path, "removed", error))
            }
            _ => Ok(()),
        }
    }

    /// Renames the file to its name with `suffix`, and returns the new path.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unwritable`] if the system refuses.
    pub fn set_aside(&self, suffix: &str) -> Result<PathBuf> {
        let aside = self.folder().join(self.name("", suffix));
        fs::rename(&self.path, &aside).map_err(|error| Error::unwritable(&self.path, "set aside", error))?;
        Ok(aside)
    }

    /// Takes the lock, or returns `None` while another process, or another [`Lock`] of this one, holds it. Does not wait.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsafe`] for a folder or lock file that must not be used, [`ErrorKind::Unwritable`] if the lock file
    /// cannot be opened, [`ErrorKind::NoLocks`] if the file system has no locks.
    pub fn try_lock(&self) -> Result<Option<Lock>> {
        self.prepare_folder()?;
        let path = self.lock_path();
        let file = match self.steps.take(FileOperation::OpenLock, || os::open_lock(&path)) {
            Ok(file) => file,
            Err(error) if os::is_link_refusal(&error) => return Err(link(&path)),
            Err(error) => return Err(Error::unwritable(&path, "opened", error)),
        };
        let metadata = file.metadata().map_err(|error| Error::unwritable(&path, "opened", error))?;
        self.check_file(&file, &path, &metadata)?;
        let locked = self.steps.take(FileOperation::Lock, || lock::try_lock(&file)).map_err(|error| {
            let message = format!("{} cannot be locked: {error}", path.display());
            let hint = "this file system has no file locks: use a folder on a local disk";
            Error::new(ErrorKind::NoLocks, message).with_hint(hint).with_source(error)
        })?;
        if !locked {
            return Ok(None);
        }
        let lock = Lock::new(file);
        // A courtesy for those who wait: without the note the lock is as good.
        let _ = self.steps.take(FileOperation::NoteHolder, || lock.note_holder());
        self.remove_leftovers_older_than(LEFTOVER_AGE);
        Ok(Some(lock))
    }

    /// What the lock's holder has written into it, as `pid@host seconds`, if a process holds it. Another program may have
    /// written the text: make it safe before you show it.
    #[must_use]
    pub fn lock_holder(&self) -> Option<String> {
        lock::holder(&self.lock_path())
    }

    /// Removes the temporary files of processes that died while they replaced this file. A process that is replacing it now
    /// fails.
    pub fn remove_leftovers(&self) {
        self.remove_leftovers_older_than(Duration::ZERO);
    }

    /// What was noticed since the last call and is no reason to fail. That the file system keeps no permissions is said once.
    pub fn take_warnings(&self) -> Vec<Warning> {
        let mut found = self.warnings();
        let mut warnings = std::mem::take(&mut found.found);
        let folder = self.folder().display();
        if found.no_permissions {
            // The folder is open as well then, and nothing can be done about either.
            if !std::mem::replace(&mut found.said_no_permissions, true) {
                let text = format!(
                    "the file system of {folder} keeps no permissions: other users of this machine may be able to read the \
                     files in it; use a folder on a disk that keeps them"
                );
                warnings.push(Warning { kind: WarningKind::NoPermissions, text });
            }
        } else if std::mem::take(&mut found.open_folder) {
            let text = format!("other users can put files into {folder}; `chmod go-w` it, or use a folder of your own");
            warnings.push(Warning { kind: WarningKind::OpenFolder, text });
        }
        warnings
    }

    /// Whether other users may read the file that is there.
    #[must_use]
    pub fn is_open_to_others(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|metadata| os::is_open_to_others(&metadata))
    }

    /// From now on these operations fail (feature `testing`).
    #[cfg(feature = "testing")]
    pub fn set_faults(&self, faults: impl IntoIterator<Item = crate::Fault>) {
        let faults: Vec<crate::Fault> = faults.into_iter().collect();
        self.watch(move |operation| faults.iter().find(|(failing, _)| *failing == operation).map(|(_, errno)| *errno));
    }

    /// From now on calls `watcher`, in place of any other, before each operation. An error number of the system that it returns
    /// makes the operation fail (feature `testing`).
    #[cfg(feature = "testing")]
    pub fn watch(&self, watcher: impl FnMut(FileOperation) -> Option<i32> + Send + 'static) {
        self.steps.watch(Box::new(watcher));
    }

    fn warnings(&self) -> std::sync::MutexGuard<'_, Warnings> {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn warn(&self, kind: WarningKind, text: String) {
        self.warnings().found.push(Warning { kind, text });
    }

    fn name(&self, before: &str, after: &str) -> OsString {
        let mut name = OsString::from(before);
        name.push(self.path.file_name().unwrap_or_default());
        name.push(after);
        name
    }

    fn check_file(&self, file: &File, path: &Path, metadata: &Metadata) -> Result<()> {
        if !metadata.is_file() {
            return Err(in_the_way(path, "is not a regular file"));
        }
        if !os::is_ours(metadata) {
            return Err(foreign(path, metadata));
        }
        if !self.own_folder || !os::is_open_to_others(metadata) {
            return Ok(());
        }
        let shown = path.display();
        match os::close_to_others(file, metadata) {
            Ok(after) if os::is_open_to_others(&after) => self.warnings().no_permissions = true,
            Ok(_) => self.warn(
                WarningKind::PermissionsCorrected,
                format!(
                    "other users could read {shown}: its permissions were corrected; if others use this machine, log out and \
                     in again"
                ),
            ),
            Err(error) => self.warn(
                WarningKind::OpenFile,
                format!("other users can read {shown}, and its permissions cannot be corrected: {error}"),
            ),
        }
        Ok(())
    }

    fn prepare_folder(&self) -> Result<()> {
        let folder = self.folder();
        let metadata = match fs::metadata(folder) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if let Some((above, owner)) = os::foreign_ancestor(folder) {
                    return Err(foreign_place(folder, &above, &owner));
                }
                self.create_folder().map_err(|error| Error::unwritable(folder, "created", error))?
            }
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Err(self.not_a_folder()),
            Err(error) => return Err(Error::unwritable(folder, "used", error)),
        };
        self.check_folder(&metadata)?;
        if !self.own_folder {
            return Ok(());
        }
        if let Some((problem, remedy)) = os::unfit_file_system(folder) {
            return Err(Error::new(ErrorKind::Unsafe, problem).with_hint(remedy));
        }
        if os::is_open_folder(&metadata) {
            // It may be the working folder: its permissions are not ours to change.
            self.warnings().open_folder = true;
        }
        Ok(())
    }

    fn create_folder(&self) -> io::Result<Metadata> {
        let folder = self.folder();
        for changed in self.steps.take(FileOperation::CreateFolder, || os::create_private_folder(folder))? {
            // It may be another user's, and closed to reading: the folder is there all the same.
            let _ = self.steps.take(FileOperation::SyncParent, || os::sync_folder(&changed));
        }
        fs::metadata(folder)
    }

    fn check_folder(&self, metadata: &Metadata) -> Result<()> {
        match metadata.is_dir() {
            false => Err(self.not_a_folder()),
            true if self.own_folder && !os::is_ours(metadata) => Err(foreign(self.folder(), metadata)),
            true => Ok(()),
        }
    }

    fn temporary(&self) -> io::Result<NamedTempFile> {
        let prefix = self.name(".", ".");
        let mut names = tempfile::Builder::new();
        let names = names.prefix(&prefix).suffix(".tmp").rand_bytes(12);
        self.steps.take(FileOperation::CreateTemporary, || names.make_in(self.folder(), os::create_private))
    }

    fn write_and_rename(&self, contents: &[u8]) -> io::Result<()> {
        // Removed when it is dropped before the rename; one that cannot be removed is left for the next holder of the lock.
        let mut file = self.temporary()?;
        if os::is_open_to_others(&file.as_file().metadata()?) {
            self.warnings().no_permissions = true;
        }
        // An interrupted write is begun again inside `write_all`, so that nothing is written twice.
        self.steps.take(FileOperation::Write, || Ok(()))?;
        file.write_all(contents)?;
        if self.synced {
            self.steps.take(FileOperation::Sync, || file.as_file().sync_all())?;
        }
        let temporary = file.into_temp_path();
        self.steps.take(FileOperation::Rename, || fs::rename(&temporary, &self.path))?;
        // It has another name by now.
        let _ = temporary.keep();
        if self.synced {
            self.sync_folder();
        }
        Ok(())
    }

    /// The contents are in place by now, and only a power cut can take them away again: that is a warning and no failure.
    fn sync_folder(&self) {
        let folder = self.folder();
        match self.steps.take(FileOperation::SyncFolder, || os::sync_folder(folder)) {
            Err(error) if !os::has_no_folder_sync(&error) => {
                let what = format!("{} could not be synced ({error})", folder.display());
                let text = format!("{what}: a power cut may bring older contents back; check the disk");
                self.warn(WarningKind::NotSynced, text);
            }
            _ => {}
        }
    }

    /// Removes temporary files of this age, and those from the future: a clock was set back since they were written.
    fn remove_leftovers_older_than(&self, age: Duration) {
        let Ok(entries) = fs::read_dir(self.folder()) else { return };
        let start = self.name(".", ".").to_string_lossy().into_owned();
        let now = lock::now();
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let is_left = || {
                let written = entry.metadata().and_then(|metadata| metadata.modified()).ok()?;
                let distance = now.duration_since(written).unwrap_or_else(|future| future.duration());
                Some(distance >= age)
            };
            if name.starts_with(&start) && name.ends_with(".tmp") && is_left() == Some(true) {
                let _ = self.steps.take(FileOperation::RemoveLeftover, || fs::remove_file(entry.path()));
            }
        }
    }

    fn not_a_folder(&self) -> Error {
        let file = self.folder().ancestors().find(|above| above.exists()).unwrap_or(self.folder());
        in_the_way(file, "is not a folder")
    }
}

impl fmt::Debug for PrivateFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateFile").field("path", &self.path).finish_non_exhaustive()
    }
}

fn in_the_way(path: &Path, what: &str) -> Error {
    Error::new(ErrorKind::Unsafe, format!("{} {what}", path.display())).with_hint("move it away")
}

fn link(path: &Path) -> Error {
    let message = format!("{} is a symbolic link, which is not followed", path.display());
    Error::new(ErrorKind::Unsafe, message).with_hint("remove it and try again")
}

fn foreign(path: &Path, metadata: &Metadata) -> Error {
    let message = format!("{} belongs to user id {}, not to you", path.display(), os::owner_id(metadata));
    Error::new(ErrorKind::Unsafe, message)
}

/// Nothing is created in another user's folder: that user's own programs could not use it.
fn foreign_place(folder: &Path, above: &Path, owner: &Metadata) -> Error {
    let (folder, above, id) = (folder.display(), above.display(), os::owner_id(owner));
    let message =
        format!("{folder} would be created in {above}, which belongs to user id {id}, not to you; nothing was created");
    let hint = format!("with sudo, pass -H to use your own home folder, or -u '#{id}' to run as its owner");
    Error::new(ErrorKind::Unsafe, message).with_hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s2_a_name_without_a_folder_is_in_the_working_folder() {
        assert_eq!(PrivateFile::new("session.json").folder(), Path::new("."));
        assert_eq!(PrivateFile::new("a/session.json").folder(), Path::new("a"));
    }
}
