//! Systems without Unix permissions (Windows): compiled, not tested. Files lie in the user's own profile folder, whose
//! access list keeps other users out.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Instant, SystemTime};

use crate::clock::time::{Millis, Now};

#[expect(clippy::disallowed_methods, reason = "this is the clock that is injected")]
pub(crate) fn coarse_now() -> Now {
    static START: OnceLock<Instant> = OnceLock::new();
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mono = START.get_or_init(Instant::now).elapsed();
    Now { wall: millis(wall), mono: millis(mono) }
}

pub(crate) fn coarse_nanos() -> (i64, i64) {
    let now = coarse_now();
    (now.wall * 1_000_000, now.mono * 1_000_000)
}

fn millis(length: std::time::Duration) -> Millis {
    Millis::try_from(length.as_millis()).unwrap_or(Millis::MAX)
}

pub(crate) use super::nap as sleep;

pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

pub(crate) fn open_lock(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

pub(crate) fn open_read(path: &Path) -> io::Result<File> {
    if std::fs::symlink_metadata(path)?.file_type().is_symlink() {
        return Err(io::Error::other(LINK));
    }
    File::open(path)
}

pub(crate) fn is_link_refusal(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.to_string() == LINK)
}

const LINK: &str = "a symbolic link";

pub(crate) fn create_private_folder(path: &Path) -> io::Result<Vec<PathBuf>> {
    std::fs::create_dir_all(path)?;
    Ok(Vec::new())
}

pub(crate) fn is_ours(_: &Metadata) -> bool {
    true
}

pub(crate) fn owner(_: &Metadata) -> String {
    "another user".to_owned()
}

pub(crate) fn owner_id(_: &Metadata) -> u32 {
    0
}

pub(crate) fn is_loose(_: &Metadata) -> bool {
    false
}

pub(crate) fn is_open_folder(_: &Metadata) -> bool {
    false
}

pub(crate) fn tighten(file: &File, _: &Metadata) -> io::Result<Metadata> {
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

pub(crate) fn host_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| "this machine".to_owned())
}
