//! A lock between processes.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::SystemTime;

use crate::os;

/// A held lock. Dropping it releases it; so does the end of the process.
///
/// It belongs to the process that took it: a process forked meanwhile neither keeps it nor ends it.
#[derive(Debug)]
pub struct Lock {
    file: File,
    /// The process that took it.
    owner: u32,
}

impl Lock {
    pub(crate) fn new(file: File) -> Self {
        Self { file, owner: std::process::id() }
    }

    /// Writes `pid@host seconds` for those who wait.
    pub(crate) fn note_holder(&self) -> io::Result<()> {
        let since = now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let note = format!("{}@{} {since}\n", std::process::id(), os::host_name());
        self.file.set_len(0)?;
        (&mut &self.file).write_all(note.as_bytes())
    }
}

/// The holder's note in the lock file at `path`, if a process holds the lock.
pub(crate) fn holder(path: &Path) -> Option<String> {
    let mut file = os::open_read(path).ok()?;
    // The note stays when its writer is done, or dead. A lock that can be shared is held by nobody.
    if file.try_lock_shared().is_ok() {
        let _ = file.unlock();
        return None;
    }
    let mut note = String::new();
    (&mut file).take(300).read_to_string(&mut note).ok()?;
    Some(note.trim().to_owned()).filter(|note| !note.is_empty())
}

/// Whether the lock was free, and is held by now.
pub(crate) fn try_lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[expect(clippy::disallowed_methods, reason = "a note for people, and the age of files, which decide nothing")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

impl Drop for Lock {
    /// A process that was forked meanwhile has the open file too: until it starts a program, or for life where it starts
    /// none. Closing the file here would leave it the lock; and when it drops its copy it must not end this one's.
    fn drop(&mut self) {
        if self.owner == std::process::id() {
            // Closing the file is what is left to do.
            let _ = self.file.unlock();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(folder: &Path) -> Option<Lock> {
        let path = folder.join("lock");
        let file = os::open_lock(&path).unwrap();
        try_lock(&file).unwrap().then(|| Lock::new(file))
    }

    #[test]
    fn s3_a_forked_process_neither_keeps_the_lock_nor_ends_it() {
        let folder = tempfile::tempdir().unwrap();
        let held = lock(folder.path()).unwrap();
        // What a fork does: one more descriptor of the same open file.
        let inherited = held.file.try_clone().unwrap();
        drop(held);
        let held = lock(folder.path()).expect("the lock is given back, whoever has inherited it");
        drop(inherited);
        let of_a_fork = Lock { file: held.file.try_clone().unwrap(), owner: 0 };
        drop(of_a_fork);
        assert!(lock(folder.path()).is_none(), "a forked process has ended the lock of this one");
        drop(held);
        assert!(lock(folder.path()).is_some());
    }
}
