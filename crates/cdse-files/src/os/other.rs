//! Systems without Unix permissions (Windows), which are not tested. Files lie in the user's own profile folder, whose
//! access list keeps other users out.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

pub(crate) fn open_lock(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

pub(crate) fn open_read(path: &Path) -> io::Result<File> {
    if std::fs::symlink_metadata(path)?.file_type().is_symlink() {
        return Err(io::Error::other("a symbolic link"));
    }
    File::open(path)
}

/// An error of the system has no text of its own.
pub(crate) fn is_link_refusal(error: &io::Error) -> bool {
    error.get_ref().is_some()
}

pub(crate) fn create_private_folder(path: &Path) -> io::Result<Vec<PathBuf>> {
    std::fs::create_dir_all(path)?;
    Ok(Vec::new())
}

pub(crate) fn is_ours(_: &Metadata) -> bool {
    true
}

pub(crate) fn owner_id(_: &Metadata) -> u32 {
    0
}

pub(crate) fn is_open_to_others(_: &Metadata) -> bool {
    false
}

pub(crate) fn is_open_folder(_: &Metadata) -> bool {
    false
}

pub(crate) fn close_to_others(file: &File, _: &Metadata) -> io::Result<Metadata> {
    file.metadata()
}

pub(crate) fn foreign_ancestor(_: &Path) -> Option<(PathBuf, Metadata)> {
    None
}

pub(crate) fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

pub(crate) fn has_no_folder_sync(_: &io::Error) -> bool {
    true
}

/// The name of this machine, as it stands in a lock file beside the id of the process that holds the lock.
#[must_use]
pub fn host_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| "this machine".to_owned())
}
