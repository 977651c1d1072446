//! The steps of file operations, which tests can make fail.

use std::io;

/// A step, announced before it is taken (feature `testing`).
#[cfg_attr(not(feature = "testing"), expect(unreachable_pub, reason = "public for tests only"))]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileOperation {
    /// Opening the file for reading.
    Open,
    /// Creating its folder.
    CreateFolder,
    /// Making the new folder durable.
    SyncParent,
    /// Creating the temporary file.
    CreateTemporary,
    /// Writing into it.
    Write,
    /// Making its contents durable.
    Sync,
    /// Replacing the old file with it.
    Rename,
    /// Making the replacement durable.
    SyncFolder,
    /// Opening the lock file.
    OpenLock,
    /// Locking it.
    Lock,
    /// Writing into it which process has locked it.
    NoteHolder,
    /// Removing a temporary file of a process that died.
    RemoveLeftover,
}

/// An operation that fails with an error number of the system (feature `testing`).
#[cfg(feature = "testing")]
pub type Fault = (FileOperation, i32);

/// Is told of each step before it is taken, and may let it fail with an error number of the system.
#[cfg(feature = "testing")]
type Watcher = Box<dyn FnMut(FileOperation) -> Option<i32> + Send>;

/// Where the steps are announced.
#[derive(Default)]
pub(crate) struct Steps {
    #[cfg(feature = "testing")]
    watcher: std::sync::Mutex<Option<Watcher>>,
}

impl Steps {
    /// Takes one step, and once more where a signal interrupted it (some file systems let it).
    pub(crate) fn take<T>(&self, operation: FileOperation, mut step: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        loop {
            match self.announce(operation).and_then(|()| step()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    #[cfg(feature = "testing")]
    fn announce(&self, operation: FileOperation) -> io::Result<()> {
        let mut watcher = self.watcher.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match watcher.as_mut().and_then(|watcher| watcher(operation)) {
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
            None => Ok(()),
        }
    }

    #[cfg(not(feature = "testing"))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as with the feature")]
    fn announce(&self, _: FileOperation) -> io::Result<()> {
        Ok(())
    }

    #[cfg(feature = "testing")]
    pub(crate) fn watch(&self, watcher: Watcher) {
        *self.watcher.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(watcher);
    }
}
