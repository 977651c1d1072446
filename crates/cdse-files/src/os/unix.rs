//! Linux, which is tested, and its kin, which are not.

use std::fs::{DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;

/// Creates a file that nobody else can open, under any umask; an existing name, also a link, is an error.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).custom_flags(no_follow()).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

/// Opens a lock file, creating it where it is missing.
pub(crate) fn open_lock(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(no_follow())
        .open(path)
}

/// Opens a file for reading; a symbolic link in its place is an error.
pub(crate) fn open_read(path: &Path) -> io::Result<File> {
    // Without O_NONBLOCK a FIFO in its place would block.
    OpenOptions::new().read(true).custom_flags(no_follow() | flag(OFlags::NONBLOCK)).open(path)
}

/// Whether opening failed because a symbolic link is in the place of the file.
pub(crate) fn is_link_refusal(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::LOOP)
}

/// Creates a folder and its parents, all closed to others where they are new. The folders that got a new entry are what
/// has to be synced.
pub(crate) fn create_private_folder(path: &Path) -> io::Result<Vec<PathBuf>> {
    let new = path.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
    let parent = |folder: &Path| match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let changed = new.map(parent).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    Ok(changed)
}

/// Whether the file or folder belongs to the user of this process.
pub(crate) fn is_ours(metadata: &Metadata) -> bool {
    metadata.uid() == rustix::process::geteuid().as_raw()
}

/// The owner, to name it in an error, and as `sudo -u` takes it after a `#`.
pub(crate) fn owner_id(metadata: &Metadata) -> u32 {
    metadata.uid()
}

/// Whether others may read or write it.
pub(crate) fn is_open_to_others(metadata: &Metadata) -> bool {
    metadata.mode() & 0o077 != 0
}

/// Whether others may put files into the folder in place of ours (not so where the sticky bit is set).
pub(crate) fn is_open_folder(metadata: &Metadata) -> bool {
    metadata.mode() & 0o022 != 0 && metadata.mode() & 0o1000 == 0
}

/// Takes all rights of others away from the open file, whatever its name means by now, and says what came of it: some file
/// systems keep no permissions and say that all went well.
pub(crate) fn close_to_others(file: &File, metadata: &Metadata) -> io::Result<Metadata> {
    file.set_permissions(Permissions::from_mode(metadata.mode() & 0o700))?;
    file.metadata()
}

/// The folder in which `path` would be made, if that is another user's: what is made there (by root, as a rule, with the home
/// folder of the user who called `sudo`) would be in that user's way. What belongs to root is the system's, and into a folder
/// like `/tmp` anybody may put something.
pub(crate) fn foreign_ancestor(path: &Path) -> Option<(PathBuf, Metadata)> {
    let path = std::path::absolute(path).ok()?;
    let (ancestor, metadata) =
        path.ancestors().find_map(|above| Some((above.to_owned(), std::fs::metadata(above).ok()?)))?;
    let is_everybodys = metadata.mode() & 0o1002 == 0o1002;
    let is_fine = is_ours(&metadata) || metadata.uid() == 0 || is_everybodys;
    (!is_fine).then_some((ancestor, metadata))
}

/// Makes a rename in the folder last through a power cut.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Whether syncing failed because the file system cannot sync folders.
pub(crate) fn has_no_folder_sync(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::INVAL | Errno::NOTSUP | Errno::NOSYS | Errno::BADF | Errno::ACCESS))
}

/// The name of this machine, as it stands in a lock file beside the id of the process that holds the lock.
#[must_use]
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn no_follow() -> i32 {
    flag(OFlags::NOFOLLOW | OFlags::CLOEXEC)
}

fn flag(flags: OFlags) -> i32 {
    flags.bits() as i32
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    /// A file or folder with this mode.
    fn metadata(path: &Path, mode: u32) -> Metadata {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        std::fs::metadata(path).unwrap()
    }

    #[test]
    fn s2_any_right_of_others_is_open_to_others_and_can_be_taken_away() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (mode, loose) in
            [(0o600, false), (0o700, false), (0o601, true), (0o640, true), (0o602, true), (0o644, true)]
        {
            let found = metadata(file.path(), mode);
            assert_eq!(is_open_to_others(&found), loose, "{mode:o}");
            let after = close_to_others(file.as_file(), &found).unwrap();
            assert_eq!(after.mode() & 0o7777, mode & 0o700, "{mode:o}");
            assert_eq!(std::fs::metadata(file.path()).unwrap().mode() & 0o7777, mode & 0o700, "{mode:o}");
        }
    }

    #[test]
    fn s2_rights_are_taken_from_the_file_that_was_opened_and_not_from_what_its_name_means_by_then() {
        let folder = tempfile::tempdir().unwrap();
        let (path, victim) = (folder.path().join("session.json"), folder.path().join("victim"));
        for path in [&path, &victim] {
            std::fs::write(path, "x").unwrap();
        }
        metadata(&victim, 0o644);
        let found = metadata(&path, 0o644);
        let file = open_read(&path).unwrap();
        std::fs::rename(&path, folder.path().join("moved")).unwrap();
        std::os::unix::fs::symlink(&victim, &path).unwrap();
        assert!(!is_open_to_others(&close_to_others(&file, &found).unwrap()));
        assert_eq!(std::fs::metadata(&victim).unwrap().mode() & 0o777, 0o644);
        assert_eq!(std::fs::metadata(folder.path().join("moved")).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn s2_a_folder_where_others_may_replace_files_is_open() {
        let folder = tempfile::tempdir().unwrap();
        for (mode, open) in [(0o700, false), (0o755, false), (0o770, true), (0o702, true), (0o1777, false)] {
            assert_eq!(is_open_folder(&metadata(folder.path(), mode)), open, "{mode:o}");
        }
    }

    #[test]
    fn s2_what_this_process_made_is_its_own_and_its_owner_has_a_number() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let found = metadata(file.path(), 0o600);
        assert!(is_ours(&found));
        assert_eq!(owner_id(&found), rustix::process::geteuid().as_raw());
        // A file of the kernel's is root's; whoever is not root does not own it.
        let kernel = std::fs::metadata("/proc/version").unwrap();
        assert_eq!(is_ours(&kernel), rustix::process::geteuid().as_raw() == kernel.uid());
    }

    #[test]
    fn s4_new_folders_are_closed_and_those_that_hold_them_are_named() {
        let top = tempfile::tempdir().unwrap();
        let (above, new) = (top.path().join("a"), top.path().join("a/b"));
        assert_eq!(create_private_folder(&new).unwrap(), [above.clone(), top.path().to_owned()]);
        for folder in [&above, &new] {
            assert_eq!(std::fs::metadata(folder).unwrap().mode() & 0o777, 0o700);
        }
        assert!(create_private_folder(&new).unwrap().is_empty(), "nothing is new");
        sync_folder(&new).unwrap();
        assert!(sync_folder(&top.path().join("missing")).is_err());
        // A relative path begins in the working folder.
        let relative = PathBuf::from(format!("target-of-a-test-{}", std::process::id()));
        let changed = create_private_folder(&relative.join("x"));
        std::fs::remove_dir_all(&relative).unwrap();
        assert_eq!(changed.unwrap(), [relative, PathBuf::from(".")]);
    }

    #[test]
    fn s4_a_file_system_without_folder_syncs_is_told_from_a_disk_that_fails() {
        for errno in [Errno::INVAL, Errno::NOTSUP, Errno::NOSYS, Errno::BADF, Errno::ACCESS] {
            assert!(has_no_folder_sync(&errno.into()), "{errno}");
        }
        for errno in [Errno::IO, Errno::NOSPC] {
            assert!(!has_no_folder_sync(&errno.into()), "{errno}");
        }
    }

    #[test]
    fn s3_this_machine_has_the_name_that_others_know() {
        assert_eq!(host_name(), std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim_end());
    }
}
