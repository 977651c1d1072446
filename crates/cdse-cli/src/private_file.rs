//! Small files of our own: read with suspicion, replaced as a whole.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use cdse_auth::{Error, ErrorKind};

/// No file that is read here is larger.
const LARGEST: u64 = 64 * 1024;

/// The text, or `None` if there is no such file. Links, other people's files and anything but plain files are refused.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let shown = path.display();
    let file = match open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(_) if is_link(path) => {
            let why = format!("{shown} is a symbolic link, which is not followed: remove it and log in again");
            return Err(Error::new(ErrorKind::StoreUnsafe, why));
        }
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            let file = path.ancestors().skip(1).find(|above| above.exists()).unwrap_or(path);
            let why = format!("{} is no folder: move it away", file.display());
            return Err(Error::new(ErrorKind::StoreUnsafe, why));
        }
        Err(error) => return Err(Error::new(ErrorKind::StoreUnusable, format!("{shown} cannot be read: {error}"))),
    };
    let unreadable = |error| Error::new(ErrorKind::StoreUnusable, format!("{shown} cannot be read: {error}"));
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(Error::new(ErrorKind::StoreUnsafe, format!("{shown} is no plain file: move it away")));
    }
    if let Some(owner) = foreign_owner(&metadata) {
        return Err(Error::new(ErrorKind::StoreUnsafe, format!("{shown} belongs to {owner}, not to you")));
    }
    let size = metadata.len().min(LARGEST);
    let mut text = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1);
    file.take(LARGEST + 1).read_to_end(&mut text).map_err(unreadable)?;
    if text.len() as u64 > LARGEST {
        return Err(Error::new(
            ErrorKind::StoreDamaged,
            format!("{shown} is far too large: remove it and log in again"),
        ));
    }
    Ok(Some(text))
}

/// Replaces the file: readers see the old text or the new one.
pub(crate) fn write(path: &Path, text: &[u8]) -> Result<(), Error> {
    let file = temporary(path)?;
    fill(file, path, text).map_err(|error| unwritable(path, &error))
}

/// Says now what would keep [`write()`] from working later.
pub(crate) fn check_writable(path: &Path) -> Result<(), Error> {
    if fs::symlink_metadata(path).is_ok_and(|there| there.is_dir()) {
        return Err(Error::new(ErrorKind::StoreUnsafe, format!("{} is a folder: move it away", path.display())));
    }
    temporary(path).map(drop)
}

/// Removes the file; that it is not there is fine.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unwritable(path, &error)),
        _ => Ok(()),
    }
}

fn fill(mut file: tempfile::NamedTempFile, path: &Path, text: &[u8]) -> io::Result<()> {
    file.write_all(text)?;
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|failed| failed.error)
}

/// A new file beside the other one, closed to everybody else.
fn temporary(path: &Path) -> Result<tempfile::NamedTempFile, Error> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Some((above, owner)) = foreign_ancestor(folder) {
        let why = format!(
            "{} would be made in {}, which belongs to user id {owner}, not to you: nothing was made there; with sudo, pass -H \
             to use your own home folder, or -u '#{owner}' to run as its owner",
            folder.display(),
            above.display()
        );
        return Err(Error::new(ErrorKind::StoreUnsafe, why));
    }
    create_private_folder(folder)
        .and_then(|()| tempfile::Builder::new().prefix(".").suffix(".tmp").tempfile_in(folder))
        .map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &io::Error) -> Error {
    Error::new(ErrorKind::StoreUnwritable, format!("{} cannot be written: {error}", path.display()))
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink())
}

#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;

    use rustix::fs::OFlags;
    // Without NONBLOCK a FIFO in the file's place would wait for its writer.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    if is_link(path) {
        return Err(io::Error::other("not followed"));
    }
    File::open(path)
}

#[cfg(unix)]
fn create_private_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn create_private_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).create(folder)
}

/// Whether others may read it. Some file systems keep no permissions, whatever was asked of them.
#[cfg(unix)]
pub(crate) fn is_open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).is_ok_and(|metadata| metadata.mode() & 0o077 != 0)
}

#[cfg(not(unix))]
pub(crate) fn is_open_to_others(_: &Path) -> bool {
    false
}

/// The folder in which a folder that is not there yet would be made, if it is another user's, and who that is. Root's are the
/// system's, and into one like `/tmp` anybody may put something.
#[cfg(unix)]
fn foreign_ancestor(folder: &Path) -> Option<(std::path::PathBuf, u32)> {
    use std::os::unix::fs::MetadataExt;
    if folder.exists() {
        return None;
    }
    let folder = std::path::absolute(folder).ok()?;
    let (above, metadata) = folder.ancestors().find_map(|above| Some((above.to_owned(), fs::metadata(above).ok()?)))?;
    let is_everybodys = metadata.mode() & 0o1002 == 0o1002;
    let is_fine = foreign_owner(&metadata).is_none() || metadata.uid() == 0 || is_everybodys;
    (!is_fine).then(|| (above, metadata.uid()))
}

#[cfg(not(unix))]
fn foreign_ancestor(_: &Path) -> Option<(std::path::PathBuf, u32)> {
    None
}

#[cfg(unix)]
fn foreign_owner(metadata: &fs::Metadata) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    (metadata.uid() != rustix::process::geteuid().as_raw()).then(|| format!("user id {}", metadata.uid()))
}

#[cfg(not(unix))]
fn foreign_owner(_: &fs::Metadata) -> Option<String> {
    None
}
