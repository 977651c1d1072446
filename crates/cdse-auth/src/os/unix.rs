//! Linux, which is tested, and its kin, which are not.

use std::fs::{DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::clock::{Millis, Now};

#[cfg(any(target_os = "linux", target_os = "android"))]
const CLOCKS: (ClockId, ClockId) = (ClockId::RealtimeCoarse, ClockId::MonotonicCoarse);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const CLOCKS: (ClockId, ClockId) = (ClockId::Realtime, ClockId::Monotonic);

#[inline(always)]
pub(crate) fn coarse_now() -> Now {
    Now { wall: millis(clock_gettime(CLOCKS.0)), mono: millis(clock_gettime(CLOCKS.1)) }
}

/// The same in nanoseconds, wall clock and monotonic clock: without a division it is the cheapest look at both.
#[inline(always)]
pub(crate) fn coarse_nanos() -> (i64, i64) {
    (nanos(clock_gettime(CLOCKS.0)), nanos(clock_gettime(CLOCKS.1)))
}

#[inline(always)]
fn nanos(time: Timespec) -> i64 {
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

#[inline(always)]
fn millis(time: Timespec) -> Millis {
    time.tv_sec * 1000 + time.tv_nsec / 1_000_000
}

/// Sleeps for so long, the machine's own sleep counted where the system can do that; perhaps shorter elsewhere.
pub(crate) fn sleep(length: Duration) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let now = clock_gettime(ClockId::Boottime);
        let seconds = i64::try_from(length.as_secs()).unwrap_or(i64::MAX);
        let nanos = now.tv_nsec + i64::from(length.subsec_nanos());
        let until = Timespec {
            tv_sec: now.tv_sec.saturating_add(seconds).saturating_add(nanos / 1_000_000_000),
            tv_nsec: nanos % 1_000_000_000,
        };
        loop {
            match rustix::thread::clock_nanosleep_absolute(ClockId::Boottime, &until) {
                Err(rustix::io::Errno::INTR) => {}
                Ok(()) => return,
                // Not to be had on every kernel that calls itself Linux (gVisor).
                Err(_) => return super::nap(length),
            }
        }
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    super::nap(length);
}

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
    error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
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

/// The owner, to name it in an error.
pub(crate) fn owner(metadata: &Metadata) -> String {
    format!("user id {}", metadata.uid())
}

/// Whether others may read or write it.
pub(crate) fn is_loose(metadata: &Metadata) -> bool {
    metadata.mode() & 0o077 != 0
}

/// Whether others may put files into the folder in place of ours (not so where the sticky bit is set).
pub(crate) fn is_open_folder(metadata: &Metadata) -> bool {
    metadata.mode() & 0o022 != 0 && metadata.mode() & 0o1000 == 0
}

/// Takes all rights of others away.
pub(crate) fn tighten(path: &Path, metadata: &Metadata) -> io::Result<()> {
    std::fs::set_permissions(path, Permissions::from_mode(metadata.mode() & 0o700))
}

/// Makes a rename in the folder last through a power cut.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Whether syncing failed because the file system cannot sync folders.
pub(crate) fn has_no_folder_sync(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::INVAL, Errno::NOTSUP, Errno::NOSYS, Errno::BADF, Errno::ACCESS]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// The name of this machine, for the note in a lock file.
pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn no_follow() -> i32 {
    flag(OFlags::NOFOLLOW | OFlags::CLOEXEC)
}

fn flag(flags: OFlags) -> i32 {
    flags.bits() as i32
}
